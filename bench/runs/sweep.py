"""The cells of one command, one after the other, skipping what is done."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError
from bench.runs.plan import Cell
from bench.runs.result import DoneResult
from bench.runs.store import find_run, write_run
from bench.runs.worker import Event, run_cell
from bench.scoring.metrics import load_metrics, measure


@dataclass(frozen=True, slots=True)
class Skipped:
    """The same cell was finished before, with this result."""

    result: DoneResult


def sweep(cells: Sequence[Cell], results: Path, *, fresh: bool) -> Iterator[tuple[Cell, Event | Skipped]]:
    """Run the cells in order; each ends with its result, or is skipped with the one it has.

    Raises a FileError before anything runs where a cell's result was written by a newer version.
    """
    done = {cell.folder: _found(cell, results) for cell in cells}
    for cell in cells:
        result = None if fresh else done[cell.folder]
        if result is not None:
            yield cell, Skipped(result)
        else:
            for event in run_cell(cell, results):
                yield cell, event


def _found(cell: Cell, results: Path) -> DoneResult | None:
    """The cell's finished result, with any metric that the task names since then added to it."""
    run = find_run(results, cell.folder, cell.facts.id)
    if run is None or not isinstance(run.result, DoneResult):
        return None
    if set(cell.task.metrics) <= run.result.metrics.values.keys():
        return run.result
    try:
        loaded = load_metrics(cell.task.metrics, cell.home)
    except BenchError:  # what is done stays done; the cells that are not yet done say what is wrong
        return run.result
    result = run.result.model_copy(update={"metrics": measure(run.records, cell.task.metrics, loaded)})
    write_run(results, cell.folder, result, None)
    return result
