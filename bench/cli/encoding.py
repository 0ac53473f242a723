"""What is printed where the terminal's encoding lacks a character, such as ASCII with `LC_ALL=POSIX`."""

import codecs
import io
import sys

PLAIN = {
    "\u202f": " ", "\u2212": "-", "\u2013": "-", "\u2026": "...",
    "\u2019": "'", "\u00d7": "x", "\u2192": "->",
}  # fmt: skip
"""Characters of our own messages, as ASCII writes them. Others become a question mark."""
_HANDLER = "slm-bench"


def print_any_text() -> None:
    """From now on no character that cannot be encoded ends the command; names of files keep their bytes."""
    codecs.register_error(_HANDLER, _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    """An error handler of `codecs` for one character."""
    assert isinstance(error, UnicodeEncodeError)
    character = error.object[error.start]
    if "\udc80" <= character <= "\udcff":  # a byte of a file's name that is not UTF-8
        return bytes([ord(character) - 0xDC00]), error.start + 1
    return PLAIN.get(character, "?"), error.start + 1
