"""An unfinished run: a line a batch, on disk before the next batch is begun.

`unfinished.jsonl` in the run's folder begins with what is asked; then comes a line for each batch,
with its records and what it took. A line that is torn, damaged or there twice costs its own batch
at most, which is then scored again.
"""

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout
from pydantic import ValidationError

from bench.config import Strict
from bench.runs.result import SCHEMA_VERSION, CellFacts
from bench.runs.store import whole, writing
from bench.scoring.record import Record
from bench.types import Item

NAME = "unfinished.jsonl"


class Head(Strict):
    """The first line; `stops` counts how often the run was cut off before."""

    schema_version: Literal[4] = SCHEMA_VERSION
    cell: CellFacts
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
        head = Head.model_validate_json(first)
    except (OSError, ValidationError):
        return None
    return Unfinished(head, tuple(_batches(rest)))


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


def resumed(results: Path, folder: Path, cell: CellFacts, items: Sequence[Item]) -> Unfinished:
    """What the cell has done so far, with the file mended; a new one where there was none of it."""
    path = results / folder / NAME
    found = read_journal(path)
    if found is None or found.head.cell.id != cell.id:
        found = Unfinished(Head(cell=cell), ())
    else:
        asked = {item.id: item for item in items}
        kept = tuple(batch for batch in found.batches if all(_answers(r, asked) for r in batch.records))
        found = Unfinished(Head(cell=cell, stops=found.head.stops + 1), kept)
    lines = [found.head.model_dump_json(), *(batch.model_dump_json() for batch in found.batches)]
    with writing(results / folder):
        (results / folder).mkdir(parents=True, exist_ok=True)
        whole(path, "".join(f"{line}\n" for line in lines).encode())
    return found


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
    locks = results / ".locks"
    with writing(locks):
        locks.mkdir(parents=True, exist_ok=True)
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
    try:
        with holding(results, cell_id):
            return False
    except Held:
        return True
