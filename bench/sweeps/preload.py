"""Modules that workers need beyond those of every worker: a server imports them once for several workers."""

from collections.abc import Sequence

from bench.cells.cell import CannotRun, Cell, NeedsTuning, Planned, Runnable
from bench.engines.kinds import FromWeights, engine_kind
from bench.inputs.model_card import ModelCard
from bench.stats.metrics import ACCURACY
from bench.sweeps.events import Terms
from bench.sweeps.warm import warm_up

BY_NUMPY = ("bench.stats.bootstrap", "numpy.ma", "numpy.random")
"""Modules of metrics with a bootstrap interval, of questions in clusters, and of engines with weights."""


def warm_up_for(cells: Sequence[Planned], terms: Terms) -> list[Planned]:
    """Start the servers of the cells' workers; returns the cells in the order in which these will be ready.

    Cells that need fewer modules come first, and run while others are imported; else the order stays.
    """
    modules = {cell.id: preload_of(_cell(cell), terms) for cell in cells if not isinstance(cell, CannotRun)}
    by_need = sorted(cells, key=lambda cell: len(modules.get(cell.id, ())))
    for preload in dict.fromkeys(modules.values()):
        warm_up(preload)
    return by_need


def _cell(planned: Runnable) -> Cell:
    return planned.cell if isinstance(planned, NeedsTuning) else planned


def preload_of(cell: Cell, terms: Terms) -> tuple[str, ...]:
    """The modules of a cell's worker.

    None for cells side by side: they share the cores, and a library reads its number of threads when it is
    imported.
    """
    if terms.jobs > 1:
        return ()
    needs_numpy = any(name != ACCURACY.name for name in cell.task.metrics) or any(
        one.cluster for one in cell.items
    )
    return preload_for(cell.opening.card, needs_numpy=needs_numpy)


def preload_for(card: ModelCard, *, needs_numpy: bool = False) -> tuple[str, ...]:
    """The modules of a worker that opens this card's engine, the only one that works at its time."""
    kind = engine_kind(card)
    needs_numpy = needs_numpy or isinstance(kind.opens, FromWeights)
    return (*(BY_NUMPY if needs_numpy else ()), *kind.preload)
