"""The executor `local`: cells in processes on this machine, as many at a time as fit in memory."""

import threading
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue

import psutil

from bench.cells.cell import Runnable
from bench.cells.forecast import expected_peak_bytes
from bench.engines.device import accelerators
from bench.results.store import read_results
from bench.sweeps.accelerators import Accelerators, memory_each
from bench.sweeps.events import Event, Last, Terms
from bench.sweeps.supervise import run_cell
from bench.sweeps.warm import kill_idle

HEADROOM = 0.95
"""The share of free memory that cells running side by side may be expected to need."""


class LocalProcesses:
    """For each running cell, a thread that receives the events of the cell's process."""

    def __init__(self, results: Path, terms: Terms) -> None:
        self.results = results
        self.terms = terms
        self.stop = threading.Event()
        self.events: SimpleQueue[tuple[Runnable, Event | BaseException]] = SimpleQueue()
        self.threads: dict[str, threading.Thread] = {}
        self.expected_bytes: dict[str, int] = {}
        names = accelerators()
        self.accelerators = Accelerators(names, memory_each() if len(names) > 1 else None)
        self.taken: dict[str, tuple[str, ...]] = {}
        self.free_bytes = _free_bytes()
        self.before = list(read_results(results)) if terms.jobs > 1 else []

    def has_room(self, cell: Runnable) -> bool:
        """Whether nothing runs, or `--jobs` and the free memory allow one more."""
        if not self.threads:
            return True
        if len(self.threads) >= self.terms.jobs or not self.accelerators.has_room(cell):
            return False
        needed = expected_peak_bytes(cell, self.before)
        # Both tests: running cells may not have reached their peaks, and other programs take memory too.
        return sum(self.expected_bytes.values()) + needed <= self.free_bytes and needed <= _free_bytes()

    def start(self, cell: Runnable) -> None:
        """Start a thread for the cell, which starts its process."""
        self.taken[cell.id] = devices = self.accelerators.take(cell)
        thread = threading.Thread(target=self._run, args=(cell, devices), daemon=True)
        self.threads[cell.id] = thread
        self.expected_bytes[cell.id] = expected_peak_bytes(cell, self.before)
        thread.start()

    def _run(self, cell: Runnable, devices: tuple[str, ...]) -> None:
        try:
            for event in run_cell(cell, self.results, replace(self.terms, devices=devices), self.stop):
                self.events.put((cell, event))
        except BaseException as error:  # noqa: BLE001 (it is raised again in the sweep's thread)
            self.events.put((cell, error))

    def next_event(self, seconds: float | None) -> tuple[Runnable, Event] | None:
        """The next event of any cell; raises the error that ended a cell's thread."""
        try:
            cell, event = self.events.get(timeout=seconds)
        except Empty:
            return None
        if isinstance(event, BaseException):
            raise event
        if isinstance(event, Last):
            self.threads.pop(cell.id).join()
            del self.expected_bytes[cell.id]
            self.accelerators.give_back(self.taken.pop(cell.id))
        return cell, event

    def close(self) -> None:
        """End the running processes, and wait for their threads."""
        self.stop.set()
        if any(thread.is_alive() for thread in self.threads.values()):
            kill_idle()
        for thread in self.threads.values():
            thread.join()


def _free_bytes() -> float:
    return HEADROOM * psutil.virtual_memory().available
