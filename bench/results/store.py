"""Reading and writing the files of runs; each is written as a whole or not at all."""

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.errors import FileError, UsageError, shown_trace
from bench.results.files import PROBED, read_probed, read_records, read_result
from bench.results.identity import summary_in
from bench.results.integrity import check_place, check_records
from bench.results.mirrored import forget, mirror_of, send
from bench.results.result import DoneResult, Result, Unsuccessful
from bench.results.summary import NewerFile, summary_bytes
from bench.results.whole import write_whole, writing
from bench.scoring.metrics import installed_metrics, measure
from bench.scoring.record import Record


@dataclass(frozen=True, slots=True)
class Run:
    """A run on disk; `folder` is relative to the results folder.

    `probed` are the records of changed questions.
    """

    folder: Path
    result: Result
    records: tuple[Record, ...]
    probed: tuple[Record, ...] = ()


LOCKS = ".locks"
"""Folder in the results folder, with a lock for each cell that a process works on."""


def existing(results: Path) -> Path:
    """The results folder, to read from; raises a UsageError where it does not exist."""
    if not results.is_dir():
        raise UsageError(f"there is no results folder {results}: run 'bench run' first, or give --results")
    return results


def check_writable(results: Path) -> None:
    """Raises an error where the results folder cannot be written, before anything is computed.

    A UsageError, or a StoreError for the store of a mirror.
    """
    _check_folder(results)
    if mirror := mirror_of(results):
        mirror.check_writable()


def _check_folder(results: Path) -> None:
    from tempfile import TemporaryFile

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
    """Create the results folder and its locks. Cells never create it, so one that vanishes is noticed.

    Raises a UsageError or a StoreError where that cannot be done.
    """
    _check_folder(results)
    with writing(results):
        (results / LOCKS).mkdir(exist_ok=True)


def records_bytes(records: Sequence[Record]) -> bytes:
    """The contents of `records.jsonl`."""
    return b"".join(record.model_dump_json().encode() + b"\n" for record in records)


def write_run(
    results: Path,
    folder: Path,
    result: Result,
    records: bytes | None,
    probed: bytes | None = None,
    *,
    unless: Callable[[], bool] | None = None,
) -> None:
    """Write the summary, and the records if any, under a lock that other sweeps wait for.

    `probed` are the records of changed questions; those of an earlier run go with its records. Nothing is
    written if `unless()`, called with the lock, is true. What a mirror gets is sent. Raises a StoreError.
    """
    from filelock import FileLock

    with writing(results / folder):
        make_folder(results, folder)
        with FileLock(results / ".lock"):
            if unless is None or not unless():
                _remove_unfinished(results / folder)
                summary = summary_bytes(result)
                files = {"records.jsonl": records, PROBED: probed, summary_in(folder).name: summary}
                write_whole({results / folder / name: data for name, data in files.items() if data})
                if records and not probed and getattr(result, "probes", None) is None:
                    (results / folder / PROBED).unlink(missing_ok=True)
    send(results, summary_in(folder))


def rewrite(results: Path, folder: Path, result: DoneResult, probed: bytes | None = None) -> None:
    """Replace the summary of a run, and the records of its probes where they are given.

    Nothing is written where its records have changed since. Raises a StoreError.
    """

    def changed() -> bool:
        now = read_result(summary_in(results / folder))
        return not isinstance(now, DoneResult) or now.records_sha256 != result.records_sha256

    write_run(results, folder, result, None, probed, unless=changed)


def make_folder(results: Path, folder: Path) -> None:
    """Create a run's folder; raises FileNotFoundError where the results folder has vanished."""
    if not results.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(results))
    (results / folder).mkdir(parents=True, exist_ok=True)


def keep_trace(path: Path, trace: str) -> str:
    """Write a traceback beside what it concerns; returns the end of a message that names it, "" for none."""
    if not trace:
        return ""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole({path: shown_trace(trace).encode()})
        return f"; the traceback is in {path}"
    return ""


def _remove_unfinished(folder: Path) -> None:
    """Remove what a process that was killed in `write_whole` left; call it with the lock."""
    for path in folder.glob(".*.json*.*"):
        path.unlink()


def find_run(results: Path, folder: Path, cell_id: str) -> Run | None:
    """The finished run of a cell, or part of one; None where there is none, or it is damaged.

    Raises a NewerFile where a newer version wrote it, because it must not be overwritten.
    """
    path = summary_in(results / folder)
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
    """Remove the run in the folder if it failed, as no other run would replace it."""
    path = results / folder / "result.json"
    if path.is_file():
        with suppress(FileError, OSError):
            if isinstance(read_result(path), Unsuccessful):
                path.unlink()
                forget(results, folder / "result.json")
                path.parent.rmdir()


def read_results(results: Path) -> Iterator[DoneResult]:
    """The summaries of finished runs, sorted by path; records are not read or checked."""
    for path in sorted(results.rglob("result.json")):
        with suppress(FileError):
            result = read_result(path)
            if isinstance(result, DoneResult):
                yield result


def read_runs(results: Path) -> Iterator[Run | FileError]:
    """Every run below the folder, sorted by path, with the FileError in place of a damaged one."""
    for path in sorted(results.rglob("result.json")):
        try:
            yield read_run(results, path)
        except FileError as error:
            yield error


def read_run(results: Path, path: Path) -> Run:
    """The run of a `result.json`; raises a FileError where it or its records are damaged, or they disagree.

    Where the records of its probes are damaged or missing, it is a run without probes: its own numbers hold.
    """
    result = read_result(path)
    folder = path.parent.relative_to(results)
    check_place(result, path)
    if not isinstance(result, DoneResult):
        return Run(folder, result, ())
    records = read_records(path.parent / "records.jsonl", result)
    check_records(result, records, path)
    if not result.metrics.statuses:  # older versions stored fewer metrics
        metrics = measure(records, installed_metrics(result.metrics.values))
        result = result.model_copy(update={"metrics": metrics})
    try:
        return Run(folder, result, records, read_probed(path.parent, result))
    except FileError:
        return Run(folder, result.model_copy(update={"probes": None}), records)
