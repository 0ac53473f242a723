"""The cells of one command, as many side by side as asked and as memory holds, skipping what is done."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue

import psutil

from bench.errors import BenchError
from bench.inputs.adapter import Adapter
from bench.runs.adapting import QUICK, with_adapter
from bench.runs.cell import CANNOT_RUN, Cell
from bench.runs.events import USUAL, Busy, Event, Skipped, Terms
from bench.runs.forecast import has_device, needed
from bench.runs.inside import failed, lacks_latency
from bench.runs.journal import NAME, is_held
from bench.runs.result import DoneResult
from bench.runs.store import (
    begin,
    check_not_newer,
    find_run,
    forget_failure,
    read_results,
    rewrite,
)
from bench.runs.tuner import TuningFailed, run_tuning
from bench.runs.worker import run_cell
from bench.scoring.metrics import load_metrics, measure
from bench.tuning.job import Job, Prepared, Step

SweepEvent = Event | Prepared | Step
AGAIN = 1.0
"""Seconds between looks at cells that another sweep works on."""
HEADROOM = 0.95
"""The share of the free memory that cells side by side may be expected to need."""


@dataclass(frozen=True, slots=True)
class _Over:
    """A cell's last word was said; `error` is what nobody expected of it.

    `busy` says that another sweep took it a moment ago.
    """

    error: BaseException | None = None
    busy: bool = False


_Said = tuple[Cell, SweepEvent | _Over]


def sweep(cells: Sequence[Cell], results: Path, terms: Terms = USUAL) -> Iterator[tuple[Cell, SweepEvent]]:
    """Run the cells; each ends with its result, or is skipped with the one it has.

    Cells that another sweep works on wait until it is done with them. Raises a FileError before
    anything runs where a cell's result was written by a newer version, and a StoreError where the
    results folder takes no more.
    """
    begin(results)
    for cell in cells:
        check_not_newer(results / cell.folder / "result.json")
    terms = replace(terms, jobs=max(1, min(terms.jobs, len(cells))))
    with closing(_Crew(results, terms)) as crew:
        waiting = list(cells)
        held: set[str] = set()
        while waiting or crew.running:
            for cell in crew.start_of(waiting):
                if cell.facts.id not in held:
                    yield cell, Busy()
                held.add(cell.facts.id)
            for cell, event in crew.heard(seconds=AGAIN if waiting else None):
                if isinstance(event, Busy):  # taken a moment ago
                    waiting.append(cell)
                else:
                    yield cell, event


class _Crew:
    """The running cells: a thread each, which listens to the cell's process. Closing it ends them."""

    def __init__(self, results: Path, terms: Terms) -> None:
        self.results = results
        self.terms = terms
        self.stop = threading.Event()
        self.said: SimpleQueue[_Said] = SimpleQueue()
        self.running: dict[str, tuple[threading.Thread, int]] = {}
        self.free = HEADROOM * psutil.virtual_memory().available
        self.before = list(read_results(results)) if terms.jobs > 1 else []

    def has_room_for(self, cell: Cell) -> bool:
        """Whether another cell may start; one at a time always may."""
        if not self.running:
            return True
        if len(self.running) >= self.terms.jobs or (has_device() and cell.facts.variant.dtype):
            return False  # an accelerator holds one model at a time
        used, wanted = sum(size for _, size in self.running.values()), needed(cell, self.before)
        now = HEADROOM * psutil.virtual_memory().available
        return used + wanted <= self.free and wanted <= now

    def start_of(self, waiting: list[Cell]) -> Iterator[Cell]:
        """Start what there is room for, and take it off the list; yields what another sweep works on."""
        for cell in list(waiting):
            if not self.has_room_for(cell):
                return
            if is_held(self.results, cell.facts.id):
                yield cell
            else:
                waiting.remove(cell)
                self.start(cell)

    def start(self, cell: Cell) -> None:
        thread = threading.Thread(target=self._listen, args=(cell,), daemon=True)
        self.running[cell.facts.id] = thread, needed(cell, self.before)
        thread.start()

    def _listen(self, cell: Cell) -> None:
        error: BaseException | None = None
        busy = False
        try:
            for event in _events(cell, self.results, self.terms, self.stop):
                busy = isinstance(event, Busy)
                if not busy:
                    self.said.put((cell, event))
        except BaseException as caught:  # noqa: BLE001 (it is raised again where the sweep is)
            error = caught
        self.said.put((cell, _Over(error, busy)))

    def heard(self, *, seconds: float | None) -> Iterator[tuple[Cell, SweepEvent]]:
        """The next thing that a cell says, if it says one in that time."""
        with suppress(Empty):
            cell, event = self.said.get(timeout=seconds)
            if not isinstance(event, _Over):
                yield cell, event
                return
            self.running.pop(cell.facts.id)[0].join()
            if event.error is not None:
                raise event.error
            if event.busy:
                yield cell, Busy()

    def close(self) -> None:
        self.stop.set()
        for thread, _ in self.running.values():
            thread.join()


def _events(cell: Cell, results: Path, terms: Terms, stop: threading.Event) -> Iterator[SweepEvent]:
    if cell.reason:
        yield failed(cell, results, cell.reason)
        return
    if cell.tuning is not None:
        yield from _tuned(cell, cell.tuning, results, terms, stop)
        return
    done = None if terms.fresh else _found(cell, results)
    if done is None or lacks_latency(done, terms) or (results / cell.folder / NAME).is_file():
        yield from run_cell(cell, results, terms, stop)
    else:
        forget_failure(results, cell.folder.parent / CANNOT_RUN)
        yield Skipped(done)


def _tuned(cell: Cell, job: Job, results: Path, terms: Terms, stop: threading.Event) -> Iterator[SweepEvent]:
    """Tune, then score with what came of it."""
    for event in run_tuning(job, stop):
        match event:
            case Adapter():
                ready = with_adapter(cell, replace(event, name=QUICK))
                forget_failure(results, cell.folder)
                yield from _when_free(ready, results, terms, stop)
            case TuningFailed(reason=reason, traceback=trace):
                yield failed(cell, results, f"tuning failed: {reason}", trace)
            case _:
                yield event


def _when_free(cell: Cell, results: Path, terms: Terms, stop: threading.Event) -> Iterator[SweepEvent]:
    """A cell that was tuned first; while another sweep works on it, wait here."""
    busy = True
    while busy and not stop.is_set():
        busy = False
        for event in _events(cell, results, terms, stop):
            busy = isinstance(event, Busy)
            if not busy:
                yield event
        if busy:
            stop.wait(AGAIN)


def _found(cell: Cell, results: Path) -> DoneResult | None:
    """The cell's finished result, with any metric that the task names since then added to it."""
    run = find_run(results, cell.folder, cell.facts.id)
    if run is None or not isinstance(run.result, DoneResult):
        return None
    if set(cell.task.metrics) <= run.result.metrics.values.keys():
        return run.result
    try:
        metrics = load_metrics(cell.task.metrics, cell.home)
    except BenchError:  # what is done stays done; the cells that are not yet done say what is wrong
        return run.result
    result = run.result.model_copy(update={"metrics": measure(run.records, metrics)})
    rewrite(results, cell.folder, result)
    return result
