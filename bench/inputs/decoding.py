"""The bytes of a file of rows -> its text, or what the file is instead."""

import codecs
from pathlib import Path

from bench.errors import FileError, Mistake
from bench.folders import display

_NO_TEXT = {
    b"\x1f\x8b": "is compressed with gzip; end its name with .gz",
    b"PK\x03\x04": "is an Excel workbook or a zip archive; save the sheet as CSV, or end the name with .zip",
    b"\x28\xb5\x2f\xfd": "is compressed with Zstandard, which is not read; compress it with gzip",
    b"PAR1": "is Parquet; end its name with .parquet",
}
"""What the first bytes of a file say of one whose name says that it is text."""


def unreadable(path: Path, text: str, line: int = 0) -> FileError:
    """The error of a file that as a whole cannot be read."""
    return FileError([Mistake(display(path), line, "", text)])


def decoded(path: Path, data: bytes, encoding: str) -> str:
    """The text of a file; raises a FileError where it is not in the encoding."""
    for start, what in _NO_TEXT.items():
        if data.startswith(start):
            raise unreadable(path, what)
    if _is_plain(data, encoding):
        raise unreadable(path, f"is UTF-8, not {encoding}; write data.encoding: utf-8, or leave it out", 1)
    start = 0
    try:
        text = data.decode(encoding).removeprefix("\ufeff")
        if "\0" not in text[:2]:
            return text
    except UnicodeError as error:
        start = error.start if isinstance(error, UnicodeDecodeError) else 0
    if other := _utf16(data):
        raise unreadable(path, f"not {encoding}: it begins as UTF-16 does; write data.encoding: {other}", 1)
    text = (
        f"byte {start:,} of the file is not {encoding}; write the file's own encoding as data.encoding, "
        "such as latin-1 or cp1252, or save the file as UTF-8"
    )
    raise unreadable(path, text, data.count(b"\n", 0, start) + 1)


def _is_plain(data: bytes, encoding: str) -> bool:
    """Whether a file that should be UTF-16 or UTF-32 is UTF-8: it has no zero byte, which those have."""
    if not codecs.lookup(encoding).name.startswith(("utf-16", "utf-32")) or not data or b"\0" in data:
        return False
    try:
        data.decode()
    except UnicodeError:
        return False
    return True


def _utf16(data: bytes) -> str | None:
    """The encoding of a file that begins with the mark of UTF-16, or with every second byte 0."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    if data[:1] == b"\0":
        return "utf-16-be"
    return "utf-16-le" if data[1:2] == b"\0" else None
