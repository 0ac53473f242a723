"""Leases of cells in a store, against the same work on two machines.

A lease is a file that only one machine can create, and that it renews while it works. Where one is lost, or
the clocks of two machines differ by more than a lease lasts, a cell is answered twice. That does no harm: its
runs are equal.
"""

import json
import threading
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from bench.results.remote import Remote
from bench.results.whole import StoreError

FOLDER = ".leases"
SECONDS = 60.0
"""How long a lease lasts after its machine has renewed it for the last time."""
RENEWALS = 4
"""How often a lease is renewed while it lasts."""
SETTLE_SECONDS = 0.5
"""How long one who takes over a lease waits for others who do the same."""
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
        token = uuid.uuid4().hex
        self._take(name, token)
        end = threading.Event()
        renewing = threading.Thread(target=self._renew, args=(name, token, end), daemon=True)
        renewing.start()
        try:
            yield
        finally:
            end.set()
            renewing.join()
            with suppress(StoreError):  # where that fails, it ends by itself
                if self._read(name).get("token") == token:
                    self.remote.remove([_file(name)])

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

    def _take(self, name: str, token: str) -> None:
        # Stores that cannot create a file conditionally have many ways to say so; what follows needs none.
        with suppress(StoreError):
            if self.remote.create(_file(name), self._text(token)):
                return
        if self._is_anothers(name):
            raise CellLocked
        self.remote.put(_file(name), self._text(token))
        time.sleep(SETTLE_SECONDS)
        if self._read(name).get("token") != token:  # of several that took it over, the last has it
            raise CellLocked

    def _renew(self, name: str, token: str, end: threading.Event) -> None:
        while not end.wait(SECONDS / RENEWALS):
            with suppress(StoreError):
                self.remote.put(_file(name), self._text(token))

    def _text(self, token: str) -> bytes:
        lease = {"owner": self.owner, "token": token, "until": time.time() + SECONDS}
        return json.dumps(lease).encode()

    def _is_anothers(self, name: str) -> bool:
        lease = self._read(name)
        return bool(lease) and lease["owner"] != self.owner and lease["until"] > time.time()

    def _read(self, name: str) -> dict[str, Any]:
        """Owner, token and end of a lease; nothing where there is none."""
        data = self.remote.get([_file(name)]).get(_file(name), b"")
        try:
            lease = json.loads(data)
            return {**lease, "owner": str(lease["owner"]), "until": float(lease["until"])}
        except (ValueError, KeyError, TypeError):
            return {}


def _file(name: str) -> str:
    return f"{FOLDER}/{name}"
