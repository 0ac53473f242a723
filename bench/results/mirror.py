"""The mirror of a store's results: a results folder in the cache, where they are computed and read.

A run or a part is sent as soon as its files are written: first what its summary refers to, under names with
their digests, then the summary. So whoever reads a summary finds its records, whatever is killed between.
Nothing that a summary may refer to is changed. `.NAME.sent` beside a summary says what the store had of it
when it was last sent or fetched. Functions that take a results folder do nothing where it is no mirror.
"""

import json
import os
import uuid
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from bench.folders import cache_folder, safe_name
from bench.plain_files import LARGE, read_bytes
from bench.results.files import PROBED, digest
from bench.results.lease import FOLDER as LEASES
from bench.results.lease import Leases
from bench.results.remote import Remote
from bench.results.stored_names import SUMMARIES, is_summary, refers_to, sent_name, stored_name
from bench.results.whole import StoreError, write_whole, writing

MIRRORS = "results-mirrors"
"""The folder of all mirrors, in the cache."""
STORE = ".store.json"
"""The file in a mirror that says of which address it is one."""
AT_ONCE = 64
"""Summaries whose records are fetched at once."""


@dataclass(frozen=True, slots=True)
class Mirror:
    """The folder of a mirror, with what it mirrors and the leases there."""

    folder: Path
    remote: Remote
    leases: Leases

    def check_writable(self) -> None:
        """Raises a StoreError where nothing can be written to the store."""
        name = f"{LEASES}/writable-{uuid.uuid4().hex}"
        self.remote.put(name, b"")
        self.remote.remove([name])

    def fetch(self, summaries: Iterable[Path]) -> None:
        """Bring these summaries, relative to the folder, and their records to what the store has.

        What was computed here and is not sent yet stays, unless the store has had another since.
        """
        names = {path.as_posix(): path for path in summaries}
        left = iter(names)
        while some := list(islice(left, AT_ONCE)):
            stored = self.remote.get(some)
            for name in some:
                if name not in stored and self._sent(names[name]):
                    self._drop(names[name])
            news = {names[name]: data for name, data in stored.items() if self._is_news(names[name], data)}
            self._fetch_whole(news)

    def fetch_all(self) -> None:
        """Bring the whole folder to what the store has; what is not sent yet stays."""
        listed = {Path(name): version for name, version in self.remote.names().items() if is_summary(name)}
        here = {path.relative_to(self.folder) for path in self._summaries_here()}
        changed = [path for path, version in listed.items() if self._sent(path).get("version") != version]
        self.fetch(dict.fromkeys([*sorted(here - listed.keys()), *changed]))
        for path in changed:
            if sent := self._sent(path):
                self._write_sent(path, sent["summary"], listed[path])

    def send(self, summary: Path) -> None:
        """Send a run, a part or a test, unless the store has it."""
        try:
            data = read_bytes(self.folder / summary, LARGE)
        except OSError:
            return
        if self._sent(summary).get("summary") == digest(data):
            return
        for name, sha256 in refers_to(data).items():
            records = self._records(summary.parent / name, sha256)
            if records is None:
                return  # another process has written the run anew, and sends it
            self.remote.put(stored_name(summary.parent / name, sha256), records)
        self.remote.put(summary.as_posix(), data)
        self._write_sent(summary, digest(data))

    def settle(self, summaries: Iterable[Path]) -> None:
        """Send these summaries, and remove from the store those that were removed here."""
        for summary in summaries:
            if (self.folder / summary).is_file():
                self.send(summary)
            elif self._sent(summary):
                self.forget(summary)

    def forget(self, summary: Path) -> None:
        """Remove a run, a part or a test from the store: its summary first, then its records."""
        (self.folder / sent_name(summary)).unlink(missing_ok=True)
        stems = {Path(name).stem for name in ("records.jsonl", PROBED)}
        beside = [
            name
            for name in self.remote.names(summary.parent.as_posix())
            if Path(name).parent == summary.parent and Path(name).stem.partition("-")[0] in stems
        ]
        self.remote.remove([summary.as_posix(), *(beside if summary.name in SUMMARIES else [])])

    def forget_below(self, folder: Path) -> None:
        """Remove all runs and parts below a folder from the store, summaries first."""
        names = sorted(self.remote.names(folder.as_posix()), key=lambda name: not is_summary(name))
        self.remote.remove(names)

    def unsent(self) -> int:
        """How many runs, parts and tests are here alone."""
        here = self._summaries_here()
        return sum(
            self._sent(path.relative_to(self.folder)).get("summary") != digest(read_bytes(path, LARGE))
            for path in here
        )

    def _summaries_here(self) -> Iterator[Path]:
        for top, _, names in os.walk(self.folder):
            for name in names:
                path = Path(top, name)
                if is_summary(path.relative_to(self.folder).as_posix()):
                    yield path

    def _is_news(self, summary: Path, stored: bytes) -> bool:
        """Whether the store's summary takes the place of the one here."""
        try:
            here = digest(read_bytes(self.folder / summary, LARGE))
        except OSError:
            return True
        sent = self._sent(summary).get("summary")
        if here == digest(stored):
            if sent != here:
                self._write_sent(summary, here)
            return False
        return here == sent or digest(stored) != sent

    def _fetch_whole(self, summaries: dict[Path, bytes]) -> None:
        wanted = {
            stored_name(path.parent / name, sha256): path.parent / name
            for path, data in summaries.items()
            for name, sha256 in refers_to(data).items()
            if self._records(path.parent / name, sha256) is None
        }
        stored = self.remote.get(wanted)
        for path, data in summaries.items():
            with writing(self.folder / path.parent):
                (self.folder / path.parent).mkdir(parents=True, exist_ok=True)
                beside = {
                    self.folder / local: stored[name]
                    for name, local in wanted.items()
                    if local.parent == path.parent and name in stored
                }
                if PROBED not in refers_to(data):
                    (self.folder / path.parent / PROBED).unlink(missing_ok=True)
                write_whole(beside | {self.folder / path: data})
            self._write_sent(path, digest(data))

    def _records(self, path: Path, sha256: str) -> bytes | None:
        """A file of records, where it is here with this digest."""
        try:
            data = read_bytes(self.folder / path, LARGE)
        except OSError:
            return None
        return data if digest(data) == sha256 else None

    def _drop(self, summary: Path) -> None:
        """Remove what the store has no more, because it was removed on another machine."""
        for name in (summary.name, "records.jsonl", PROBED, sent_name(summary).name):
            (self.folder / summary.parent / name).unlink(missing_ok=True)

    def _sent(self, summary: Path) -> dict[str, str]:
        try:
            sent = json.loads(read_bytes(self.folder / sent_name(summary)))
            return {"summary": str(sent["summary"]), "version": str(sent["version"])}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def _write_sent(self, summary: Path, sha256: str, version: str = "") -> None:
        with writing(self.folder / summary.parent):
            sent = json.dumps({"summary": sha256, "version": version}).encode()
            write_whole({self.folder / sent_name(summary): sent})


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


def fetch(results: Path, summaries: Iterable[Path]) -> None:
    """Bring these summaries of a mirror, relative to it, to what the store has."""
    if mirror := mirror_of(results):
        mirror.fetch(summaries)


def settle(results: Path, summary: Path) -> None:
    """Send a run of a mirror, by its summary, or remove it from the store where it was removed here."""
    if not _later.get() and (mirror := mirror_of(results)):
        mirror.settle([summary])


_later: ContextVar[bool] = ContextVar("later", default=False)


@contextmanager
def settled_later() -> Generator[None]:
    """Let `settle` do nothing in the block: a caller does it, whose memory and time nobody measures."""
    token = _later.set(True)
    try:
        yield
    finally:
        _later.reset(token)


def forget_below(results: Path, folder: Path) -> None:
    """Remove from the store all below a folder of a mirror."""
    if mirror := mirror_of(results):
        mirror.forget_below(folder)
