"""The executor `ray`: cells in shards on the nodes of a Ray cluster, with only the results folder in common.

A worker is an actor that opens the model of one cell and answers its shards, one at a time. What is done is
in the files: a sweep that is started again, after any of its processes was lost, does what is missing.
"""

import math
import time
import uuid
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bench
from bench.cells.cell import Cell, Runnable
from bench.errors import BenchError, FileError, one_line
from bench.results.identity import folder_of_result, summary_in
from bench.results.mirrored import fetch, mirror_of
from bench.results.result import DoneResult, FailedResult
from bench.results.store import LOCKS
from bench.results.whole import StoreError
from bench.sweeps import events
from bench.sweeps.events import Blocked, Busy, Event, Last, Progress, Retry, Skipped, Terms
from bench.sweeps.merging import merge_cell
from bench.sweeps.ray_cluster import Needs, answers, connect, needs_of, nodes, room, room_on
from bench.sweeps.ray_worker import Place, Worker
from bench.sweeps.supervise import SMALLER
from bench.sweeps.units import Begun, begin
from bench.sweeps.work import failed

LOSSES = 3
"""How often a unit's worker is lost before its cell fails, and the head is silent before the sweep ends."""
LOOKAHEAD = 2
"""Cells that are begun for each worker that there is room for, so that the largest can go first."""


@dataclass(slots=True, eq=False)
class Actor:
    """A worker of one cell. `ready` is what it has to answer first, `stream` are the events of its unit."""

    handle: Any
    begun: Begun
    ready: Any
    unit: str = ""
    stream: Any = None

    @property
    def is_free(self) -> bool:
        """Whether it can be given a unit."""
        return self.ready is None and not self.unit


