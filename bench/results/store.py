"""Files in `results/`: written whole or not at all, read by one reader."""

import errno
import hashlib
import json
import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, cast

from filelock import FileLock
from pydantic import ValidationError

from bench.errors import BenchError, FileError, Mistake, UsageError
from bench.folders import display
from bench.results.integrity import check_records
from bench.results.result import RESULT, SCHEMA_VERSION, DoneResult, Result, Unsuccessful
from bench.results.upgrade import upgraded, upgraded_record
from bench.scoring.metrics import installed_metrics, measure
from bench.scoring.record import Record


@dataclass(frozen=True, slots=True)
class Run:
    """A run on disk; `folder` is relative to the results folder."""

    folder: Path
    result: Result
    records: tuple[Record, ...]


LOCKS = ".locks"
"""In the results folder: a lock a cell that some process works on."""
_EVERYWHERE = {
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENOENT, errno.ESTALE, errno.ENOTCONN
}  # fmt: skip


def existing(results: Path) -> Path:
    """The folder, for what only reads it; raises a UsageError where there is none."""
    if not results.is_dir():
        raise UsageError(f"there is no results folder {results}: run 'bench run' first, or give --results")
    return results


class StoreError(BenchError):
    """A file cannot be written; `everywhere` says that no other cell's could be either."""

    def __init__(self, message: str, *, everywhere: bool = True) -> None:
        super().__init__(message)
        self.everywhere = everywhere


@contextmanager
def writing(where: Path) -> Generator[None]:
    """Within, an OSError is a StoreError that says where and what to do."""
    try:
        yield
    except OSError as error:
        remedy = "make room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "mend that"
        text = (
            f"{where} cannot be written: {error.strerror}; what was kept before is whole: "
            f"{remedy}, and the same command goes on"
        )
        raise StoreError(text, everywhere=error.errno in _EVERYWHERE) from error


def check_writable(results: Path) -> None:
    """Fail before anything is computed where nothing could be kept."""
    try:
        results.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=results):
            pass
    except OSError as error:
        text = (
            f"the results folder {results} cannot be written: {error.strerror}; give another with --results"
        )
        raise UsageError(text) from error


def begin(results: Path) -> None:
    """Make the results folder ready for cells; they do not make it themselves, in case it vanishes."""
    check_writable(results)
    with writing(results):
        (results / LOCKS).mkdir(exist_ok=True)


def records_bytes(records: Sequence[Record]) -> bytes:
    return b"".join(record.model_dump_json().encode() + b"\n" for record in records)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def write_run(
    results: Path,
    folder: Path,
    result: Result,
    records: bytes | None,
    *,
    unless: Callable[[], bool] | None = None,
) -> None:
    """Records and the summary that vouches for them, as one step for other sweeps' eyes.

    Nothing is written if `unless` holds when it is this sweep's turn.
    """
    with writing(results / folder):
        make_folder(results, folder)
        with FileLock(results / ".lock"):
            if unless is None or not unless():
                files = {"result.json": result.model_dump_json(indent=1).encode() + b"\n"}
                files = files if records is None else {"records.jsonl": records} | files
                whole({results / folder / name: data for name, data in files.items()})


def rewrite(results: Path, folder: Path, result: DoneResult) -> None:
    """Replace the summary of a run, if its records are still those that it is made from."""

    def changed() -> bool:
        now = read_result(results / folder / "result.json")
        return not isinstance(now, DoneResult) or now.records_sha256 != result.records_sha256

    write_run(results, folder, result, None, unless=changed)


def make_folder(results: Path, folder: Path) -> None:
    """A run's folder; the results folder itself is made where a sweep begins, and may not vanish since."""
    if not results.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(results))
    (results / folder).mkdir(parents=True, exist_ok=True)


def whole(files: Mapping[Path, bytes]) -> None:
    """Write files so that a reader finds all of each, or the ones before; none if one does not fit."""
    unfinished = {path: path.with_name(f".{path.name}.{os.getpid()}") for path in files}
    try:
        for path, data in files.items():
            with unfinished[path].open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
        for path, written in unfinished.items():
            written.replace(path)
    finally:
        for written in unfinished.values():
            written.unlink(missing_ok=True)


