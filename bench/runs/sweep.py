"""The cells of one command, one after the other, skipping what is done."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.errors import BenchError
from bench.inputs.adapter import Adapter
from bench.runs.adapting import QUICK, with_adapter
from bench.runs.cell import Cell
from bench.runs.result import DoneResult
from bench.runs.store import find_run, forget_failure, write_run
from bench.runs.tuner import TuningFailed, run_tuning
from bench.runs.worker import Event, failed, run_cell
from bench.scoring.metrics import load_metrics, measure
from bench.tuning.job import Job, Prepared, Step


@dataclass(frozen=True, slots=True)
class Skipped:
    """The same cell was finished before, with this result."""

    result: DoneResult


SweepEvent = Event | Prepared | Step | Skipped


def sweep(cells: Sequence[Cell], results: Path, *, fresh: bool) -> Iterator[tuple[Cell, SweepEvent]]:
    """Run the cells in order; each ends with its result, or is skipped with the one it has.

    Raises a FileError before anything runs where a cell's result was written by a newer version.
    """
    done = {cell.folder: _found(cell, results) for cell in cells if cell.tuning is None}
    for cell in cells:
        for event in _events(cell, results, None if fresh else done.get(cell.folder), fresh=fresh):
            yield cell, event


def _events(cell: Cell, results: Path, done: DoneResult | None, *, fresh: bool) -> Iterator[SweepEvent]:
    if done is not None:
        yield Skipped(done)
    elif cell.tuning is None:
        yield from run_cell(cell, results)
    else:
        yield from _tuned(cell, cell.tuning, results, fresh=fresh)


def _tuned(cell: Cell, job: Job, results: Path, *, fresh: bool) -> Iterator[SweepEvent]:
    """Tune, then score with what came of it."""
    for event in run_tuning(job):
        match event:
            case Adapter():
                ready = with_adapter(cell, replace(event, name=QUICK))
                forget_failure(results, cell.folder)
                done = None if fresh else _found(ready, results)
                yield from _events(ready, results, done, fresh=fresh)
            case TuningFailed(reason=reason, traceback=trace):
                yield failed(cell, results, f"tuning failed: {reason}", trace)
            case _:
                yield event


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
