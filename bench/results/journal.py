"""The journal of an unfinished run: one line per batch, on disk before the next batch starts.

The first line of `unfinished.jsonl` says what is asked. Each further line has the records of one
batch and what it cost. A line that is incomplete, damaged or repeated loses at most its own batch,
which is then scored again.
"""

import errno
import json
import os
import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import Field, ValidationError

from bench.config import Strict
from bench.numbers import Amount, Count
from bench.plain_files import LARGE, read_bytes
from bench.results.lease import CellLocked
from bench.results.mirrored import mirror_of
from bench.results.result import SCHEMA_VERSION, CellFacts
from bench.results.store import LOCKS, make_folder
from bench.results.summary import check_not_newer
from bench.results.upgrade import upgrade_cell
from bench.results.whole import write_whole, writing
from bench.scoring.record import Record, by_change
from bench.types import Item

NAME = "unfinished.jsonl"
LOCK_LETTERS = 32
"""So much of a cell's id names its lock."""
SHARD_LETTERS = 12
"""So much of the run's id is in the name of any shard's lock, after the shard."""


class Head(Strict):
    """The first line; `stops` counts how often the run was interrupted.

    A run resumes only on the same `machine` with the same number of jobs: times could not be added
    up, and sums in 16 bits differ by rounding. `fresh` is whether it replaces an older run.
    """

    schema_version: Literal[7] = SCHEMA_VERSION
    cell: CellFacts
    machine: str
    fresh: bool = False
    stops: Count = 0


class Batch(Strict):
    """`seconds` is wall time since the end of the previous batch, or since scoring started.

    A batch of changed questions has these in `probed`, and no other records.
    """

    records: tuple[Record, ...]
    batch_tokens: Count | None
    seconds: Amount
    peak_memory_bytes: Count | None
    joules: Amount | None = None
    probed: tuple[Record, ...] = Field(default=(), exclude_if=lambda probed: not probed)
    server: str = Field(default="", exclude_if=lambda server: not server)
    """What the server said of the model, where one answered; answers of another model are not kept."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The readable contents of a journal."""

    head: Head
    batches: tuple[Batch, ...]

    @property
    def records(self) -> dict[str, Record]:
        """By question id."""
        return {record.question_id: record for batch in self.batches for record in batch.records}

    @property
    def probed(self) -> dict[tuple[str, str], Record]:
        """The records of changed questions, by (question id, how it was changed)."""
        return by_change(record for batch in self.batches for record in batch.probed)


def read_journal(path: Path) -> Unfinished | None:
    """The readable part of a journal; None where it is missing or its first line is not valid."""
    try:
        first, *rest = read_bytes(path, LARGE).split(b"\n")
        head = Head.model_validate(_upgraded(json.loads(first)))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return Unfinished(head, tuple(_batches(rest)))


def _upgraded(raw: object) -> object:
    """The head in the form of this version, so that runs of older versions can resume."""
    if not isinstance(raw, dict):
        return raw
    head = cast("dict[str, Any]", raw)
    if head.get("schema_version") not in range(1, SCHEMA_VERSION):
        return head
    return head | {"schema_version": SCHEMA_VERSION, "cell": upgrade_cell(head["cell"])}


def _batches(lines: Sequence[bytes]) -> Iterator[Batch]:
    """The batches of the valid lines, without those that repeat a question."""
    seen: set[tuple[str, str]] = set()
    for line in lines:
        try:
            batch = Batch.model_validate_json(line)
        except ValidationError:
            continue
        records = (*batch.records, *batch.probed)
        ids = by_change(records).keys()
        if len(ids) == len(records) and seen.isdisjoint(ids):
            seen |= ids
            yield batch


def start_or_resume(results: Path, folder: Path, head: Head, items: Sequence[Item]) -> Unfinished:
    """Rewrite the journal with its valid batches, or start a new one; returns its contents.

    Raises a FileError where a newer version wrote it, and a StoreError where it cannot be written.
    """
    from filelock import FileLock

    path = results / folder / NAME
    before = read_journal(path)
    check_not_newer(path, first_line=True)
    unfinished = Unfinished(head, ())
    if before and _can_resume(before.head, head):
        asked = {item.id: item for item in items}
        kept = tuple(batch for batch in before.batches if _is_of(batch, asked))
        stops = before.head.stops + (1 if kept else 0)
        unfinished = Unfinished(before.head.model_copy(update={"stops": stops}), kept)
    with writing(results / folder):
        make_folder(results, folder)
        with FileLock(results / ".lock"):
            for incomplete in (results / folder).glob(".*.jso*"):  # of a killed process
                incomplete.unlink()
    _write(path, unfinished)
    return unfinished


