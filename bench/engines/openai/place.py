"""Whether a server computes on this machine, and the memory that it takes here."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from bench.engines.memory import high_water
from bench.engines.openai.settings import ServerSettings

BUSY = 0.2
"""The share of the time that a server computes at least; one that only passes answers on is idle."""


@dataclass(slots=True)
class Place:
    """The processes that listen at the server's port on this machine, with those that they started.

    A tunnel or a container's proxy listens here too and computes elsewhere: only a server whose processes
    used the processor while it answered is said to run here.
    """

    settings: ServerSettings
    started: float = field(default_factory=time.monotonic)
    before: float = 0.0

    def __post_init__(self) -> None:
        self.before = self._processor_seconds()

    @property
    def runs_here(self) -> bool:
        seconds = time.monotonic() - self.started
        return seconds > 0 and (self._processor_seconds() - self.before) / seconds >= BUSY

    def peak_memory_bytes(self) -> int | None:
        """The peak of the server's processes since they were started; None where it does not run here."""
        if not self.runs_here:
            return None
        return sum(filter(None, (high_water(each.pid) for each in self._processes()))) or None

    def _processor_seconds(self) -> float:
        total = 0.0
        for each in self._processes():
            with suppress(psutil.Error):
                times = each.cpu_times()
                total += times.user + times.system
        return total

    def _processes(self) -> Iterator[psutil.Process]:
        if not self.settings.is_loopback:
            return
        seen: set[int] = {os.getpid()}
        for pid in _listeners(self.settings.port):
            with suppress(psutil.Error):
                parent = psutil.Process(pid)
                for each in (parent, *parent.children(recursive=True)):
                    if each.pid not in seen:
                        seen.add(each.pid)
                        yield each


def _listeners(port: int) -> set[int]:
    """The processes that listen at a port; those of other users are not seen."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except (psutil.Error, OSError):
        return set()
    return {
        each.pid
        for each in connections
        if each.status == psutil.CONN_LISTEN and each.pid and each.laddr and each.laddr.port == port
    }
