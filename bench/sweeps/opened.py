"""A cell's model, opened."""

import time
from dataclasses import dataclass
from typing import Any

from bench.cells.cell import Cell
from bench.engines import checked
from bench.engines.engine import Engine
from bench.engines.kinds import open_engine, prepare
from bench.inputs.located import RemoteWeights
from bench.inputs.weights import Weights
from bench.sweeps.events import Note
from bench.wording import size


@dataclass(frozen=True, slots=True)
class Opened:
    """An engine with its weights, and the seconds that it took to open."""

    engine: Engine
    weights: Weights | None
    seconds: float


Kept = dict[str, Opened]
"""The models that a process keeps open for further shards, by the ids of their runs."""


def open_model(cell: Cell, events: Any, kept: Kept | None = None) -> Opened:
    """The cell's model, of those that are kept or opened now; only opening is timed.

    Weights that are not here are downloaded.
    """
    if kept is not None and cell.facts.id in kept:
        return kept[cell.facts.id]
    if isinstance(cell.weights, RemoteWeights):  # nothing that a client of the hub prints is shown
        known = cell.weights.bytes
        events.send(Note(f"its weights are downloaded{'' if known is None else f' ({size(known)})'}"))
    weights = prepare(cell.opening.card, cell.weights)
    start = time.perf_counter()
    engine = open_engine(cell.opening, weights)
    opened = Opened(engine, weights, time.perf_counter() - start)
    if kept is not None:
        kept[cell.facts.id] = opened
    return opened


def close_model(opened: Opened, events: Any, kept: Kept | None = None) -> None:
    """Close the engine, unless it is kept; one that does not close is noted."""
    if kept is None and (why := checked.close(opened.engine)):
        events.send(Note(why))