def keep_only(results: Path, folder: Path, unfinished: Unfinished, server: str) -> Unfinished:
    """The contents without batches that another server's model answered, and the journal rewritten."""
    kept = tuple(batch for batch in unfinished.batches if batch.server == server)
    if len(kept) == len(unfinished.batches):
        return unfinished
    less = Unfinished(unfinished.head, kept)
    _write(results / folder / NAME, less)
    return less


def _write(path: Path, unfinished: Unfinished) -> None:
    lines = [unfinished.head.model_dump_json(), *(batch.model_dump_json() for batch in unfinished.batches)]
    with writing(path.parent):
        write_whole({path: "".join(f"{line}\n" for line in lines).encode()})


def _can_resume(before: Head, now: Head) -> bool:
    """Whether a journal is of the same cell and machine; a fresh run resumes only one that was fresh too."""
    return (before.cell.id, before.machine) == (now.cell.id, now.machine) and before.fresh >= now.fresh


def _is_of(batch: Batch, asked: dict[str, Item]) -> bool:
    """Whether a batch's records are of the asked questions."""
    known = all(record.question_id in asked for record in batch.probed)
    return known and all(_is_valid(record, asked) for record in batch.records)


def _is_valid(record: Record, asked: dict[str, Item]) -> bool:
    """Whether a record has an asked question with its options and right answer."""
    item = asked.get(record.question_id)
    if item is None or (record.question, record.options) != (item.question, item.options):
        return False
    right = item.letters[item.answer]
    return record.answer_gt == right and record.is_correct == (record.model_output.final_answer == right)


def append(results: Path, folder: Path, batch: Batch) -> None:
    """Append a batch and wait until it is on disk; raises a StoreError where it cannot be written."""
    with writing(results / folder), (results / folder / NAME).open("ab") as file:
        file.write(batch.model_dump_json().encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def forget(results: Path, folder: Path) -> None:
    """Remove the journal, if there is one; raises a StoreError where it cannot be removed."""
    with writing(results / folder):
        (results / folder / NAME).unlink(missing_ok=True)


@contextmanager
def lock_cell(results: Path, cell_id: str) -> Generator[None]:
    """Lock a cell for this process, without waiting.

    Raises CellLocked where another process works on the cell, and a StoreError where no lock can be made.
    """
    from filelock import FileLock, Timeout

    locks = results / LOCKS
    with writing(locks):
        if not locks.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(locks))
        lock = FileLock(locks / f"{lock_name(cell_id)}.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise CellLocked from error
    try:
        yield
    finally:
        lock.release()


def lock_name(cell_id: str) -> str:
    """The name of a cell's lock, and of its lease in a store."""
    return cell_id[:LOCK_LETTERS]


def is_locked(results: Path, cell_id: str) -> bool:
    """Whether another process on this machine works on the cell now."""
    if not (results / LOCKS).is_dir():
        return False
    try:
        with lock_cell(results, cell_id):
            return False
    except CellLocked:
        return True


def is_leased(results: Path, cell_id: str) -> bool:
    """Whether another machine works on the cell of a mirror now."""
    mirror = mirror_of(results)
    return mirror is not None and mirror.leases.is_taken(lock_name(cell_id))


def is_worked_on(results: Path, cell_id: str) -> bool:
    """Whether another process works on the cell, or on a shard of it, now."""
    names = {path.stem for path in (results / LOCKS).glob("*.lock")}
    if mirror := mirror_of(results):
        names |= mirror.leases.names()
    shards = [name for name in names if re.match(rf"\d+-of-\d+-{cell_id[:SHARD_LETTERS]}", name)]
    return any(is_locked(results, name) or is_leased(results, name) for name in (cell_id, *shards))