class RayExecutor:
    """The driver's side: it starts actors, gives them units, and makes runs of finished parts."""

    def __init__(self, results: Path, terms: Terms) -> None:
        self.results, self.terms = results.absolute(), terms
        self.ray = connect(terms.placement.address)
        self.address: str = self.ray.get_runtime_context().gcs_address
        self.nodes = nodes(self.ray)
        self.looked = time.monotonic()
        self.silent = 0
        self.begun: dict[str, Begun] = {}
        self.actors: list[Actor] = []
        self.outbox: deque[tuple[Runnable, Event]] = deque()
        self.worker = self.ray.remote(Worker)
        name, mirror = f"ray-{uuid.uuid4().hex}", mirror_of(self.results)
        url = mirror.remote.url if mirror else ""
        self.place = Place(self.results, self.results / LOCKS / name, url, name)

    def has_room(self, cell: Runnable) -> bool:
        """Whether few enough cells are begun; workers take the largest of these first."""
        return len(self.begun) < max(1, LOOKAHEAD * room(self._needs(cell), self.nodes))

    def start(self, cell: Runnable) -> None:
        """Cut the cell into units, which wait for workers."""
        begun = self.begun[cell.id] = begin(cell, self.results, self.terms)
        if not begun.left:
            self._merge(begun)

    def next_event(self, seconds: float | None) -> tuple[Runnable, Event] | None:
        """The next event of any cell; raises an error that stops every cell."""
        end = None if seconds is None else time.monotonic() + seconds
        while not self.outbox:
            self._look_around()
            self._end_late()
            self._give_work()
            left = events.RETRY_SECONDS if end is None else min(events.RETRY_SECONDS, end - time.monotonic())
            if left <= 0:
                return None
            waited = {actor.ready or actor.stream: actor for actor in self.actors if not actor.is_free}
            if not waited:
                time.sleep(left)
                continue
            reports, _ = self.ray.wait(list(waited), num_returns=1, timeout=left)
            for report in reports:
                self._receive(waited[report])
        return self.outbox.popleft()

    def close(self) -> None:
        """Kill all actors and leave the cluster. What is answered is on disk."""
        self.place.sign.unlink(missing_ok=True)
        if not self.silent:  # each call to a head that is lost would wait for it for a minute
            for actor in tuple(self.actors):
                self._kill(actor)
            self.ray.shutdown()

    def _needs(self, cell: Runnable) -> Needs:
        return needs_of(cell, self.terms.placement, self.nodes)

    def _give_work(self) -> None:
        """Give waiting units to the workers of their cells, end workers without any, and start new ones."""
        for begun in self.begun.values():
            begun.wait_again()
        for actor in [actor for actor in self.actors if actor.is_free]:
            if not actor.begun.waiting and (heir := self._heir(actor)):
                actor.begun = heir
            if actor.begun.waiting:
                self._give(actor, actor.begun.waiting.popleft())
            elif not actor.begun.later:
                self._kill(actor)
        self._start_actors()

    def _heir(self, actor: Actor) -> Begun | None:
        """The cell that a baseline's worker goes on with: of its engine, with the most that waits."""
        engine = actor.begun.baseline
        heirs = [one for one in self.begun.values() if engine and one.baseline == engine]
        return max((one for one in heirs if one.waiting), key=self._effort_each, default=None)

    def _give(self, actor: Actor, key: str) -> None:
        begun, unit = actor.begun, actor.begun.units[key]
        begun.start = begun.start or time.monotonic()
        if key in begun.heavy and isinstance(unit, Cell):
            unit = replace(unit, opening=replace(unit.opening, batch=SMALLER))
        beside = max((room_on(self._needs(unit), node) for node in self.nodes), default=1)
        terms = replace(self.terms, jobs=max(1, beside))
        actor.unit = key
        actor.stream = actor.handle.run.options(num_returns="streaming").remote(unit, terms)

    def _look_around(self) -> None:
        """See which nodes there are; raises a BenchError where the head is lost."""
        if time.monotonic() - self.looked < events.RETRY_SECONDS:
            return
        self.silent = 0 if answers(self.address) else self.silent + 1
        if self.silent >= LOSSES:
            text = f"the Ray cluster at {self.address} does not answer any more; what is answered is safe"
            raise BenchError(f"{text}: start the cluster, and run the same command to continue")
        if not self.silent:
            self.nodes = nodes(self.ray)
        self.looked = time.monotonic()

    def _start_actors(self) -> None:
        """Start a worker for the cell with the most to compute, as long as there is room for one."""
        while lacking := [one for one in self.begun.values() if len(one.waiting) > self._starting(one)]:
            begun = max(lacking, key=self._effort_each)
            needs = self._needs(begun.cell)
            if len(self.actors) >= max(1, room(needs, self.nodes)):
                return
            self.place.sign.touch()
            handle = self.worker.options(num_cpus=needs.cpus, num_gpus=needs.gpus).remote()
            facts = begun.scored.facts
            ready = handle.ready.remote(self.place, bench.__version__, facts.model, facts.engine_package)
            self.actors.append(Actor(handle, begun, ready))

    def _starting(self, begun: Begun) -> int:
        return sum(actor.begun is begun and actor.ready is not None for actor in self.actors)

    def _effort_each(self, begun: Begun) -> float:
        """What waits, for each worker that the cell would have."""
        return begun.effort / (1 + sum(actor.begun is begun for actor in self.actors))

    def _receive(self, actor: Actor) -> None:
        """Take what a worker reports: that it is ready, an event, or that it is lost."""
        errors = self.ray.exceptions
        try:
            if actor.ready is not None:
                self.ray.get(actor.ready)
                actor.ready = None
                return
            event = self.ray.get(next(actor.stream))
        except StopIteration:
            self._lost(actor, "its worker ended without a result")
        except errors.RayTaskError as error:
            raise (error.cause if isinstance(error.cause, BenchError) else error) from error
        except errors.RayError as error:
            self._lost(actor, _why(error), for_memory=isinstance(error, errors.OutOfMemoryError))
        else:
            self._take(actor, event)

    def _take(self, actor: Actor, event: Event | Blocked) -> None:
        begun, key = actor.begun, actor.unit
        match event:
            case Blocked(reason=reason):
                raise StoreError(reason)
            case Busy():
                begun.busy(key)
                actor.unit = ""
            case DoneResult() | Skipped():
                self._fetch(event.result if isinstance(event, Skipped) else event)
                begun.finished(key)
                actor.unit = ""
                self._finish_if_whole(begun, event)
            case FailedResult():
                self._fetch(event)
                self._end(begun, event)
            case _:
                if news := begun.news(key, event):
                    self.outbox.append((begun.cell, news))

    def _fetch(self, result: DoneResult | FailedResult) -> None:
        """Fetch what a worker has written from the store, where there is one."""
        fetch(self.results, [summary_in(folder_of_result(result))])

    def _finish_if_whole(self, begun: Begun, event: DoneResult | Skipped) -> None:
        result = event.result if isinstance(event, Skipped) else event
        if result.shard is None or len(begun.units) == 1:  # also where another sweep has made the run
            self._end(begun, event)
        elif not begun.left:
            self._merge(begun)
        else:
            progress = Progress(begun.answered.total(), len(begun.scored.items))
            self.outbox.append((begun.cell, progress))

    def _merge(self, begun: Begun) -> None:
        try:
            self._end(begun, merge_cell(begun.scored, self.results, len(begun.units)))
        except FileError as error:
            public = "its parts are not one run"
            self._end(begun, failed(begun.scored, self.results, one_line(error), public=public))

    def _lost(self, actor: Actor, reason: str, *, for_memory: bool = False) -> None:
        """Let the unit of a lost worker wait again; its cell fails when that happens too often.

        Only a kill for memory by Ray itself is known as one, so from its second loss on a unit has smaller
        batches.
        """
        begun, key = actor.begun, actor.unit
        self._kill(actor)
        begun.losses[key] += 1
        if begun.losses[key] >= LOSSES:
            text = f"its worker was lost {LOSSES} times; the last time: {reason}"
            self._end(begun, failed(begun.scored, self.results, text))
            return
        if key:
            begun.waiting.appendleft(key)
        if key and (for_memory or begun.losses[key] > 1):
            begun.heavy.add(key)
        smaller = key in begun.heavy
        self.outbox.append((begun.cell, Retry(f"a worker was lost: {reason}", smaller_batches=smaller)))

    def _end_late(self) -> None:
        """End the cells that take longer than allowed."""
        limit = self.terms.timeout or math.inf
        for begun in tuple(self.begun.values()):
            if begun.start and time.monotonic() - begun.start > limit:
                share = f"{begun.answered.total():,} of {len(begun.scored.items):,} answered"
                reason = f"not finished after {limit:g} s (--timeout): {share}"
                text = f"{reason}; run the same command to continue"
                self._end(begun, failed(begun.scored, self.results, text))

    def _end(self, begun: Begun, last: Last) -> None:
        del self.begun[begun.cell.id]
        begun.end()  # a baseline's worker stays, and must not go on with it
        for actor in [actor for actor in self.actors if actor.begun is begun]:
            if not (actor.is_free and begun.baseline):
                self._kill(actor)
        self.outbox.append((begun.cell, last))

    def _kill(self, actor: Actor) -> None:
        self.actors.remove(actor)
        with suppress(self.ray.exceptions.RayError):
            self.ray.kill(actor.handle)


def _why(error: Exception) -> str:
    """What Ray says of a lost worker, without what it says of the worker's class and ids."""
    line = one_line(error)
    return line[max(0, line.find("The actor is dead")) :]
