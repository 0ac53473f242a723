"""Running a cell in its own process, with a last event even if that process dies."""

import signal
import threading
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from bench.cells.adapted import QUICK, with_adapter
from bench.cells.cell import Cell, NeedsTuning, Runnable
from bench.cells.forecast import weights_bytes
from bench.inputs.adapter import Adapter
from bench.inputs.engine_rules import LLAMA_CPP
from bench.results.machine import out_of_memory_kills
from bench.results.result import DoneResult, FailedResult
from bench.results.store import begin, find_run, forget_failure
from bench.results.whole import StoreError
from bench.sweeps import events
from bench.sweeps.events import (
    DEFAULT_TERMS,
    Blocked,
    Busy,
    Event,
    Last,
    Progress,
    Retry,
    Skipped,
    Terms,
)
from bench.sweeps.leased import leased
from bench.sweeps.preload import preload_of
from bench.sweeps.process import Exit, Limits, run_in_process
from bench.sweeps.tune_first import TuningFailed, run_tuning
from bench.sweeps.work import failed, work
from bench.tuning.job import Job
from bench.wording import size

SMALLER = 0.25
"""The size of batches after the system has killed a cell's process, as a share of the usual size."""


@dataclass(frozen=True, slots=True)
class Death:
    """The end of a process that did not send a last event.

    `peak_bytes` is its peak memory, `free_bytes` what was free when it started, and `kills` how many
    processes the system killed for memory meanwhile, None where it does not count.
    """

    exit: Exit
    peak_bytes: int
    answered: int
    free_bytes: int
    kills: int | None

    @property
    def was_killed(self) -> bool:
        return self.exit.code == -signal.SIGKILL and not self.exit.timed_out


def run_cell(
    cell: Runnable, results: Path, terms: Terms = DEFAULT_TERMS, stop: threading.Event | None = None
) -> Generator[Event]:
    """Run a cell to its last event, tuning its model first where it needs that.

    At the last event the process has ended and the result is on disk. Setting `stop` or closing the
    generator ends the process, without a last event. Raises a StoreError where the results folder
    cannot be written.
    """
    begin(results)
    stop = stop or threading.Event()
    match cell:
        case Cell():
            yield from _score(cell, results, terms, stop)
        case NeedsTuning(cell=tuned, job=job):
            yield from _tune_and_score(tuned, job, results, terms, stop)


def _tune_and_score(
    cell: Cell, job: Job, results: Path, terms: Terms, stop: threading.Event
) -> Generator[Event]:
    for event in run_tuning(job, stop, terms.devices):
        match event:
            case Adapter():
                tuned = with_adapter(cell, replace(event, name=QUICK))
                forget_failure(results, cell.folder)
                yield from _score_when_free(tuned, results, terms, stop)
            case TuningFailed(reason=reason, traceback=trace, public=public):
                shown = public and f"tuning failed: {public}"
                yield failed(cell, results, f"tuning failed: {reason}", trace, shown)
            case _:
                yield event


def _score_when_free(cell: Cell, results: Path, terms: Terms, stop: threading.Event) -> Generator[Event]:
    """Score a cell once no other sweep works on it; the sweep could not check, as tuning changed its id."""
    busy = True
    while busy and not stop.is_set():
        busy = False
        for event in _score(cell, results, terms, stop):
            busy = isinstance(event, Busy)
            if not busy:
                yield event
        if busy:
            stop.wait(events.RETRY_SECONDS)


def _score(cell: Cell, results: Path, terms: Terms, stop: threading.Event) -> Generator[Event]:
    return leased(cell, results, _score_leased(cell, results, terms, stop))


def _score_leased(cell: Cell, results: Path, terms: Terms, stop: threading.Event) -> Generator[Event]:
    memory = psutil.virtual_memory()
    # Memory that other cells of the sweep use will be free again.
    free = memory.available if terms.jobs == 1 else memory.total
    if (needed := weights_bytes(cell)) > free:
        reason = f"not started: its weights alone need {size(needed)} of memory, {size(free)} are free"
        yield failed(cell, results, reason)
        return
    limits = Limits(terms.timeout, stop)
    death = yield from _attempt(cell, results, terms, limits)
    if death and death.was_killed:
        smaller = death.kills != 0
        yield Retry(_reason(death, cell, terms), smaller_batches=smaller)
        opening = replace(cell.opening, batch=SMALLER) if smaller else cell.opening
        death = yield from _attempt(replace(cell, opening=opening), results, terms, limits)
    if death:
        run = find_run(results, cell.folder, cell.facts.id)
        if run and isinstance(run.result, DoneResult) and not terms.fresh:
            yield run.result  # finished; only the latency is missing
            return
        yield _kept(failed(cell, results, _reason(death, cell, terms), death.exit.output), cell, results)


def _attempt(cell: Cell, results: Path, terms: Terms, limits: Limits) -> Generator[Event, None, Death | None]:
    """The events of one process, the last one after its end; returns its death if it sent no last event."""
    free, kills = psutil.virtual_memory().available, out_of_memory_kills()
    last: Last | None = None
    end: Exit | None = None
    peak, answered = 0, 0
    name = f"bench {cell.folder}"
    modules = preload_of(cell, terms)
    with closing(
        run_in_process(work, cell, results, terms, name=name, limits=limits, preload=modules)
    ) as process:
        for event in process:
            match event:
                case Blocked(reason=reason):
                    raise StoreError(reason)
                case Exit():
                    end = event
                case DoneResult() | FailedResult() | Skipped() | Busy():
                    last = event
                case _:
                    if isinstance(event, Progress):
                        peak = max(peak, event.memory_bytes or 0)
                    answered = getattr(event, "done", answered)
                    yield event
    if last is not None:
        yield _kept(last, cell, results)
        return None
    if end is None:
        return None
    now = out_of_memory_kills()
    more_kills = None if kills is None or now is None else now - kills
    return Death(end, peak, answered, free, more_kills)


def _kept(last: Last, cell: Cell, results: Path) -> Last:
    """The event; a failure is on disk now also where the cell has removed the results folder."""
    if isinstance(last, FailedResult) and not (results / cell.run_folder / "result.json").is_file():
        begin(results)
        return failed(cell, results, last.reason, last.traceback, last.public_reason)
    return last


def _reason(death: Death, cell: Cell, terms: Terms) -> str:
    if death.exit.timed_out:
        reason = f"not finished after {terms.timeout:g} s (--timeout)"
        if death.answered:
            share = f"{death.answered:,} of {len(cell.items):,} answered"
            return f"{reason}: {share}; run the same command to continue"
        return f"{reason}, with no answers yet: allow more time"
    if death.was_killed and death.kills == 0:
        return "killed from outside (signal 9), not by the system for memory"
    if death.was_killed:
        needed = max(death.peak_bytes, weights_bytes(cell))
        numbers = f": {size(needed)} or more needed, {size(death.free_bytes)} free" if needed else ""
        return f"killed, most likely out of memory{numbers}"
    if death.exit.code == -signal.SIGILL and cell.facts.model.engine == LLAMA_CPP:
        text = "llama-cpp-python was built for another processor, and used an instruction that this one lacks"
        return f"{text}: build it again as docs/llama-cpp.md says"
    return f"its process died with {death.exit.text}"
