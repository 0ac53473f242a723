"""A cell in a process of its own, seen from outside: what it says, and what becomes of one that dies."""

import signal
import threading
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from bench.runs.cell import Cell
from bench.runs.events import LAST, USUAL, Again, Blocked, Event, Loading, Progress, Terms
from bench.runs.forecast import least, out_of_memory_kills
from bench.runs.inside import failed, work
from bench.runs.process import Bounds, Ended, in_process
from bench.runs.result import DoneResult
from bench.runs.store import StoreError, begin, find_run
from bench.wording import size

SMALLER = 0.25
"""The share of the usual batch with which a cell goes on that the system has killed."""


@dataclass(frozen=True, slots=True)
class Death:
    """A worker that ended without a result: the most it held, the questions answered, and what was free.

    `kills` is how many processes the system ended for memory meanwhile, None where it does not say.
    """

    end: Ended
    peak: int
    answered: int
    free: int
    kills: int | None

    @property
    def was_killed(self) -> bool:
        return self.end.code == -signal.SIGKILL and not self.end.late


def run_cell(
    cell: Cell, results: Path, terms: Terms = USUAL, stop: threading.Event | None = None
) -> Iterator[Event]:
    """Run one cell in a process of its own; the last event is its result, which is on disk too.

    There is none once `stop` is set. Raises a StoreError where the results folder takes no more.
    """
    begin(results)
    memory = psutil.virtual_memory()
    # What others hold side by side, they give back.
    free = memory.available if terms.jobs == 1 else memory.total
    if (wanted := least(cell)) > free:
        reason = f"not started: its weights alone need {size(wanted)} of memory, {size(free)} are free"
        yield failed(cell, results, reason)
        return
    bounds = Bounds(terms.timeout, stop)
    death = yield from _attempt(cell, results, terms, bounds)
    if death and death.was_killed:
        smaller = death.kills != 0
        yield Again(_why(death, cell, terms), smaller=smaller)
        opening = replace(cell.opening, batch=SMALLER) if smaller else cell.opening
        death = yield from _attempt(replace(cell, opening=opening), results, terms, bounds)
    if death:
        run = find_run(results, cell.folder, cell.facts.id)
        if run and isinstance(run.result, DoneResult) and not terms.fresh:
            yield run.result  # only its latency was still to be measured
            return
        yield failed(cell, results, _why(death, cell, terms), death.end.trace)


def _attempt(cell: Cell, results: Path, terms: Terms, bounds: Bounds) -> Generator[Event, None, Death | None]:
    """Pass on what the process says; its death, if it ends without a last word."""
    free, kills = psutil.virtual_memory().available, out_of_memory_kills()
    over, peak, answered = False, 0, 0
    name = f"bench {cell.folder}"
    with closing(in_process(work, cell, results, terms, name=name, bounds=bounds)) as process:
        for event in process:
            match event:
                case Blocked(reason=reason):
                    raise StoreError(reason)
                case Ended():
                    now = out_of_memory_kills()
                    more = None if kills is None or now is None else now - kills
                    return None if over else Death(event, peak, answered, free, more)
                case Loading(done=answered):
                    pass
                case Progress(done=answered, memory_bytes=held):
                    peak = max(peak, held or 0)
                case _:
                    pass
            over |= isinstance(event, LAST)
            yield event
    return None


def _why(death: Death, cell: Cell, terms: Terms) -> str:
    if death.end.late:
        reason = f"not finished after {terms.timeout:g} s (--timeout)"
        if death.answered:
            return f"{reason}: {death.answered} of {len(cell.items)} answered; the same command goes on"
        return f"{reason}, with no answer yet: give it more"
    if death.was_killed and death.kills == 0:
        return "killed from outside (signal 9), and not by the system for memory"
    if death.was_killed:
        wanted = max(death.peak, least(cell))
        needs = f": {size(wanted)} or more needed, {size(death.free)} free" if wanted else ""
        return f"killed, most likely out of memory{needs}"
    return f"the worker died with {death.end.how}"
