"""The cells of one command, one after the other, skipping what is done."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.runs.plan import Cell
from bench.runs.store import is_done, read_result
from bench.runs.worker import Event, run_cell


@dataclass(frozen=True, slots=True)
class Skipped:
    """The same cell was finished before; its result is on disk."""


def sweep(cells: Sequence[Cell], results: Path, *, fresh: bool) -> Iterator[tuple[Cell, Event | Skipped]]:
    """Run the cells in order; each ends with its result, new or found."""
    for cell in cells:
        if not fresh and is_done(results / cell.folder):
            yield cell, Skipped()
            yield cell, read_result(results / cell.folder / "result.json")
        else:
            for event in run_cell(cell, results):
                yield cell, event
