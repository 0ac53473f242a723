"""`results/contamination/`: tests of the published order, a file each, and what of an unfinished one is kept.

A file has the log-probability of every order of every shard, and no text. p follows from these numbers, so
`bench results check` computes it again.
"""

import hashlib
import json
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, ValidationError, model_validator

from bench.config import Strict
from bench.errors import FileError, Mistake
from bench.folders import display
from bench.numbers import Amount, Count, Positive, Real, Share
from bench.plain_files import read_bytes
from bench.results.identity import identity
from bench.results.mirrored import send
from bench.results.result import SCHEMA_VERSION, CellFacts, Provenance
from bench.results.summary import read_summary, summary_bytes
from bench.results.whole import write_whole, writing
from bench.stats.contamination import OrderTest, order_test

FOLDER = "contamination"
UNFINISHED = ".unfinished.jsonl"
TOLERANCE = 1e-9


class Shard(Strict):
    """A run of `questions` consecutive questions, the first at index `first`, from 0.

    `logprobs` are the natural log-probabilities of its orders, the published one first, each over about
    `tokens` tokens; they took `seconds`.
    """

    first: Count
    questions: Annotated[Count, Field(ge=2)]
    tokens: Positive
    logprobs: Annotated[tuple[Real, ...], Field(min_length=2)]
    seconds: Amount
    server: str = Field(default="", exclude_if=lambda server: not server)
    """What a server named of the model, where one answered; shards of another model are asked again."""


class Asked(Strict):
    """What was asked of a model: `shuffles` random orders of each shard of at most `shard_tokens` tokens.

    `cell` says which model and data; `order_sha256` is the digest of the questions that were asked, in their
    order. `id` is the identity of all that can change a number.
    """

    schema_version: Literal[6, 7] = SCHEMA_VERSION
    id: str
    cell: CellFacts
    order_sha256: str
    shuffles: Positive
    shard_tokens: Positive
    seed: Count

    @property
    def file_name(self) -> str:
        """Without its ending."""
        return f"{self.cell.model.name}-{self.cell.task.name}-{self.id[:10]}"


class ContaminationTest(Asked):
    """A finished test; `statistic`, `p` and `t_test_p` are what `order_test` gives for its shards."""

    shards: Annotated[tuple[Shard, ...], Field(min_length=2)]
    draws: Positive
    statistic: Real
    p: Annotated[Share, Field(gt=0)]
    t_test_p: Share | None
    group_p: Share | None = Field(default=None, exclude_if=lambda p: p is None)
    """The p of the same test of how many neighbours are of one group: a small one says that the file is
    sorted, which may make its order likelier by itself. Without groups it is not in the file."""
    provenance: Provenance

    @model_validator(mode="after")
    def _has_every_order_once(self) -> Self:
        if any(len(shard.logprobs) != 1 + self.shuffles for shard in self.shards):
            raise ValueError(f"shards: each has the published order and {self.shuffles} others")
        ends = [0, *(shard.first + shard.questions for shard in self.shards)]
        if any(shard.first < end for shard, end in zip(self.shards, ends, strict=False)):
            raise ValueError("shards: they overlap, or are not in order")
        return self

    @property
    def questions(self) -> int:
        """How many questions stand in a shard."""
        return sum(shard.questions for shard in self.shards)

    @property
    def left_out(self) -> int:
        """How many of the questions that were to be asked stand in no shard."""
        return (self.cell.limit or self.cell.data["test"].rows) - self.questions

    @property
    def tokens(self) -> int:
        """Tokens that the model read, about."""
        return sum(shard.tokens for shard in self.shards) * (1 + self.shuffles)

    @property
    def seconds(self) -> float:
        return sum(shard.seconds for shard in self.shards)


class Head(Strict):
    """The first line of an unfinished test, which resumes only on the same `machine`, by rounding."""

    schema_version: Literal[7] = SCHEMA_VERSION
    id: str
    machine: str


def id_of(asked: Asked) -> str:
    """SHA-256, hex, of all that can change a number."""
    parts = [identity(asked.cell), asked.order_sha256, asked.shuffles, asked.shard_tokens, asked.seed]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def tested(shards: Sequence[Shard], seed: int, draws: int) -> OrderTest:
    """The test of these shards."""
    return order_test(np.array([shard.logprobs for shard in shards]), seed, draws)


def file_of(results: Path, asked: Asked) -> Path:
    return results / FOLDER / f"{asked.file_name}.json"


