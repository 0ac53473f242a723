"""Compressed files: what unpacks them, by the end of their names."""

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable, Mapping


def _only_file(data: bytes) -> bytes:
    """The file in a zip archive; folders and what macOS adds are none."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [n for n in archive.namelist() if not n.endswith("/") and not n.startswith("__MACOSX/")]
        if len(names) != 1:
            raise ValueError(f"the archive holds {len(names)} files; pack the one that is to be read")
        return archive.read(names[0])


UNPACK: Mapping[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    ".xz": lzma.decompress,
    ".zip": _only_file,
}
"""Each may raise errors of its own kind for what is not compressed in that way."""
