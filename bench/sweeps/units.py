"""A cell on a cluster, in units (its shards, or the cell itself), and how far each is."""

import math
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.cells.cell import Cell, NeedsTuning, Planned, Runnable
from bench.cells.shards import shards_of
from bench.results.identity import summary_in
from bench.results.mirrored import fetch
from bench.results.result import DoneResult
from bench.results.store import find_run
from bench.sweeps import events
from bench.sweeps.events import BeyondPositions, Event, Loading, Note, Progress, Terms

SHARD_ITEMS = 256
"""The most questions of a shard: so many are asked again when a worker is lost."""


@dataclass(slots=True)
class Begun:
    """A cell that was begun: the units that wait for a worker, and those that are not finished, by id."""

    cell: Runnable
    units: dict[str, Runnable]
    efforts: dict[str, float]
    waiting: deque[str] = field(default_factory=deque[str])
    left: set[str] = field(default_factory=set[str])
    answered: Counter[str] = field(default_factory=Counter[str])
    """Questions of each unit."""
    losses: Counter[str] = field(default_factory=Counter[str])
    """How often a unit's worker was lost."""
    heavy: set[str] = field(default_factory=set[str])
    """Units that are tried with smaller batches."""
    later: dict[str, float] = field(default_factory=dict[str, float])
    """When to try units again that another sweep works on."""
    reported: set[Event] = field(default_factory=set[Event])
    start: float | None = None

    @property
    def scored(self) -> Cell:
        """The cell that is scored, also where its model is tuned first."""
        return self.cell.cell if isinstance(self.cell, NeedsTuning) else self.cell

    @property
    def baseline(self) -> str:
        """The engine of a cell without weights, "" for a model."""
        model = self.scored.facts.model
        return model.engine or "" if model.is_baseline else ""

    @property
    def effort(self) -> float:
        """How much is computed for what waits."""
        return sum(self.efforts[key] for key in self.waiting)

    def finished(self, key: str) -> None:
        """A unit is finished."""
        self.left.discard(key)
        self.answered[key] = len(_scored(self.units[key]).items)

    def end(self) -> None:
        """Ask nothing more: the cell has its last event, perhaps because another sweep has made its run."""
        self.waiting.clear()
        self.later.clear()

    def busy(self, key: str) -> None:
        """Another sweep works on a unit."""
        self.later[key] = time.monotonic() + events.RETRY_SECONDS

    def wait_again(self) -> None:
        """Let units wait for a worker that were busy long enough ago."""
        for key in [key for key, when in self.later.items() if when <= time.monotonic()]:
            del self.later[key]
            self.waiting.append(key)

    def news(self, key: str, event: Event) -> Event | None:
        """What a unit's event says of the whole cell; None where it was said before."""
        total = len(self.scored.items)
        match event:
            case Loading(done=done) | Progress(done=done):
                self.answered[key] = done
            case _:
                pass
        match event:
            case Progress(memory_bytes=memory):
                return Progress(self.answered.total(), total, memory)
            case Loading(slug=slug):
                event = Loading(self.answered.total(), total, slug)
                if any(isinstance(one, Loading) for one in self.reported):
                    return None
            case Note() | BeyondPositions() if event in self.reported:
                return None
            case _:
                return event
        self.reported.add(event)
        return event


def begin(cell: Runnable, results: Path, terms: Terms) -> Begun:
    """A cell with its units, of which those with a finished part do not wait."""
    units: Sequence[Runnable] = [cell]
    if isinstance(cell, Cell) and cell.shard is None:
        count = math.ceil(len(cell.items) / (terms.placement.shard_items or SHARD_ITEMS))
        units = shards_of(cell, count) if count > 1 else units
    begun = Begun(cell, {unit.id: unit for unit in units}, {unit.id: effort(unit) for unit in units})
    begun.left.update(begun.units)
    if len(units) > 1:
        fetch(results, [summary_in(_scored(unit).folder) for unit in units])
    for key, unit in begun.units.items():
        if len(units) > 1 and not terms.fresh and _has_part(unit, results):
            begun.finished(key)
        else:
            begun.waiting.append(key)
    return begun


def _has_part(unit: Runnable, results: Path) -> bool:
    cell = _scored(unit)
    run = find_run(results, cell.folder, cell.facts.id)
    return run is not None and isinstance(run.result, DoneResult)


def _scored(unit: Runnable) -> Cell:
    return unit.cell if isinstance(unit, NeedsTuning) else unit


def effort(unit: Runnable) -> float:
    """How much a unit computes, in parameters times characters; only ratios count."""
    cell = _scored(unit)
    characters = sum(len(item.question) + sum(map(len, item.options)) for item in cell.items)
    return characters * float(cell.facts.model.parameters or 1)


def largest_first(cells: Sequence[Planned]) -> list[Planned]:
    """The cells in the order in which they should begin."""
    return sorted(cells, key=lambda cell: -effort(cell) if isinstance(cell, Cell | NeedsTuning) else 0.0)
