"""Where cells run: the protocol that a sweep uses, and every executor by its name.

    [project.entry-points."bench.executors"]
    cluster = "my_package:CLUSTER"

`CLUSTER` is an `ExecutorKind`. What runs on each machine is `bench.sweeps.supervise.run_cell`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.cells.cell import Runnable
from bench.plugins import Registry
from bench.sweeps.events import Event, Terms
from bench.sweeps.local import LocalProcesses


class Executor(Protocol):
    """Runs cells in other processes or on other machines; it knows what runs and what a cell needs.

    The sweep decides which cell is next and the executor whether it has room. All that both share is
    the results folder: a sweep whose executor is lost goes on from its files. Cells and events are
    values that can be pickled; a cell that comes back with an event may be a copy.
    """

    def has_room(self, cell: Runnable) -> bool:
        """Whether the cell can be started now. While nothing runs, every cell has room."""
        ...

    def start(self, cell: Runnable) -> None:
        """Start a cell that has room, and return at once."""
        ...

    def next_event(self, seconds: float | None) -> tuple[Runnable, Event] | None:
        """The next event of a cell that runs; None if there is none in that time (None: no limit).

        Each cell that was started has one `Last` event, at its end: its files are written, and its
        room is free. Raises what no other cell of the sweep would survive, such as a StoreError.
        """
        ...

    def close(self) -> None:
        """End all that runs, and return when it has ended. Answers so far stay on disk."""
        ...


@dataclass(frozen=True, slots=True)
class ExecutorKind:
    """A named way to run cells: `help` describes it in a few words, `open` takes the results folder."""

    help: str
    open: Callable[[Path, Terms], Executor]


LOCAL = ExecutorKind("processes on this machine, --jobs of them at a time", LocalProcesses)
EXECUTORS = Registry("bench.executors", "executor", ExecutorKind, {"local": LOCAL})
