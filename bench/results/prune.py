"""Selecting runs by what is wrong with them, and removing them."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Literal, get_args

from bench.results.check import Entry, entries
from bench.results.files import PROBED
from bench.results.identity import PARTS
from bench.results.journal import NAME, is_worked_on, lock_cell
from bench.results.mirrored import forget, forget_below
from bench.results.result import CellFacts
from bench.results.store import LOCKS
from bench.results.whole import writing

Kind = Literal["failed", "unfinished", "damaged", "partial", "outdated", "parts"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""`partial` runs have a limit; `outdated` ones an older version of task or engine than another run."""


def entries_of_kinds(results: Path, kinds: Iterable[Kind]) -> Iterator[Entry]:
    """The runs of any of the kinds, without those that a sweep works on now."""
    all_entries = list(entries(results))
    newest: dict[tuple[str, str], tuple[int, int]] = {}
    for entry in all_entries:
        if entry.done:
            cell = entry.done.cell
            newest[_series(cell)] = max(newest.get(_series(cell), (0, 0)), _version(cell))
    wanted = set(kinds)
    for entry in all_entries:
        if wanted & set(_kinds(entry, newest)) and not (entry.cell and is_worked_on(results, entry.cell.id)):
            yield entry


def _series(cell: CellFacts) -> tuple[str, str]:
    """The task and the program that ran it: versions are only compared within these."""
    return cell.task.name, cell.variant.program


def _version(cell: CellFacts) -> tuple[int, int]:
    return cell.task.version, cell.engine_version


def _kinds(entry: Entry, newest: dict[tuple[str, str], tuple[int, int]]) -> Iterator[Kind]:
    match entry.state:
        case "failed" | "unfinished" | "damaged" as state:
            yield state
        case _:
            pass
    if entry.parts:
        yield "parts"
    if entry.done:
        cell = entry.done.cell
        if entry.unfinished:  # a journal left beside the result
            yield "unfinished"
        if cell.limit is not None:
            yield "partial"
        if _version(cell) < newest[_series(cell)]:
            yield "outdated"


def remove(results: Path, entry: Entry, kinds: Iterable[Kind]) -> None:
    """Remove a run's files, and the folders that are then empty.

    Its parts are removed where `kinds` has `parts`. Where what is wanted is only those, or only `unfinished`,
    a finished run keeps all else. Raises CellLocked where a sweep works on the run, and a StoreError where a
    file cannot be removed.
    """
    folder = results / entry.folder
    kinds = set(kinds)
    names = ["result.json", "records.jsonl", PROBED, NAME]
    if entry.done and kinds <= {"unfinished", "parts"}:
        names = [NAME] if "unfinished" in kinds else []
    elif entry.result and kinds == {"parts"}:
        names = []
    lock = lock_cell(results, entry.cell.id) if entry.cell and (results / LOCKS).is_dir() else nullcontext()
    with lock, writing(folder):
        for name in names:
            (folder / name).unlink(missing_ok=True)
        if "result.json" in names:
            forget(results, entry.folder / "result.json")
        if "parts" in kinds and (folder / PARTS).is_dir():
            shutil.rmtree(folder / PARTS)
            forget_below(results, entry.folder / PARTS)
        for place in (folder, *folder.parents):
            if place == results or any(place.iterdir()):
                break
            place.rmdir()
