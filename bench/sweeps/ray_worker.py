"""What runs on a node of a Ray cluster: an actor that keeps a model open and answers shards in turn."""

import platform
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import bench
from bench.cells.cell import Cell, NeedsTuning, Runnable
from bench.engines.memory import reset_peak
from bench.errors import UsageError
from bench.sweeps.events import Blocked, Event, Terms
from bench.sweeps.opened import Kept
from bench.sweeps.supervise import run_cell
from bench.sweeps.work import work


class Mailbox:
    """The events of a worker's thread, in the place of the pipe that a process has."""

    def __init__(self) -> None:
        self.events: SimpleQueue[Event | Blocked | BaseException | None] = SimpleQueue()

    def send(self, event: Event | Blocked) -> None:
        self.events.put(event)

    def close(self) -> None:
        """Nothing comes after the last event."""


class Worker:
    """The actor's class. One that has loaded a model answers shards of its cell alone.

    A baseline's may go on with another cell of its engine. Its peak memory is measured anew then.
    """

    def __init__(self) -> None:
        self.kept: Kept = {}
        self.cell = ""

    def ready(self, sign: Path, version: str) -> str:
        """The node's name. Raises a UsageError where it has another version, or sees no results folder.

        `sign` is a file that the sweep has put there.
        """
        node = platform.node()
        if bench.__version__ != version:
            raise UsageError(f"node {node} has SLM Bench {bench.__version__}, and this is {version}")
        if not sign.is_file():
            text = f"node {node} does not see the results folder {sign.parent.parent}"
            raise UsageError(f"{text}: give one that all nodes share with --results")
        return node

    def run(self, cell: Runnable, results: Path, terms: Terms) -> Iterator[Event | Blocked]:
        """The events of a cell or a shard, to its last one, when its files are written.

        A cell that must be tuned first runs in processes of its own, as it does without a cluster.
        """
        mailbox = Mailbox()
        self._begin(cell.cell.facts.id if isinstance(cell, NeedsTuning) else cell.facts.id)
        thread = threading.Thread(target=self._work, args=(cell, results, terms, mailbox), daemon=True)
        thread.start()
        while (event := mailbox.events.get()) is not None:
            if isinstance(event, BaseException):
                raise event
            yield event
        thread.join()

    def _begin(self, cell: str) -> None:
        if self.cell and cell != self.cell:
            self.kept.clear()
            reset_peak()
        self.cell = cell

    def _work(self, cell: Runnable, results: Path, terms: Terms, mailbox: Mailbox) -> None:
        try:
            if isinstance(cell, Cell):
                work(cell, results, terms, mailbox, self.kept)
            else:
                for event in run_cell(cell, results, terms):
                    mailbox.send(event)
        except BaseException as error:  # noqa: BLE001 (it is raised again in the actor's thread)
            mailbox.events.put(error)
        finally:
            mailbox.events.put(None)
