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
_PICKLED_PLAIN = frozenset({torch.float64, torch.float32, torch.float16, torch.bfloat16})


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor in a file. `plain` is whether its values are the weights themselves."""

    file: Path
    plain: bool
    shape: tuple[int, ...]


def stored_tensors(files: list[Path]) -> dict[str, StoredTensor]:
    """The tensors of all files, by name.

    Raises a BenchError where a file is damaged, or two files hold different values under one name.
    """
    tensors: dict[str, StoredTensor] = {}
    for file in files:
        for name, tensor in _tensors_in(file):
            earlier = tensors.setdefault(name, tensor)
            if earlier is not tensor and not torch.equal(_read(earlier, name), _read(tensor, name)):
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
            yield name, StoredTensor(file, part.get_dtype() in PLAIN, tuple(part.get_shape()))


def _pickled(file: Path) -> Iterator[tuple[str, StoredTensor]]:
    try:
        content: dict[str, Any] = torch.load(file, map_location="meta", weights_only=True)
    except UnpicklingError as error:  # its text is advice to run any code
        raise ValueError("it does not hold tensors alone") from error
    for name, value in content.items():
        if isinstance(value, Tensor):
            yield name, StoredTensor(file, value.dtype in _PICKLED_PLAIN, tuple(value.shape))


def _read(tensor: StoredTensor, name: str) -> Tensor:
    if tensor.file.suffix != ".safetensors":
        return torch.load(tensor.file, map_location="cpu", weights_only=True)[name]
    opened: Any = safe_open
    with opened(tensor.file, framework="pt") as content:
        return content.get_tensor(name)
