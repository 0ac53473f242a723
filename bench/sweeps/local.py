"""The executor `local`: cells in processes of this machine, as many at a time as its memory holds."""

import threading
from pathlib import Path
from queue import Empty, SimpleQueue

import psutil

from bench.cells.cell import Runnable
from bench.cells.forecast import expected_peak_bytes
from bench.results.machine import has_accelerator
from bench.results.store import read_results
from bench.sweeps.events import Event, Last, Terms
from bench.sweeps.supervise import run_cell

HEADROOM = 0.95
"""The share of the free memory that cells side by side are expected to need at most."""


class LocalProcesses:
    """For each running cell, a thread that receives the events of the cell's process."""

    def __init__(self, results: Path, terms: Terms) -> None:
        self.results = results
        self.terms = terms
        self.stop = threading.Event()
        self.events: SimpleQueue[tuple[Runnable, Event | BaseException]] = SimpleQueue()
        self.threads: dict[str, threading.Thread] = {}
        self.expected_bytes: dict[str, int] = {}
        self.free_bytes = _free_bytes()
        self.before = list(read_results(results)) if terms.jobs > 1 else []

    def has_room(self, cell: Runnable) -> bool:
        """One cell always has room; more have it as `--jobs` and memory allow."""
        if not self.threads:
            return True
        if len(self.threads) >= self.terms.jobs or (has_accelerator() and cell.variant.dtype):
            return False  # an accelerator holds one model at a time
        wanted = expected_peak_bytes(cell, self.before)
        # What runs may not have grown to its peak yet, and other programs take memory too.
        return sum(self.expected_bytes.values()) + wanted <= self.free_bytes and wanted <= _free_bytes()

    def start(self, cell: Runnable) -> None:
        """Start a thread for the cell, which starts its process."""
        thread = threading.Thread(target=self._run, args=(cell,), daemon=True)
        self.threads[cell.id] = thread
        self.expected_bytes[cell.id] = expected_peak_bytes(cell, self.before)
        thread.start()

    def _run(self, cell: Runnable) -> None:
        try:
            for event in run_cell(cell, self.results, self.terms, self.stop):
                self.events.put((cell, event))
        except BaseException as error:  # noqa: BLE001 (it is raised again in the sweep's thread)
            self.events.put((cell, error))

    def next_event(self, seconds: float | None) -> tuple[Runnable, Event] | None:
        """The next event of any cell; raises what ended a cell's thread."""
        try:
            cell, event = self.events.get(timeout=seconds)
        except Empty:
            return None
        if isinstance(event, BaseException):
            raise event
        if isinstance(event, Last):
            self.threads.pop(cell.id).join()
            del self.expected_bytes[cell.id]
        return cell, event

    def close(self) -> None:
        """End the processes that run."""
        self.stop.set()
        for thread in self.threads.values():
            thread.join()


def _free_bytes() -> float:
    return HEADROOM * psutil.virtual_memory().available
