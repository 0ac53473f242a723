"""The mirror of a store's results: a results folder in the cache, where they are computed and read.

A run or a part is sent as soon as its files are written: first what its summary refers to, under names with
their digests, then the summary. So whoever reads a summary finds its records, whatever is killed between.
Nothing that a summary may refer to is changed. `.NAME.sent` beside a summary says what the store had of it
when it was last sent or fetched.
"""

import json
import os
import uuid
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from bench.plain_files import LARGE, read_bytes
from bench.results.files import PROBED, digest
from bench.results.lease import FOLDER as LEASES
from bench.results.lease import Leases
from bench.results.remote import Remote
from bench.results.stored_names import (
    SUMMARIES,
    is_finished,
    is_summary,
    is_summary_text,
    refers_to,
    sent_name,
    stored_name,
)
from bench.results.whole import StoreError, write_whole, writing

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

        What was computed here and is not sent yet stays, unless the store has had a finished one since.
        """
        left = iter(dict.fromkeys(summaries))
        while some := list(islice(left, AT_ONCE)):
            before = {path: self._sent(path) for path in some}
            stored = self.remote.get(path.as_posix() for path in some)
            news: dict[Path, bytes] = {}
            with self._locked():
                for path in some:
                    data = stored.get(path.as_posix())
                    if self._sent(path) != before[path]:
                        continue  # another process has sent it meanwhile
                    if data is None:
                        self._drop(path)
                    elif self._takes(path, data):
                        news[path] = data
            self._fetch_whole(news)

    def fetch_all(self, below: str = "") -> None:
        """Bring the whole folder, or what is below one, to what the store has; what is not sent yet stays."""
        names = self.remote.names(below)
        listed = {Path(name): version for name, version in names.items() if is_summary(name)}
        here = set(self._summaries_here(below))
        changed = [
            path
            for path, version in listed.items()
            if self._sent(path).get("version") != version or not self._is_whole(path)
        ]
        self.fetch([*sorted(here - listed.keys()), *changed])
        for path in changed:
            if sent := self._sent(path):
                self._write_sent(path, sent["summary"], listed[path])

    def send(self, summary: Path) -> None:
        """Send a run, a part or a test, unless the store has it. A failure takes no finished run's place."""
        data = self._read(summary)
        if data is None or self._sent(summary).get("summary") == digest(data):
            return
        name = summary.as_posix()
        name = summary.as_posix()
        before = None if is_finished(data) else self.remote.get([name]).get(name)
        if is_finished(before):
            self.fetch([summary])
            return
        for file, sha256 in refers_to(data).items():
            records = self._records(summary.parent / file, sha256)
            if records is None:
                return  # another process has written the run anew, and sends it
            self.remote.put(stored_name(summary.parent / file, sha256), records)
        self.remote.put(name, data)
        self._write_sent(summary, digest(data))

    def send_all(self) -> int:
        """Send what is here alone, as far as that can be done; returns how many runs are left."""
        unsent = [path for path in self._summaries_here() if self._is_unsent(path)]
        with suppress(StoreError):
            for path in unsent:
                self.send(path)
        return sum(map(self._is_unsent, unsent))

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

    def forget_removed(self, summary: Path) -> None:
        """Remove from the store what was sent from here and was removed here."""
        if self._sent(summary) and not (self.folder / summary).is_file():
            self.forget(summary)

    def _summaries_here(self, below: str = "") -> Iterator[Path]:
        for top, _, names in os.walk(self.folder / below):
            for name in names:
                path = Path(top, name).relative_to(self.folder)
                if is_summary(path.as_posix()):
                    yield path

    def _is_unsent(self, summary: Path) -> bool:
        data = self._read(summary)
        return data is not None and self._sent(summary).get("summary") != digest(data)

    def _is_whole(self, summary: Path) -> bool:
        """Whether a summary is here with the files that it refers to."""
        data = self._read(summary)
        return data is not None and all(
            (self.folder / summary.parent / name).is_file() for name in refers_to(data)
        )

    def _takes(self, summary: Path, stored: bytes) -> bool:
        """Whether the store's summary, or a file that it refers to, is to be fetched.

        Where both sides have the same one, or the store has half of one, that is noted beside the one here.
        """
        here, sent = self._read(summary), self._sent(summary).get("summary")
        if here is None:
            return True
        if here == stored:
            if sent != digest(here):
                self._write_sent(summary, digest(here))
            return not self._is_whole(summary)
        if is_summary_text(here) and not is_summary_text(stored):  # one that is being written, or was cut off
            (self.folder / sent_name(summary)).unlink(missing_ok=True)
            return False
        if digest(here) == sent:
            return True
        return digest(stored) != sent and (is_finished(stored) or not is_finished(here))

    def _fetch_whole(self, summaries: Mapping[Path, bytes]) -> None:
        wanted = {
            stored_name(path.parent / name, sha256): path.parent / name
            for path, data in summaries.items()
            for name, sha256 in refers_to(data).items()
            if self._records(path.parent / name, sha256) is None
        }
        stored = self.remote.get(wanted)
        for path, data in summaries.items():
            with writing(self.folder / path.parent), self._locked():
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

    def _read(self, path: Path) -> bytes | None:
        """A file of the mirror; None where there is none."""
        try:
            return read_bytes(self.folder / path, LARGE)
        except OSError:
            return None

    def _records(self, path: Path, sha256: str) -> bytes | None:
        """A file of records, where it is here with this digest."""
        data = self._read(path)
        return data if data is not None and digest(data) == sha256 else None

    def _drop(self, summary: Path) -> None:
        """Remove what the store has no more, because it was removed on another machine.

        What was computed here since it was sent stays, and counts as never sent.
        """
        unsent, was_sent = self._is_unsent(summary), self._sent(summary)
        (self.folder / sent_name(summary)).unlink(missing_ok=True)
        if was_sent and not unsent:
            for name in (summary.name, "records.jsonl", PROBED):
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

    @contextmanager
    def _locked(self) -> Generator[None]:
        """While the block runs, no other process writes or removes runs of this mirror."""
        from filelock import FileLock

        with writing(self.folder), FileLock(self.folder / ".lock"):
            yield