def read_test(path: Path) -> ContaminationTest:
    """Read one file; raises a FileError where it is not valid, was changed, or a newer version wrote it."""
    raw = read_summary(path)
    try:
        test = ContaminationTest.model_validate(raw, strict=False)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        text = f"not a contamination test: {first['msg']}; remove it, and run the test again"
        raise FileError([Mistake(display(path), 0, key, text)]) from error
    if faults := [Mistake(display(path), 0, key, text) for key, text in _faults(test, path)]:
        raise FileError(faults)
    return test


def read_tests(results: Path) -> Iterator[ContaminationTest | FileError]:
    """Every test in the results folder, sorted by file, with the FileError in place of a damaged one."""
    for path in sorted((results / FOLDER).glob("*.json")):
        try:
            yield read_test(path)
        except FileError as error:
            yield error


def check_tests(results: Path) -> Iterator[tuple[Path, str]]:
    """What is wrong with which file."""
    for path in sorted((results / FOLDER).glob("*.json")):
        try:
            test = read_test(path)
        except FileError as error:
            yield from ((path, f"{each.key}: {each.text}".removeprefix(": ")) for each in error.mistakes)
        else:
            yield from ((path, text) for text in _differences(test))


def _faults(test: ContaminationTest, path: Path) -> Iterator[tuple[str, str]]:
    """(key, what is wrong) of what does not follow from the other keys."""
    if identity(test.cell) != test.cell.id or id_of(test) != test.id:
        yield "id", "not the identity that the file's facts give"
    if path.stem != test.file_name:
        yield "", f"not the name of this test, {test.file_name}.json"
    if test.left_out < 0:
        yield "shards", "more questions than were asked"


def _differences(test: ContaminationTest) -> Iterator[str]:
    """The numbers that are not what the shards give; drawing them again takes a while."""
    again = tested(test.shards, test.seed, test.draws)
    for name in ("p", "statistic", "t_test_p"):
        if not _same(getattr(test, name), getattr(again, name)):
            yield f"{name}: not what the log-probabilities of its shards give"


def _same(stored: float | None, computed: float | None) -> bool:
    if stored is None or computed is None:
        return stored is computed
    return math.isclose(stored, computed, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def save(results: Path, test: ContaminationTest) -> Path:
    """Write the file of a test, and remove what was kept of it; raises a StoreError."""
    path = file_of(results, test)
    with writing(path.parent):
        path.parent.mkdir(exist_ok=True)
        write_whole({path: summary_bytes(test)})
        _journal(results, test).unlink(missing_ok=True)
    send(results, path.relative_to(results))
    return path


def _journal(results: Path, asked: Asked) -> Path:
    return results / FOLDER / f"{asked.file_name}{UNFINISHED}"


def resume(results: Path, asked: Asked, machine: str) -> dict[int, Shard]:
    """The shards that were finished before, by their first question; starts the journal where there is none.

    A damaged line loses its shard only. Raises a StoreError where the journal cannot be written.
    """
    path, head = _journal(results, asked), Head(id=asked.id, machine=machine)
    kept = _readable(path, head, 1 + asked.shuffles)
    lines = [head.model_dump_json(), *(shard.model_dump_json() for shard in kept.values())]
    with writing(path.parent):
        path.parent.mkdir(exist_ok=True)
        write_whole({path: "".join(f"{line}\n" for line in lines).encode()})
    return kept


def _readable(path: Path, head: Head, orders: int) -> dict[int, Shard]:
    try:
        first, *rest = read_bytes(path).split(b"\n")
        if Head.model_validate_json(first) != head:
            return {}
    except (OSError, ValidationError):
        return {}
    shards: dict[int, Shard] = {}
    for line in rest:
        try:
            shard = Shard.model_validate_json(line)
        except ValidationError:
            continue
        if len(shard.logprobs) == orders:
            shards[shard.first] = shard
    return shards


def append(results: Path, asked: Asked, shard: Shard) -> None:
    """Append a shard and wait until it is on disk; raises a StoreError where it cannot be written."""
    path = _journal(results, asked)
    with writing(path.parent), path.open("ab") as file:
        file.write(shard.model_dump_json().encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def forget(results: Path, asked: Asked) -> None:
    """Remove what was kept of an unfinished test."""
    with writing(results / FOLDER):
        _journal(results, asked).unlink(missing_ok=True)
