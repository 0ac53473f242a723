"""The files of a run, read one by one: of this or an older version, whole and unchanged, or not at all."""

import hashlib
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from bench.errors import FileError, Mistake
from bench.folders import display
from bench.plain_files import LARGE, lines, read_bytes
from bench.results.result import RESULT, DoneResult, Result
from bench.results.summary import read_summary
from bench.results.upgrade import upgrade_record, upgrade_result
from bench.scoring.record import Record

PROBED = "probes.jsonl"
"""The records of changed questions, beside `records.jsonl`."""


def digest(data: bytes) -> str:
    """SHA-256, hex."""
    return hashlib.sha256(data).hexdigest()


def read_result(path: Path) -> Result:
    """Read a result file of this or an older version; raises a FileError where it is not valid."""
    file, raw = display(path), read_summary(path)
    try:
        return RESULT.validate_python(
            upgrade_result(cast("dict[str, Any]", raw)) if isinstance(raw, dict) else raw, strict=False
        )
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise FileError([Mistake(file, 0, key, f"not a result file: {first['msg']}")]) from error
    except (KeyError, TypeError, AttributeError) as error:  # from upgrading an older file
        raise FileError([Mistake(file, 0, "", f"not a result file: {error!r}")]) from error


def read_records(path: Path, result: DoneResult) -> tuple[Record, ...]:
    """The records of a finished run; raises a FileError when they are not those of its summary."""
    records = _records(path, result.records_sha256)
    view = result.cell.task.view
    if not result.cell.model.is_baseline or view not in result.metrics.views:
        return records
    return tuple(upgrade_record(record, view) for record in records)


def read_probed(folder: Path, result: DoneResult) -> tuple[Record, ...]:
    """The records of a run's changed questions; raises a FileError when they are not those of its summary."""
    if result.probes is None or not result.probes.records_sha256:
        return ()
    return _records(folder / PROBED, result.probes.records_sha256)


def _records(path: Path, expected_sha256: str) -> tuple[Record, ...]:
    data = read_verified(path, expected_sha256)
    try:
        return tuple(Record.model_validate_json(line) for line in lines(data))
    except ValidationError as error:
        text = f"not a record: {error.errors()[0]['msg']}"
        raise FileError([Mistake(display(path), 0, "", text)]) from error


def read_verified(path: Path, expected_sha256: str) -> bytes:
    """The contents of a file of records; raises a FileError when their digest is another."""
    file = display(path)
    try:
        data = read_bytes(path, LARGE)
    except OSError as error:
        raise FileError([Mistake(file, 0, "", error.strerror or "unreadable")]) from error
    if digest(data) != expected_sha256:
        text = "not the records that result.json was made from; run the cell again"
        raise FileError([Mistake(file, 0, "", text)])
    return data
