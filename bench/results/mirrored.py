"""Results folders that may be mirrors of a store: for any other folder these functions do nothing."""

import json
import os
import uuid
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from bench.folders import cache_folder, safe_name
from bench.plain_files import read_bytes
from bench.results.lease import Leases
from bench.results.mirror import Mirror
from bench.results.remote import Remote
from bench.results.whole import StoreError, write_whole, writing

MIRRORS = "results-mirrors"
"""The folder of all mirrors, in the cache."""
STORE = ".store.json"
"""The file in a mirror that says of which address it is one."""

_opened: dict[tuple[int, Path], Mirror] = {}
"""By process and folder: connections do not survive a fork."""


def open_mirror(url: str, owner: str = "") -> Mirror:
    """The mirror of an address. `owner` has the leases of this process, by default all of this mirror.

    Raises a UsageError, an Unavailable or a StoreError where the address cannot be opened.
    """
    remote = Remote(url)
    folder = cache_folder().absolute() / MIRRORS / safe_name(remote.url, "store")
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        own = _owner(folder)
        if own is None:
            own = uuid.uuid4().hex
            write_whole({folder / STORE: json.dumps({"url": remote.url, "owner": own}).encode()})
    mirror = Mirror(folder, remote, Leases(remote, owner or own))
    _opened[os.getpid(), folder] = mirror
    return mirror


def _owner(folder: Path) -> str | None:
    try:
        return str(json.loads(read_bytes(folder / STORE))["owner"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def mirror_of(results: Path) -> Mirror | None:
    """The mirror that a results folder is; None for any other folder.

    Raises a StoreError where it has lost the address that it mirrors.
    """
    folder = results.absolute()
    if folder.parent.name != MIRRORS:
        return None
    if mirror := _opened.get((os.getpid(), folder)):
        return mirror
    try:
        url = str(json.loads(read_bytes(folder / STORE))["url"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        text = f"{folder / STORE} is gone, so results could not be sent: run the same command to continue"
        raise StoreError(text) from error
    return open_mirror(url)


def address_of(results: Path) -> str:
    """A results folder as it is given with --results: its path, or the address that it mirrors."""
    mirror = mirror_of(results)
    return mirror.remote.url if mirror else str(results)


def fetch_below(results: Path, folder: Path) -> None:
    """Bring what is below a folder of a mirror to what the store has."""
    if mirror := mirror_of(results):
        mirror.fetch_all(folder.as_posix())


def fetch(results: Path, summaries: Iterable[Path]) -> None:
    """Bring these summaries of a mirror, relative to it, to what the store has."""
    if mirror := mirror_of(results):
        mirror.fetch(summaries)


def send(results: Path, summary: Path) -> None:
    """Send a run of a mirror by its summary, relative to it, unless the store has it."""
    if not _later.get() and (mirror := mirror_of(results)):
        mirror.send(summary)


def forget(results: Path, summary: Path) -> None:
    """Remove a run of a mirror from the store, by its summary, relative to the mirror."""
    if not _later.get() and (mirror := mirror_of(results)):
        mirror.forget(summary)


_later: ContextVar[bool] = ContextVar("later", default=False)


@contextmanager
def sent_later() -> Generator[None]:
    """Let `send` and `forget` do nothing in the block: a caller does it, whose memory nobody measures."""
    token = _later.set(True)
    try:
        yield
    finally:
        _later.reset(token)


def forget_below(results: Path, folder: Path) -> None:
    """Remove from the store all below a folder of a mirror."""
    if mirror := mirror_of(results):
        mirror.forget_below(folder)
