"""Copies of runs without the words of their questions: what may be published of data that may not."""

from collections.abc import Iterator
from pathlib import Path

from bench.errors import FileError, UsageError
from bench.results.result import DoneResult
from bench.results.store import Run, begin, digest, existing, find_run, read_runs, records_bytes, write_run


def strip(results: Path, out: Path, task: str | None = None) -> Iterator[str]:
    """Copy finished runs, of that task alone if one is named, and say what became of each.

    Ids, letters, scores and numbers stay; questions, options, prompts and replies go. A run that is
    in the other folder already stays as it is there.
    """
    if out.resolve() == existing(results).resolve():
        raise UsageError(f"{out} holds the runs themselves; give --out another folder")
    if out.exists() and not _takes_runs(out):
        raise UsageError(f"{out} holds no runs; give --out an empty, a new or a results folder")
    for run in read_runs(results):
        if isinstance(run, FileError):
            yield f"left out: {run}"
        elif task in (None, run.result.task.name):
            yield _copy(run, out)


def _copy(run: Run, out: Path) -> str:
    if not isinstance(run.result, DoneResult):
        return f"left out: {run.folder}: it failed"
    if find_run(out, run.folder, run.result.cell.id):
        return f"there already: {out / run.folder}"
    begin(out)
    data = records_bytes([record.without_texts() for record in run.records])
    changed = {"texts": "answers", "records_sha256": digest(data)}
    write_run(out, run.folder, run.result.model_copy(update=changed), data)
    return f"copied: {out / run.folder}"


def _takes_runs(out: Path) -> bool:
    """Whether nothing else is there than runs, if anything."""
    return out.is_dir() and (not any(out.iterdir()) or any(out.rglob("result.json")))
