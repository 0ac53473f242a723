"""Where cells run: the protocol of executors, and their registry.

    [project.entry-points."bench.executors"]
    cluster = "my_package:CLUSTER"

`CLUSTER` is an `ExecutorKind`. On each machine it calls `bench.sweeps.supervise.run_cell`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.cells.cell import Planned, Runnable
from bench.plugins import Registry
from bench.sweeps.events import Event, Terms
from bench.sweeps.local import LocalProcesses
from bench.sweeps.preload import warm_up_for
from bench.sweeps.units import largest_first


class Executor(Protocol):
    """Runs cells in other processes or on other machines, and knows whether there is room for another.

    The sweep picks the next cell, and the executor decides whether it has room. They share only the
    results folder, so a sweep whose executor is lost can resume from it. Cells and events can be
    pickled; the cell that is returned with an event may be a copy.
    """

    def has_room(self, cell: Runnable) -> bool:
        """Whether the cell can be started now; always true while nothing runs."""
        ...

    def start(self, cell: Runnable) -> None:
        """Start a cell that has room, and return at once."""
        ...

    def next_event(self, seconds: float | None) -> tuple[Runnable, Event] | None:
        """The next event of a running cell; None if there is none within `seconds` (None: wait for one).

        Each started cell ends with one `Last` event, when its files are written and its room is free.
        Raises errors that would stop every other cell too, such as a StoreError.
        """
        ...

    def close(self) -> None:
        """Stop all running cells, and return when they have ended. Their answers so far stay on disk."""
        ...


@dataclass(frozen=True, slots=True)
class ExecutorKind:
    """A named way to run cells: `help` describes it in a few words, `open` takes the results folder.

    `ordered` gives the order in which cells should begin, by default their own.
    """

    help: str
    open: Callable[[Path, Terms], Executor]
    ordered: Callable[[Sequence[Planned], Terms], list[Planned]] = lambda cells, _: list(cells)
    takes_placement: bool = False


def _open_ray(results: Path, terms: Terms) -> Executor:
    from bench.sweeps.ray_executor import RayExecutor

    return RayExecutor(results, terms)


LOCAL = ExecutorKind("processes on this machine, --jobs of them at a time", LocalProcesses, warm_up_for)
RAY = ExecutorKind(
    "shards of cells on the nodes of a Ray cluster",
    _open_ray,
    lambda cells, _: largest_first(cells),
    takes_placement=True,
)
EXECUTORS = Registry("bench.executors", "executor", ExecutorKind, {"local": LOCAL, "ray": RAY})
