"""Compressed files: what unpacks them, by the end of their names."""

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from bench.plain_files import LARGE


class _Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


def _unpacked(stream: _Stream) -> bytes:
    """What a stream unpacks, up to the size that is read: a small file can hold a thousand times its size."""
    data = stream.read(LARGE + 1)
    if len(data) > LARGE:
        raise ValueError(f"it holds more than {LARGE:,} bytes")
    return data


def _opened_by(kind: Callable[[Any], _Stream]) -> Callable[[bytes], bytes]:
    return lambda data: _unpacked(kind(io.BytesIO(data)))


def _only_file(data: bytes) -> bytes:
    """The file in a zip archive; folders and what macOS adds are none."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [n for n in archive.namelist() if not n.endswith("/") and not n.startswith("__MACOSX/")]
        if len(names) != 1:
            raise ValueError(f"the archive holds {len(names)} files; pack the one that is to be read")
        return _unpacked(archive.open(names[0]))


UNPACK: Mapping[str, Callable[[bytes], bytes]] = {
    ".gz": _opened_by(lambda stream: gzip.GzipFile(fileobj=stream)),
    ".bz2": _opened_by(bz2.BZ2File),
    ".xz": _opened_by(lzma.LZMAFile),
    ".zip": _only_file,
}
"""Each may raise errors of its own kind for what is not compressed in that way."""
