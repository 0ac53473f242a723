"""The cells of one command, one after the other, skipping what is done."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.runs.plan import Cell
from bench.runs.result import DoneResult
from bench.runs.store import finished
from bench.runs.worker import Event, run_cell


@dataclass(frozen=True, slots=True)
class Skipped:
    """The same cell was finished before, with this result."""

    result: DoneResult


def sweep(cells: Sequence[Cell], results: Path, *, fresh: bool) -> Iterator[tuple[Cell, Event | Skipped]]:
    """Run the cells in order; each ends with its result, or is skipped with the one it has.

    Raises a FileError before anything runs where a cell's result was written by a newer version.
    """
    done = {cell.folder: finished(results / cell.folder) for cell in cells}
    for cell in cells:
        result = None if fresh else done[cell.folder]
        if result is not None:
            yield cell, Skipped(result)
        else:
            for event in run_cell(cell, results):
                yield cell, event
