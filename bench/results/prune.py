"""Which runs may go, and removing them."""

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Literal, get_args

from bench.results.check import Entry, entries
from bench.results.journal import NAME, holding, is_held
from bench.results.result import CellFacts
from bench.results.store import LOCKS, writing

Kind = Literal["failed", "unfinished", "damaged", "partial", "outdated"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""`partial` is of a limit; `outdated` of an older version of task or engine than another run has."""


def of_kinds(results: Path, kinds: Iterable[Kind]) -> Iterator[Entry]:
    """The runs that are of any of the kinds, but for those that a sweep works on just now."""
    everything = list(entries(results))
    newest: dict[tuple[str, str], tuple[int, int]] = {}
    for entry in everything:
        if entry.done:
            cell = entry.done.cell
            newest[_made(cell)] = max(newest.get(_made(cell), (0, 0)), _version(cell))
    wanted = set(kinds)
    for entry in everything:
        busy = entry.cell is not None and is_held(results, entry.cell.id)
        if not busy and wanted & set(_kinds(entry, newest)):
            yield entry


def _made(cell: CellFacts) -> tuple[str, str]:
    """What versions are counted within: a task, and the program that ran it."""
    return cell.task.name, cell.variant.program


def _version(cell: CellFacts) -> tuple[int, int]:
    return cell.task.version, cell.engine_version


def _kinds(entry: Entry, newest: dict[tuple[str, str], tuple[int, int]]) -> Iterator[Kind]:
    match entry.state:
        case "failed" | "unfinished" | "damaged" as state:
            yield state
        case _:
            pass
    if entry.done:
        cell = entry.done.cell
        if entry.unfinished:  # left over beside its result
            yield "unfinished"
        if cell.limit is not None:
            yield "partial"
        if _version(cell) < newest[_made(cell)]:
            yield "outdated"


def remove(results: Path, entry: Entry, kinds: Iterable[Kind]) -> None:
    """Remove a run's own files, and the folders that are empty without them.

    Of a finished one with a left-over, where only such are wanted, the left-over. Raises Held where a
    sweep works on it.
    """
    folder = results / entry.folder
    left_over = entry.done and set(kinds) == {"unfinished"}
    names = [NAME] if left_over else ["result.json", "records.jsonl", NAME]
    lock = holding(results, entry.cell.id) if entry.cell and (results / LOCKS).is_dir() else nullcontext()
    with lock, writing(folder):
        for name in names:
            (folder / name).unlink(missing_ok=True)
        for place in (folder, *folder.parents):
            if place == results or any(place.iterdir()):
                break
            place.rmdir()
