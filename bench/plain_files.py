"""Opening files that this program did not just write: regular ones only, and none above a stated size.

A FIFO would make the reader wait for ever, and a device would never end. Every error is an OSError whose
`strerror` can be shown. A test looks that files are opened here.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import AnyStr

SMALL = 64 * 2**20
"""Bytes: for what people write, such as a task or a card, and for summaries and settings."""
LARGE = 4 * 2**30
"""Bytes: for questions and their records, which are held in memory."""
WEIGHTS = 2**39
"""Bytes: for weights, which are read in parts. No small model comes near half a terabyte."""
_PART = 2**20
"""Bytes that are read at once where a file states no size, or is not kept."""
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
"""Without O_NONBLOCK, opening a FIFO would wait for a writer."""


@contextmanager
def opened(path: Path, most: int | None = None) -> Generator[BufferedReader]:
    """The file, open to read bytes; raises an OSError unless it is a regular file of at most `most` bytes."""
    try:
        descriptor = os.open(path, _FLAGS)
    except ValueError as error:
        raise OSError(errno.EINVAL, "not a name that a file can have", str(path)) from error
    try:
        _check(os.fstat(descriptor), path, most)
    except OSError:
        os.close(descriptor)
        raise
    with os.fdopen(descriptor, "rb") as stream:
        yield stream


def _check(state: os.stat_result, path: Path, most: int | None) -> None:
    if not stat.S_ISREG(state.st_mode):
        kind = _KINDS.get(stat.S_IFMT(state.st_mode), "something else")
        raise OSError(errno.EINVAL, f"{kind}, not a regular file", str(path))
    if most is not None and state.st_size > most:
        text = f"too large: {state.st_size:,} bytes, and at most {most:,} are read"
        raise OSError(errno.EFBIG, text, str(path))


def read_bytes(path: Path, most: int = SMALL) -> bytes:
    """What is in the file; raises as `opened` does."""
    with opened(path, most) as stream:
        return b"".join(_parts(stream, path, most, os.fstat(stream.fileno()).st_size + 1))


def sha256(path: Path) -> bytes:
    """The digest of a file of any size that a model has; raises as `opened` does."""
    digest = hashlib.sha256()
    with opened(path, WEIGHTS) as stream:
        for part in _parts(stream, path, WEIGHTS, _PART):
            digest.update(part)
    return digest.digest()


def _parts(stream: BufferedReader, path: Path, most: int, each: int) -> Iterator[bytes]:
    """What is in the file, some `each` bytes at a time; raises an OSError after `most`.

    The size that the system states is not enough: a file may grow while it is read, and in /proc it is 0.
    """
    left = most
    while part := stream.read(min(max(each, _PART), left + 1)):
        left -= len(part)
        if left < 0:
            raise OSError(errno.EFBIG, f"too large: at most {most:,} bytes are read", str(path))
        yield part


def read_text(path: Path, most: int = SMALL, encoding: str = "utf-8") -> str:
    """The text in the file; raises as `opened` does, and a UnicodeDecodeError."""
    text = read_bytes(path, most).decode(encoding)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def lines(text: AnyStr) -> list[AnyStr]:
    """The lines of a text without their ends: line feeds alone, as in a file that is read line by line.

    `splitlines` also ends lines at carriage returns and, in text, at eight others that JSON may hold.
    """
    if isinstance(text, str):
        return _ended(text.split("\n"))
    return _ended(text.split(b"\n"))


def _ended(parts: list[AnyStr]) -> list[AnyStr]:
    return parts if parts[-1] else parts[:-1]


def real(path: Path) -> Path:
    """The path without symbolic links and dots; of a loop of links, the path as far as it can be followed."""
    return Path(os.path.realpath(path))


def is_there(path: Path) -> bool:
    """Whether anything has this name, also what cannot be read, such as a FIFO or a broken link."""
    return os.path.lexists(path)
