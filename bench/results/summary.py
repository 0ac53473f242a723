"""The bytes of a summary, such as `result.json`, with a digest of its own.

The last key, `summary_sha256`, is the SHA-256 (hex) of all other keys as JSON with sorted keys, no spaces and
no escapes. So a word that was changed by hand is noticed, also where no other check reads it. Files of schema
6 and older have none.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel

from bench.errors import FileError, Mistake
from bench.folders import display
from bench.plain_files import LARGE, read_bytes
from bench.results.result import SCHEMA_VERSION

KEY = "summary_sha256"
SEALED_SINCE = 7
"""The first schema whose summaries have a digest."""


class NewerFile(FileError):
    """A file with a newer schema than this version knows."""


def check_not_newer(path: Path, *, first_line: bool = False) -> None:
    """Raises a NewerFile for a newer schema; a missing or damaged file passes."""
    try:
        data = read_bytes(path, LARGE)
        raw: object = json.loads(data.partition(b"\n")[0] if first_line else data)
    except (OSError, ValueError, RecursionError):
        return
    _check_version(raw, display(path))


def _check_version(raw: object, file: str) -> None:
    version = cast("dict[str, object]", raw).get("schema_version") if isinstance(raw, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        schemas = f"schema {version}, this one reads {SCHEMA_VERSION}"
        text = f"written by a newer version ({schemas}); update SLM Bench"
        raise NewerFile([Mistake(file, 0, "schema_version", text)])


def _not_finite(raw: object, key: str = "") -> Iterator[tuple[str, float]]:
    """The numbers that no figure can be, such as NaN or 1e999, with their keys."""
    parts: Iterable[tuple[object, object]] = ()
    match raw:
        case dict():
            parts = cast("dict[object, object]", raw).items()
        case list():
            parts = enumerate(cast("list[object]", raw))
        case float() if not math.isfinite(raw):
            yield key, raw
        case _:
            pass
    for name, part in parts:
        yield from _not_finite(part, f"{key}.{name}" if key else str(name))


def read_summary(path: Path) -> object:
    """What the JSON of a summary holds without its digest.

    Raises a FileError where it cannot be read, is newer than this version, or was changed since.
    """
    file = display(path)
    try:
        raw: object = json.loads(read_bytes(path))
        wrong = next(_not_finite(raw), None)
        json.dumps(raw, ensure_ascii=False).encode()  # refuses lone surrogates, such as \ud800
    except OSError as error:
        raise FileError([Mistake(file, 0, "", error.strerror or "unreadable")]) from error
    except (ValueError, RecursionError) as error:
        raise FileError([Mistake(file, 0, "", f"not JSON: {error}")]) from error
    if wrong:
        key, value = wrong
        raise FileError([Mistake(file, 0, key, f"not a result file: {value} is not a finite number")])
    _check_version(raw, file)
    return _unsealed(raw, file)


def digest_of(raw: Mapping[str, Any]) -> str:
    """The digest of a summary as it was read from JSON."""
    content = {key: value for key, value in raw.items() if key != KEY}
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def summary_bytes(summary: BaseModel) -> bytes:
    """The summary as indented JSON, its digest last."""
    text = summary.model_dump_json(indent=1)
    return f'{text.removesuffix("}").rstrip()},\n "{KEY}": "{digest_of(json.loads(text))}"\n}}\n'.encode()


def is_sealed(path: Path) -> bool:
    """Whether a summary that can be read has a digest."""
    raw = json.loads(read_bytes(path))
    return isinstance(raw, dict) and KEY in raw


def _unsealed(raw: object, file: str) -> object:
    """A summary without its digest; raises a FileError where that is wrong or missing."""
    if not isinstance(raw, dict):
        return raw
    content = cast("dict[str, Any]", raw)
    version = content.get("schema_version")
    if isinstance(version, int) and version < SEALED_SINCE:
        return content
    if content.get(KEY) != digest_of(content):
        text = "not the digest of this file: it was changed after it was written; restore it, or run it again"
        raise FileError([Mistake(file, 0, KEY, text)])
    return {key: value for key, value in content.items() if key != KEY}
