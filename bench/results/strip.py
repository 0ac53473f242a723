"""Copying runs without their texts, to publish runs on data that may not be published."""

from collections.abc import Iterator
from pathlib import Path

from bench.errors import FileError, UsageError
from bench.plain_files import real
from bench.results.contamination import FOLDER, file_of, read_tests, save
from bench.results.files import digest
from bench.results.result import DoneResult
from bench.results.store import Run, begin, existing, find_run, read_runs, records_bytes, write_run


def strip(results: Path, out: Path, task: str | None = None) -> Iterator[str]:
    """Copy finished runs, or those of one task; yields a line for each run with what was done.

    Ids, letters, scores and numbers are copied; questions, options, prompts and replies are not. A run
    that `out` already has is left alone. Raises a UsageError where `out` is not a folder for runs.
    """
    if real(out) == real(existing(results)):
        raise UsageError(f"{out} is the results folder itself; give --out another folder")
    if out.exists() and not _is_for_runs(out):
        raise UsageError(f"{out} holds no runs; give --out an empty, a new or a results folder")
    for run in read_runs(results):
        if isinstance(run, FileError):
            yield f"left out: {run}"
        elif task in (None, run.result.task.name):
            yield _copy(run, out)
    yield from _copied_tests(results, out, task)


def _copy(run: Run, out: Path) -> str:
    if not isinstance(run.result, DoneResult):
        return f"left out: {run.folder}: it failed"
    if find_run(out, run.folder, run.result.cell.id):
        return f"there already: {out / run.folder}"
    begin(out)
    data = records_bytes([record.without_texts() for record in run.records])
    changed: dict[str, object] = {"texts": "answers", "records_sha256": digest(data)}
    probed = None
    if run.result.probes is not None and run.probed:
        probed = records_bytes([record.without_texts() for record in run.probed])
        changed["probes"] = run.result.probes.model_copy(update={"records_sha256": digest(probed)})
    write_run(out, run.folder, run.result.model_copy(update=changed), data, probed)
    return f"copied: {out / run.folder}"


def _copied_tests(results: Path, out: Path, task: str | None) -> Iterator[str]:
    """Copy tests of the published order, which have no texts, unless they are there."""
    for test in read_tests(results):
        if isinstance(test, FileError):
            yield f"left out: {test}"
        elif task in (None, test.cell.task.name):
            begin(out)
            there = file_of(out, test).is_file()
            path = file_of(out, test) if there else save(out, test)
            yield f"{'there already' if there else 'copied'}: {path}"


def _is_for_runs(out: Path) -> bool:
    """Whether a folder is empty or holds a run or a test of the published order."""
    has_any = any(out.rglob("result.json")) or (out / FOLDER).is_dir()
    return out.is_dir() and (not any(out.iterdir()) or has_any)
