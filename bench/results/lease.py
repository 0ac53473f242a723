"""Leases of cells in a store, against the same work on two machines.

A lease is a file that only one machine can create, and that it renews while it works. Where one is lost, or
the clocks of two machines differ by more than a lease lasts, a cell is answered twice. That does no harm: its
runs are equal.
"""

import json
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from bench.results.remote import Remote
from bench.results.whole import StoreError

FOLDER = ".leases"
SECONDS = 60.0
"""How long a lease lasts after its machine has renewed it for the last time."""
RENEWALS = 4
"""How often a lease is renewed while it lasts."""
LOOK_SECONDS = 5.0
"""How long an answer of `is_taken` holds."""


class CellLocked(Exception):
    """Another process works on this cell."""


@dataclass(slots=True)
class Leases:
    """The leases that `owner` can take, give and see.

    A lease of the same owner is not in its way: it is that of a process which was killed.
    """

    remote: Remote
    owner: str
    looked: dict[str, tuple[float, bool]] = field(default_factory=dict[str, tuple[float, bool]])

    @contextmanager
    def lease(self, name: str) -> Generator[None]:
        """Have a lease while the block runs; raises CellLocked where another owner has it."""
        self._take(name)
        end = threading.Event()
        renewing = threading.Thread(target=self._renew, args=(name, end), daemon=True)
        renewing.start()
        try:
            yield
        finally:
            end.set()
            renewing.join()
            self.give_up(name)

    def is_taken(self, name: str) -> bool:
        """Whether another owner has the lease, as it was at most LOOK_SECONDS ago."""
        when, taken = self.looked.get(name, (float("-inf"), False))
        if time.monotonic() - when > LOOK_SECONDS:
            taken = self._is_anothers(name)
            self.looked[name] = time.monotonic(), taken
        return taken

    def names(self) -> set[str]:
        """The leases that there are, also those that have ended."""
        return {name.rpartition("/")[2] for name in self.remote.names(FOLDER)}

    def give_up(self, name: str) -> None:
        """Remove a lease, also that of a lost process; where that fails, it ends by itself."""
        with suppress(StoreError):
            self.remote.remove([_file(name)])

    def _take(self, name: str) -> None:
        if self.remote.create(_file(name), self._text()):
            return
        if self._is_anothers(name):
            raise CellLocked
        self.remote.put(_file(name), self._text())

    def _renew(self, name: str, end: threading.Event) -> None:
        while not end.wait(SECONDS / RENEWALS):
            with suppress(StoreError):
                self.remote.put(_file(name), self._text())

    def _text(self) -> bytes:
        return json.dumps({"owner": self.owner, "until": time.time() + SECONDS}).encode()

    def _is_anothers(self, name: str) -> bool:
        data = self.remote.get([_file(name)]).get(_file(name))
        if data is None:
            return False
        try:
            lease = json.loads(data)
            return lease["owner"] != self.owner and float(lease["until"]) > time.time()
        except (ValueError, KeyError, TypeError):  # not a lease
            return False


def _file(name: str) -> str:
    return f"{FOLDER}/{name}"
