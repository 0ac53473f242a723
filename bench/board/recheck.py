"""Whether what a run says holds where it was run again, on some of its questions. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench.board.candidates import hardware
from bench.board.comparable import are_comparable
from bench.board.limits import Limits
from bench.board.standing import memory
from bench.results.result import CellFacts, DoneResult
from bench.scoring.record import Record
from bench.types import Dtype
from bench.wording import latency, size

NEAR = 1.1
"""On the machine of a run, up to this many times its memory is the same memory."""
ROUNDING: Mapping[Dtype, float] = {"float32": 1e-3, "float16": 0.06, "bfloat16": 0.5}
"""Scores, which are log-probabilities, this close are a tie: they differ between batches by rounding.

Two to four units in the last place of a logit between 16 and 32.
"""
WRITTEN = 0.1
"""The share of written answers that may differ: one rounded token changes all that follow it."""


@dataclass(frozen=True, slots=True)
class Times:
    """Peak memory in bytes, and seconds of a question asked alone; None is unknown."""

    memory: int | None
    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True)
class Again:
    """A repetition: its answers, as far as they were given in time, its costs, and the hardware it ran on."""

    records: tuple[Record, ...]
    times: Times
    machine: str


@dataclass(frozen=True, slots=True)
class Recheck:
    """A task's run beside its repetition on `asked` of `total` questions.

    `equal` are the questions with the same answer, and `ties` those of the others whose two answers had equal
    scores but for rounding. `wrong` is what does not hold, in sentences.
    """

    task: str
    run: str
    asked: int
    total: int
    equal: int
    ties: int
    same_machine: bool
    before: Times
    now: Times
    wrong: tuple[str, ...]


def reason_not_repeated(before: CellFacts, now: CellFacts) -> str:
    """Why a cell is not that of the run; "" where it is, but for the number of questions."""
    if before.weights != now.weights:
        return f"the weights of {now.model.name} here are not those of the run"
    if before.engine_version != now.engine_version:
        versions = f"{before.engine_version}, and this program has {now.engine_version}"
        return f"the run was scored by engine version {versions}"
    if not are_comparable(before, now):
        return f"the task {before.task.name} or its data have changed since the run"
    if before.variant.slug != now.variant.slug:
        return f"{before.model.name} runs here as {now.variant.slug}, and the run was {before.variant.slug}"
    return ""


def recheck(before: DoneResult, answers: Mapping[str, Record], again: Again, limits: Limits) -> Recheck:
    """Compare a run with its repetition; `answers` are the run's records by question id."""
    pairs = [(answers[record.question_id], record) for record in again.records]
    different = [(old, new) for old, new in pairs if _answer(old) != _answer(new)]
    margin = ROUNDING[before.cell.variant.dtype or "float32"]
    ties = [pair for pair in different if _is_tie(*pair, before, margin)]
    here = hardware(before.provenance) == again.machine
    old, new = times_of(before), again.times
    wrong = [*_answers(before, len(pairs), len(different) - len(ties)), *_costs(old, new, limits, here=here)]
    return Recheck(
        task=before.cell.task.name,
        run=before.cell.id[:10],
        asked=len(pairs),
        total=before.metrics.accuracy.total,
        equal=len(pairs) - len(different),
        ties=len(ties),
        same_machine=here,
        before=old,
        now=new,
        wrong=tuple(wrong),
    )


def _answer(record: Record) -> str | None:
    return record.model_output.final_answer


def times_of(result: DoneResult) -> Times:
    """The costs of a run that a check compares."""
    alone = result.cost.alone
    return Times(memory(result), alone and alone.p50, alone and alone.p95)


def _is_tie(old: Record, new: Record, before: DoneResult, margin: float) -> bool:
    """Whether the run had scored both answers equally, but for rounding."""
    scores, letters = old.scores.get(before.cell.task.view), old.letters
    first, second = old.model_output.final_answer, new.model_output.final_answer
    if before.cell.variant.generate or not scores or first is None or second is None:
        return False
    return abs(scores[letters.index(first)] - scores[letters.index(second)]) <= margin


def _answers(before: DoneResult, asked: int, different: int) -> Iterator[str]:
    allowed = WRITTEN * asked if before.cell.variant.generate else 0
    if different > allowed:
        yield f"{different} of {asked} questions of {before.cell.task.name} are answered differently"


def _costs(before: Times, now: Times, limits: Limits, *, here: bool) -> Iterator[str]:
    if now.memory is not None:
        if limits.memory is not None and now.memory > limits.memory:
            yield f"it takes {size(now.memory)} of memory, and the limit is {size(limits.memory)}"
        elif here and before.memory is not None and now.memory > NEAR * before.memory:
            yield f"it takes {size(now.memory)} of memory, and the run took {size(before.memory)}"
    for name, time, limit in (
        ("one answer takes", now.p50, limits.p50),
        ("95 of 100 answers take up to", now.p95, limits.p95),
    ):
        if time is not None and limit is not None and time > limit:
            yield f"{name} {latency(time)}, and the limit is {latency(limit)}"
