"""The header of a GGUF file: what it says of the model, and whether the file is whole.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. The package gguf reads it too, and
takes seconds for a vocabulary of 100,000 tokens, because it keeps every token; here they are skipped.
"""

import mmap
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import Unavailable
from bench.plain_files import opened

_COPY = "copy or download the file again"
_SIZES = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""GGUF's numbers of types with a fixed size, and the letters of `struct` for them."""
_TEXT, _ARRAY = 8, 9
_ALIGNMENT = 32
_PART = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$")


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """`format` is how most weights are quantised ("Q4_K_M"), and `bits` what a weight takes on average."""

    architecture: str
    format: str
    bits: float
    context: int | None
    has_tokenizer: bool


class _Damaged(Exception):
    """Why a file is not a whole GGUF file."""


def parts_of(path: Path) -> list[Path]:
    """All files of a model that is split into several, the first of which is `path`; else `path` alone."""
    match = _PART.search(path.name)
    if not match:
        return [path]
    stem, count = path.name[: match.start()], int(match[2])
    return [path.with_name(f"{stem}-{number:05}-of-{count:05}.gguf") for number in range(1, count + 1)]


def read_header(path: Path) -> GgufHeader:
    """The header of a GGUF file, split or not.

    Raises Unavailable where a file is missing, is no GGUF file or is cut off.
    """
    values: dict[str, Any] = {}
    elements: dict[str, int] = {}
    sizes: dict[str, int] = {}
    for part in parts_of(path):
        try:
            own = _read(part, elements, sizes)
        except OSError as error:
            reason = f"{part} cannot be read: {error.strerror}"
            raise Unavailable(reason, "correct the card's source") from error
        except (_Damaged, struct.error, UnicodeDecodeError, ValueError) as error:
            why = str(error) if isinstance(error, _Damaged) else "its header is damaged or cut off"
            raise Unavailable(f"{part.name} is not a whole GGUF file: {why}", _COPY) from error
        values = own | values
    architecture = str(values.get("general.architecture", ""))
    return GgufHeader(
        architecture=architecture,
        format=_format(values, sizes),
        bits=8 * sum(sizes.values()) / max(1, sum(elements.values())),
        context=values.get(f"{architecture}.context_length"),
        has_tokenizer=values.get("tokenizer.ggml.model", "no_vocab") not in ("no_vocab", "none"),
    )


class _Bytes:
    """Reads a file's bytes in order; raises struct.error beyond its end."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.at = 0

    def number(self, letter: str) -> Any:
        [value] = struct.unpack_from(f"<{letter}", self.data, self.at)
        self.at += struct.calcsize(f"<{letter}")
        return value

    def text(self) -> str:
        size = self.number("Q")
        text = self.data[self.at : self.at + size].decode()
        self.skip(size)
        return text

    def skip(self, size: int) -> None:
        self.at += size
        if self.at > len(self.data):
            raise _Damaged("its header is cut off")

    def value(self, kind: int) -> Any:
        """A value of the header; None for an array, which is skipped."""
        if kind in _SIZES:
            return self.number(_SIZES[kind])
        if kind == _TEXT:
            return self.text()
        if kind != _ARRAY:
            raise _Damaged(f"its header has a value of an unknown type, {kind}")
        inner, count = self.number("I"), self.number("Q")
        if inner in _SIZES:
            self.skip(count * struct.calcsize(f"<{_SIZES[inner]}"))
        elif inner == _TEXT:
            for _ in range(count):
                self.skip(self.number("Q"))
        else:
            raise _Damaged(f"its header has an array of an unknown type, {inner}")
        return None


def _read(path: Path, elements: dict[str, int], sizes: dict[str, int]) -> dict[str, Any]:
    """The values of a file's header. Adds its tensors' numbers and bytes to `elements` and `sizes`."""
    with opened(path) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:4] != b"GGUF":
            raise _Damaged("it does not begin with GGUF")
        stream = _Bytes(data)
        stream.skip(4)
        if (version := stream.number("I")) not in (2, 3):
            raise _Damaged(f"it is of version {version}, and only 2 and 3 can be read")
        tensors, keys = stream.number("Q"), stream.number("Q")
        values = {stream.text(): stream.value(stream.number("I")) for _ in range(keys)}
        end = max((_tensor(stream, elements, sizes) for _ in range(tensors)), default=0)
        alignment = int(values.get("general.alignment", _ALIGNMENT))
        if alignment < 1:
            raise _Damaged(f"its data are aligned to {alignment} bytes")
        start = -(-stream.at // alignment) * alignment
        if start + end > len(data):
            raise _Damaged(f"it has {len(data)} of {start + end} bytes")
        return values


def _tensor(stream: _Bytes, elements: dict[str, int], sizes: dict[str, int]) -> int:
    """Add a tensor's numbers and bytes; returns where it ends in the file's data."""
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

    stream.text()
    count = 1
    for _ in range(stream.number("I")):
        count *= stream.number("Q")
    kind = GGMLQuantizationType(stream.number("I"))
    block, bytes_each = GGML_QUANT_SIZES[kind]
    size = count // block * bytes_each
    elements[kind.name] = elements.get(kind.name, 0) + count
    sizes[kind.name] = sizes.get(kind.name, 0) + size
    return stream.number("Q") + size


def _format(values: Mapping[str, Any], sizes: Mapping[str, int]) -> str:
    """The format that the header names, else that of most bytes."""
    from gguf.constants import LlamaFileType

    try:
        name = LlamaFileType(values.get("general.file_type")).name
    except ValueError:
        name = "GUESSED"
    if name == "GUESSED":
        return max(sizes, key=lambda kind: sizes[kind], default="unknown")
    return name.removeprefix("MOSTLY_").removeprefix("ALL_")
