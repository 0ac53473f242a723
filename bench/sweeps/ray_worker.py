"""What runs on a node of a Ray cluster: an actor that keeps a model open and answers shards in turn."""

import platform
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import bench
from bench.cells.cell import Cell, NeedsTuning, Runnable
from bench.engines.kinds import engine_package
from bench.engines.memory import reset_peak
from bench.errors import Unavailable, UsageError
from bench.inputs.model_card import ModelCard
from bench.results.mirrored import open_mirror
from bench.results.store import begin
from bench.sweeps.events import Blocked, Event, Terms
from bench.sweeps.leased import leased
from bench.sweeps.opened import Kept
from bench.sweeps.supervise import run_cell
from bench.sweeps.work import work


@dataclass(frozen=True, slots=True)
class Place:
    """Where the results are: a folder that all nodes share, in which the sweep has put the file `sign`.

    Or the address of a store, of which each node has a mirror; `owner` has the leases of the sweep's shards.
    """

    results: Path
    sign: Path
    url: str = ""
    owner: str = ""


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
        self.results = Path()

    def ready(self, place: Place, version: str, card: ModelCard, package: str = "") -> str:
        """The node's name.

        `package` is that of the card's engine, with its version. Raises a UsageError where the node has
        another version of anything or sees no results folder, and an Unavailable where it lacks what the
        store of the results needs.
        """
        node = platform.node()
        if bench.__version__ != version:
            raise UsageError(f"node {node} has SLM Bench {bench.__version__}, and this is {version}")
        if (own := engine_package(card)) != package:
            has = f"has {own}" if own else f"does not have {package}"
            raise UsageError(f"node {node} {has}, and the engine {card.engine} here is of {package}")
        if place.url:
            try:
                self.results = open_mirror(place.url, place.owner).folder
            except Unavailable as error:
                raise Unavailable(f"node {node}: {error.reason}", error.remedy) from error
            begin(self.results)
            return node
        if not place.sign.is_file():
            text = f"node {node} does not see the results folder {place.results}"
            raise UsageError(f"{text}: give one that all nodes share with --results")
        self.results = place.results
        return node

    def run(self, cell: Runnable, terms: Terms) -> Iterator[Event | Blocked]:
        """The events of a cell or a shard, to its last one, when its files are written.

        A cell that must be tuned first runs in processes of its own, as it does without a cluster.
        """
        if isinstance(cell, NeedsTuning):
            self._begin(cell.cell.facts.id)
            yield from run_cell(cell, self.results, terms)
        else:
            self._begin(cell.facts.id)
            yield from leased(cell, self.results, self._events(cell, terms))

    def _begin(self, cell: str) -> None:
        if self.cell and cell != self.cell:
            self.kept.clear()
            reset_peak()
        self.cell = cell

    def _events(self, cell: Cell, terms: Terms) -> Generator[Event | Blocked]:
        mailbox = Mailbox()
        thread = threading.Thread(target=self._work, args=(cell, terms, mailbox), daemon=True)
        thread.start()
        while (event := mailbox.events.get()) is not None:
            if isinstance(event, BaseException):
                raise event
            yield event
        thread.join()

    def _work(self, cell: Cell, terms: Terms, mailbox: Mailbox) -> None:
        try:
            work(cell, self.results, terms, mailbox, self.kept)
        except BaseException as error:  # noqa: BLE001 (it is raised again in the actor's thread)
            mailbox.events.put(error)
        finally:
            mailbox.events.put(None)
