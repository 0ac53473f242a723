"""The format in which published weights are quantised, read from their configuration."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from bench.errors import Unavailable
from bench.plain_files import read_bytes

DEQUANTISED = frozenset({"fp8", "mxfp4", "compressed-tensors"})
"""Methods whose weights are expanded to the dtype while they are loaded. Their kernels would also round
activations, run on some devices only, and so make a score depend on the machine."""
PACKAGES: dict[str, tuple[str, ...]] = {
    "bitsandbytes": ("bitsandbytes",),
    "fp8": (),
    "mxfp4": (),
    "bitnet": (),
    "compressed-tensors": ("compressed-tensors",),
    "gptq": ("gptqmodel", "optimum"),
    "awq": ("gptqmodel",),
    "auto-round": ("auto-round",),
    "torchao": ("torchao",),
    "hqq": ("hqq",),
    "aqlm": ("aqlm",),
}
"""Methods that transformers loads, and the packages that each needs."""
OTHER_FILES = {"quantize_config.json": "gptq", "hf_quant_config.json": "modelopt"}
"""Files of other programs that say how weights are quantised, and the method that writes each."""


class _Quantization(BaseModel):
    """The keys that name the format. Every method has more of its own."""

    quant_method: str = ""
    load_in_8bit: bool = False
    load_in_4bit: bool = False
    bnb_4bit_quant_type: str = "fp4"
    format: str = ""


class _Nested(BaseModel):
    quantization_config: dict[str, Any] | None = None
    compression_config: dict[str, Any] | None = None
    quantization: dict[str, Any] | None = None
    """As MLX writes it, without a method."""

    def settings(self) -> dict[str, Any] | None:
        mlx = {"quant_method": "mlx"} | self.quantization if self.quantization else None
        return self.quantization_config or self.compression_config or mlx


class _Config(_Nested):
    text_config: _Nested = Field(default_factory=_Nested)


@dataclass(frozen=True, slots=True)
class StoredFormat:
    """How weights are quantised in their files. `name` is short, as it stands in a variant: `nf4`, `fp8`."""

    name: str
    method: str
    file: str
    """Where it says so."""
    settings: Mapping[str, Any]
    """As the file has them, with the method."""


def stored_format(folder: Path) -> StoredFormat | None:
    """The format of a folder's weights; None where they are not quantised.

    Raises Unavailable where the configuration cannot be read.
    """
    file = folder / "config.json"
    try:
        config = json.loads(read_bytes(file))
    except (OSError, ValueError) as error:
        raise Unavailable(f"config.json in {folder} is damaged", "copy the whole model again") from error
    if (known := format_of(config)) is not None:
        return known
    others = [name for name in OTHER_FILES if (folder / name).is_file()]
    return StoredFormat(OTHER_FILES[others[0]], "", others[0], {}) if others else None


def format_of(config: object) -> StoredFormat | None:
    """The format that a `config.json` names; None where it names none.

    Raises Unavailable where a key has another type than it must.
    """
    try:
        parsed = _Config.model_validate(config)
        settings = parsed.settings() or parsed.text_config.settings()
        if settings is None:
            return None
        keys = _Quantization.model_validate(settings)
    except ValidationError as error:
        key = ".".join(map(str, error.errors()[0]["loc"])) or "its content"
        raise Unavailable(f"config.json is damaged at {key}", "copy the whole model again") from error
    method = "bitsandbytes" if keys.load_in_8bit or keys.load_in_4bit else keys.quant_method
    return StoredFormat(_name(method, keys), method, "config.json", settings | {"quant_method": method})


def _name(method: str, keys: _Quantization) -> str:
    if method == "bitsandbytes" and keys.load_in_8bit:
        return "int8"
    if method == "bitsandbytes" and keys.load_in_4bit:
        return keys.bnb_4bit_quant_type
    words = [method or "unknown", keys.format] if method == "compressed-tensors" else [method or "unknown"]
    return "-".join(filter(None, words))


def check_stored(stored: StoredFormat | None) -> None:
    """Raises Unavailable where no engine reads the format, or the package that it needs is missing."""
    if stored is None:
        return
    reason = f"{stored.file} says that the weights are quantised by {stored.method or stored.name}"
    if stored.name == "bitsandbytes":
        reason = f"{reason}, and has neither load_in_8bit nor load_in_4bit"
        raise Unavailable(reason, "copy config.json again, or use the unquantised weights")
    packages = PACKAGES.get(stored.method)
    if packages is None:
        raise Unavailable(f"{reason}, which cannot be loaded", "use the unquantised weights, or a GGUF file")
    if missing := [name for name in packages if find_spec(name.replace("-", "_")) is None]:
        raise Unavailable(f"{reason}, which needs another package", f"pip install {' '.join(missing)}")


def check_not_quantised_twice(name: str, quantize: str) -> None:
    """Raises Unavailable where `quantize` asks to quantise weights that are stored in the format `name`."""
    if name and quantize != "none":
        reason = f"config.json says that the weights are quantised already ({name})"
        raise Unavailable(reason, "leave --quantize out, or name the unquantised weights in the card")
