"""Modules that workers need beyond those of every worker: a server imports them once for several workers."""

from collections.abc import Sequence

from bench.cells.cell import CannotRun, Cell, NeedsTuning, Planned
from bench.engines.kinds import FromWeights, engine_kind
from bench.stats.metrics import ACCURACY
from bench.sweeps import warm
from bench.sweeps.events import Terms

BY_NUMPY = ("bench.stats.bootstrap", "numpy.ma", "numpy.random")
"""Modules of metrics with a bootstrap interval, of questions in clusters, and of engines with weights."""


def warm_up_for(cells: Sequence[Planned], terms: Terms) -> list[Planned]:
    """Start the servers of baselines' workers; returns the cells in the order in which they should run.

    Cells that need fewer modules come first, and quick ones run while others are imported. The libraries of
    models are imported when the first model is next, so that no cost is measured meanwhile.
    """
    if not warm.HAS_SERVERS:
        return list(cells)
    needs = {cell.id: preload_of(_cell(cell), terms) for cell in cells if not isinstance(cell, CannotRun)}
    quick = (cell for cell in cells if isinstance(cell, Cell) and not _has_weights(cell))
    for preload in dict.fromkeys(needs[cell.id] for cell in quick):
        warm.warm_up(preload)
    return sorted(cells, key=lambda cell: len(needs.get(cell.id, ())))


def _cell(planned: Cell | NeedsTuning) -> Cell:
    return planned.cell if isinstance(planned, NeedsTuning) else planned


def _has_weights(cell: Cell) -> bool:
    return isinstance(engine_kind(cell.opening.card).opens, FromWeights)


def preload_of(cell: Cell, terms: Terms) -> tuple[str, ...]:
    """The modules of a cell's worker.

    None for cells side by side: they share the cores, and a library reads its number of threads when it is
    imported.
    """
    if terms.jobs > 1:
        return ()
    needs_numpy = (
        _has_weights(cell)
        or any(name != ACCURACY.name for name in cell.task.metrics)
        or any(one.cluster for one in cell.items)
    )
    return (*(BY_NUMPY if needs_numpy else ()), *engine_kind(cell.opening.card).preload)