def find_run(results: Path, folder: Path, cell_id: str) -> Run | None:
    """The finished run of that cell; None where there is none, or it is damaged.

    Raises a FileError where a newer version wrote it: that is not ours to write over.
    """
    path = results / folder / "result.json"
    if not path.is_file():
        return None
    try:
        run = read_run(results, path)
    except NewerFile:
        raise
    except FileError:
        return None
    same = isinstance(run.result, DoneResult) and run.result.cell.id == cell_id
    return run if run.records and same else None


def forget_failure(results: Path, folder: Path) -> None:
    """Remove a failure that no run will take the place of; anything else stays."""
    path = results / folder / "result.json"
    if path.is_file():
        with suppress(FileError, OSError):
            if isinstance(read_result(path), Unsuccessful):
                path.unlink()
                path.parent.rmdir()


class NewerFile(FileError):
    """A file of a schema that this version does not know."""


def check_not_newer(path: Path, *, first_line: bool = False) -> None:
    """Raises NewerFile; a file that is missing or damaged is no reason not to run."""
    try:
        data = path.read_bytes()
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


def read_results(results: Path) -> Iterator[DoneResult]:
    """The summaries of finished runs as they stand, without their records."""
    for path in sorted(results.rglob("result.json")):
        with suppress(FileError):
            result = read_result(path)
            if isinstance(result, DoneResult):
                yield result


def read_result(path: Path) -> Result:
    """One result file; raises a FileError that says what is wrong with which file."""
    file = display(path)
    try:
        raw: object = json.loads(path.read_bytes())
        json.dumps(raw, ensure_ascii=False).encode()  # half a character, as \ud800 is one, is in no text
    except OSError as error:
        raise FileError([Mistake(file, 0, "", error.strerror or "unreadable")]) from error
    except (ValueError, RecursionError) as error:
        raise FileError([Mistake(file, 0, "", f"not JSON: {error}")]) from error
    _check_version(raw, file)
    try:
        return RESULT.validate_python(
            upgraded(cast("dict[str, Any]", raw)) if isinstance(raw, dict) else raw, strict=False
        )
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise FileError([Mistake(file, 0, key, f"not a result file: {first['msg']}")]) from error
    except (KeyError, TypeError, AttributeError) as error:  # met by the upgrade of an older file
        raise FileError([Mistake(file, 0, "", f"not a result file: {error!r}")]) from error


def read_records(path: Path, result: DoneResult) -> tuple[Record, ...]:
    """The records that the summary vouches for; raises a FileError when they are not those."""
    data = vouched(path, result.records_sha256)
    try:
        records = tuple(Record.model_validate_json(line) for line in data.splitlines())
    except ValidationError as error:
        text = f"not a record: {error.errors()[0]['msg']}"
        raise FileError([Mistake(display(path), 0, "", text)]) from error
    view = result.cell.task.view
    if not result.cell.model.is_baseline or view not in result.metrics.views:
        return records
    return tuple(upgraded_record(record, view) for record in records)


def vouched(path: Path, expected_sha256: str) -> bytes:
    """The bytes of the records, unread; raises a FileError when they are not those of the summary."""
    file = display(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FileError([Mistake(file, 0, "", error.strerror or "unreadable")]) from error
    if digest(data) != expected_sha256:
        text = "not the records that result.json was made from; run the cell again"
        raise FileError([Mistake(file, 0, "", text)])
    return data


def read_runs(results: Path) -> Iterator[Run | FileError]:
    """Every run below the folder, sorted by path; a damaged one comes as its error."""
    for path in sorted(results.rglob("result.json")):
        try:
            yield read_run(results, path)
        except FileError as error:
            yield error


def read_run(results: Path, path: Path) -> Run:
    """The run of a `result.json`; raises a FileError where its files are not what they should be."""
    result = read_result(path)
    folder = path.parent.relative_to(results)
    if not isinstance(result, DoneResult):
        return Run(folder, result, ())
    records = read_records(path.parent / "records.jsonl", result)
    check_records(result, records, path)
    if not result.metrics.statuses:  # of an older version
        metrics = measure(records, installed_metrics(result.metrics.values))
        result = result.model_copy(update={"metrics": metrics})
    return Run(folder, result, records)
