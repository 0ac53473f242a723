"""Modules that workers need beyond those of every worker: a server imports them once for several workers."""

from collections.abc import Iterable

from bench.cells.cell import Cell, Planned
from bench.engines.kinds import FromWeights, engine_kind
from bench.inputs.model_card import ModelCard
from bench.stats.metrics import ACCURACY
from bench.sweeps.events import Terms
from bench.sweeps.warm import warm_up

BY_NUMPY = ("bench.stats.bootstrap", "numpy.ma", "numpy.random")
"""Modules of metrics with a bootstrap interval, of questions in clusters, and of engines with weights."""


def warm_up_for(cells: Iterable[Planned], terms: Terms) -> None:
    """Start the servers of the cells' workers, and return at once."""
    ready = [cell for cell in cells if isinstance(cell, Cell)]
    for preload in dict.fromkeys(preload_of(cell, terms) for cell in ready):
        warm_up(preload)


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
