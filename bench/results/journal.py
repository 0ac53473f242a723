"""An unfinished run: a line a batch, on disk before the next batch is begun.

`unfinished.jsonl` in the run's folder begins with what is asked; then comes a line for each batch,
with its records and what it took. A line that is torn, damaged or there twice costs its own batch
at most, which is then scored again.
"""

import errno
import json
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from filelock import FileLock, Timeout
from pydantic import ValidationError

from bench.config import Strict
from bench.results.result import SCHEMA_VERSION, CellFacts
from bench.results.store import LOCKS, check_not_newer, make_folder, whole, writing
from bench.results.upgrade import upgraded_cell
from bench.scoring.record import Record
from bench.types import Item

NAME = "unfinished.jsonl"


class Head(Strict):
    """The first line; `stops` counts how often the run was cut off before.

    What was begun on another `machine`, or with other threads, is begun anew: times could not be added
    up, and sums in 16 bits differ by rounding. `fresh` says that an older run is to be replaced.
    """

    schema_version: Literal[6] = SCHEMA_VERSION
    cell: CellFacts
    machine: str
    fresh: bool = False
    stops: int = 0


class Batch(Strict):
    """`seconds` is the wall time since the batch before, the first one's from the start of scoring."""

    records: tuple[Record, ...]
    batch_tokens: int | None
    seconds: float
    peak_memory_bytes: int | None
    joules: float | None = None


@dataclass(frozen=True, slots=True)
class Unfinished:
    head: Head
    batches: tuple[Batch, ...]

    @property
    def records(self) -> dict[str, Record]:
        """By question id."""
        return {record.question_id: record for batch in self.batches for record in batch.records}


def read_journal(path: Path) -> Unfinished | None:
    """What can be read of it; None where there is none, or its beginning is not one of this version's."""
    try:
        first, *rest = path.read_bytes().split(b"\n")
        head = Head.model_validate(_upgraded(json.loads(first)))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return Unfinished(head, tuple(_batches(rest)))


def _upgraded(raw: object) -> object:
    """A head as this version has it: what was answered under an older one is gone on with."""
    if not isinstance(raw, dict):
        return raw
    head = cast("dict[str, Any]", raw)
    if head.get("schema_version") not in range(1, SCHEMA_VERSION):
        return head
    return head | {"schema_version": SCHEMA_VERSION, "cell": upgraded_cell(head["cell"])}


def _batches(lines: Sequence[bytes]) -> Iterator[Batch]:
    """The batches of the lines that are whole; no question twice."""
    known: set[str] = set()
    for line in lines:
        try:
            batch = Batch.model_validate_json(line)
        except ValidationError:
            continue
        ids = {record.question_id for record in batch.records}
        if len(ids) == len(batch.records) and known.isdisjoint(ids):
            known |= ids
            yield batch


def resumed(results: Path, folder: Path, head: Head, items: Sequence[Item]) -> Unfinished:
    """What the cell has done so far, with the file mended; a new one where there was none of it.

    Raises a FileError where a newer version wrote it.
    """
    path = results / folder / NAME
    before = read_journal(path)
    check_not_newer(path, first_line=True)
    unfinished = Unfinished(head, ())
    if before and _goes_on(before.head, head):
        asked = {item.id: item for item in items}
        kept = tuple(batch for batch in before.batches if all(_answers(r, asked) for r in batch.records))
        stops = before.head.stops + (1 if kept else 0)
        unfinished = Unfinished(before.head.model_copy(update={"stops": stops}), kept)
    lines = [unfinished.head.model_dump_json(), *(batch.model_dump_json() for batch in unfinished.batches)]
    with writing(results / folder):
        make_folder(results, folder)
        for torn in (results / folder).glob(".*.jso*"):  # a killed process's
            torn.unlink()
        whole({path: "".join(f"{line}\n" for line in lines).encode()})
    return unfinished


def _goes_on(before: Head, now: Head) -> bool:
    """Whether what was begun is what is asked; a fresh run takes only from one that was begun fresh."""
    return (before.cell.id, before.machine) == (now.cell.id, now.machine) and before.fresh >= now.fresh


def _answers(record: Record, asked: dict[str, Item]) -> bool:
    item = asked.get(record.question_id)
    if item is None or (record.question, record.options) != (item.question, item.options):
        return False
    right = item.letters[item.answer]
    return record.answer_gt == right and record.is_correct == (record.model_output.final_answer == right)


def append(results: Path, folder: Path, batch: Batch) -> None:
    """Put a batch on disk; raises a StoreError where it cannot be."""
    with writing(results / folder), (results / folder / NAME).open("ab") as file:
        file.write(batch.model_dump_json().encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def forget(results: Path, folder: Path) -> None:
    with writing(results / folder):
        (results / folder / NAME).unlink(missing_ok=True)


class Held(Exception):
    """Another process works on this cell."""


@contextmanager
def holding(results: Path, cell_id: str) -> Generator[None]:
    """Be the one process that works on a cell; raises Held where another is, and never waits."""
    locks = results / LOCKS
    with writing(locks):
        if not locks.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(locks))
        lock = FileLock(locks / f"{cell_id[:32]}.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise Held from error
    try:
        yield
    finally:
        lock.release()


def is_held(results: Path, cell_id: str) -> bool:
    """Whether another process works on the cell just now."""
    if not (results / LOCKS).is_dir():
        return False
    try:
        with holding(results, cell_id):
            return False
    except Held:
        return True
