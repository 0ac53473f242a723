"""What is in a model's weight files: the name, type and shape of each tensor, without its values."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from bench.errors import BenchError, one_line

PLAIN = frozenset({"F64", "F32", "F16", "BF16"})
"""Types whose values are the weights themselves. All others need scales."""
_NAMES: dict[torch.dtype, str] = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int8: "I8", torch.uint8: "U8", torch.int32: "I32", torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e5m2: "F8_E5M2", torch.float8_e8m0fnu: "F8_E8M0",
}  # fmt: skip
"""What safetensors calls torch's types."""


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor in a file. `dtype` is named as safetensors does."""

    file: Path
    dtype: str
    shape: tuple[int, ...]

    @property
    def plain(self) -> bool:
        """Whether its values are the weights themselves."""
        return self.dtype in PLAIN


def stored_tensors(files: list[Path]) -> dict[str, StoredTensor]:
    """The tensors of all files, by name.

    Raises a BenchError where a file is damaged, or two files hold different values under one name.
    """
    tensors: dict[str, StoredTensor] = {}
    for file in files:
        for name, tensor in _tensors_in(file):
            earlier = tensors.setdefault(name, tensor)
            if earlier is not tensor and not torch.equal(values_of(earlier, name), values_of(tensor, name)):
                raise BenchError(f"{name} is in {earlier.file.name} and in {file.name} with other values")
    return tensors


def _tensors_in(file: Path) -> Iterator[tuple[str, StoredTensor]]:
    try:
        yield from _safetensors(file) if file.suffix == ".safetensors" else _pickled(file)
    except (OSError, ValueError, RuntimeError, EOFError, SafetensorError) as error:
        raise BenchError(f"{file.name} is damaged: {one_line(error)}; copy it again") from error


def _safetensors(file: Path) -> Iterator[tuple[str, StoredTensor]]:
    opened: Any = safe_open
    with opened(file, framework="pt") as content:
        for name in content.keys():  # noqa: SIM118 (not a mapping)
            part = content.get_slice(name)
            yield name, StoredTensor(file, str(part.get_dtype()), tuple(part.get_shape()))


def _pickled(file: Path) -> Iterator[tuple[str, StoredTensor]]:
    try:
        content: dict[str, Any] = torch.load(file, map_location="meta", weights_only=True)
    except UnpicklingError as error:  # its text is advice to run any code
        raise ValueError("it does not hold tensors alone") from error
    for name, value in content.items():
        if isinstance(value, Tensor):
            yield name, StoredTensor(file, _NAMES.get(value.dtype, str(value.dtype)), tuple(value.shape))


def values_of(tensor: StoredTensor, name: str) -> Tensor:
    """The values of the tensor `name`, read from its file."""
    if tensor.file.suffix != ".safetensors":
        return torch.load(tensor.file, map_location="cpu", weights_only=True)[name]
    opened: Any = safe_open
    with opened(tensor.file, framework="pt") as content:
        return content.get_tensor(name)
