"""Tests of the published order in words: what each can say and what it cannot. It is never a verdict."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.board.column import Column, Measured
from bench.results.answers import Answered
from bench.results.contamination import ContaminationTest, read_tests
from bench.results.result import CellFacts
from bench.stats.contamination import detectable_shift, smallest_p
from bench.stats.ranking import ALPHA, holm
from bench.wording import counted, or_dash, seconds

LIMITS = (
    "This test finds only verbatim copies of the file in the training data; a model that saw the questions "
    "in another order, reworded or translated passes it."
)
NO_SIGN = "no sign that the model saw these questions in their published order"
LIKELIER = "the published order is likelier than shuffled ones, as it is when a model was trained on the file"
SORTED = "; but the file is sorted by the questions' groups, which may make its order likelier by itself"
EVIDENCE = "It is evidence and no proof; the score is not changed."


@dataclass(frozen=True, slots=True)
class Tested:
    """One of `tests` tests of a results folder; `adjusted` is its p by Holm's method over all of them."""

    test: ContaminationTest
    adjusted: float
    tests: int

    @property
    def finding(self) -> str:
        return finding(self.test, self.adjusted)

    @property
    def size(self) -> str:
        """How many shards and questions it has, and how the model was run."""
        shards, cell = f"{len(self.test.shards):,} shards", self.test.cell
        return f"{shards} of {counted(self.test.questions, 'question')}, {cell.variant.slug}"

    def of(self, model: str, task: str) -> bool:
        """Whether it is of that model, "" for any, and task."""
        cell = self.test.cell
        return model in ("", cell.model.name) and cell.task.name == task


def read_tested(results: Path) -> tuple[Tested, ...]:
    """The tests of a results folder that can be read, with p adjusted over all of them."""
    return adjusted([test for test in read_tests(results) if isinstance(test, ContaminationTest)])


def adjusted(tests: Sequence[ContaminationTest]) -> tuple[Tested, ...]:
    """The tests with p adjusted over all of them."""
    values = holm(np.array([test.p for test in tests], dtype=np.float64))
    return tuple(Tested(test, float(value), len(tests)) for test, value in zip(tests, values, strict=True))


def p_text(p: float) -> str:
    """0.4123 -> "0.41", 0.0004 -> "0.0004"."""
    return f"{p:.2g}" if p >= 0.001 else f"{p:.4f}"


def sentence(test: ContaminationTest) -> str:
    """What a test alone says, and what it cannot say."""
    return f"{finding(test, test.p)}. {LIMITS if test.p > ALPHA else EVIDENCE}"


def finding(test: ContaminationTest, corrected: float) -> str:
    """What a test says; `corrected` is its p adjusted for the other tests beside which it is shown."""
    p = f"p = {p_text(test.p)}"
    if corrected != test.p:
        p = f"{p}, by Holm {p_text(corrected)}"
    if test.p > ALPHA:
        return f"{p}: {NO_SIGN}"
    if corrected > ALPHA:
        return f"{p}: not evidence, since of 20 such tests one gives such a p by chance"
    return f"{p}: {LIKELIER}{SORTED if (test.group_p or 1) <= ALPHA else ''}"


def notes(tests: Sequence[Tested]) -> str:
    """What must be known to read one or more tests; "" for none."""
    if not tests:
        return ""
    several = (
        f"Of 20 models that never saw the file, one has a p of {ALPHA} or less by chance, so p is also "
        f"adjusted for all {tests[0].tests} tests in these results (Holm)."
    )
    seen = any(tested.test.p <= ALPHA for tested in tests)
    small = EVIDENCE.replace("It", "A small p")
    return " ".join([LIMITS, *([small] if seen else []), *([several] if tests[0].tests > 1 else [])])


def details(test: ContaminationTest) -> Iterator[tuple[str, str]]:
    """The numbers behind a test, and what it could have seen."""
    orders = f"the published one and {counted(test.shuffles, 'shuffle')}"
    yield "Shards", f"{len(test.shards):,}, of {test.questions:,} questions; orders of each: {orders}"
    if test.left_out:
        yield "Left out", f"{counted(test.left_out, 'question')}, longer than a shard or alone in one"
    yield "Smallest p that these can give", p_text(smallest_p(len(test.shards), test.shuffles, test.draws))
    yield "Power", power(test)
    yield "p of the paper's t-test", or_dash(test.t_test_p and f"{test.t_test_p:.2g}")
    yield "Tokens", f"{test.tokens:,} in {seconds(test.seconds)}"
    yield "Order of the questions", f"sha256 {test.order_sha256[:10]}"
    yield "To repeat it", test.cell.command


def power(test: ContaminationTest) -> str:
    """Which difference the test sees, in words."""
    shift = detectable_shift(len(test.shards), test.shuffles)
    if shift is None:
        return "seldom sees anything: there are too few shards or shuffles"
    return (
        "sees, in 80 of 100 cases, a published order that on average lies "
        f"{shift:.2f} standard deviations of its shard's orders above their mean"
    )


def test_of(cell: CellFacts, tests: Sequence[ContaminationTest]) -> ContaminationTest | None:
    """The test of a run's model on its data: of several, that of most questions, then the first made.

    Quantising changes nothing of what a model has seen, tuning may.
    """
    same = [test for test in tests if _seen(test.cell) == _seen(cell)]
    return min(same, key=lambda test: (-test.questions, test.provenance.finished, test.id), default=None)


def _seen(cell: CellFacts) -> tuple[object, ...]:
    adapter = cell.variant.adapter
    return (
        cell.model.name,
        cell.weights,
        adapter and (adapter.name, adapter.sha256),
        cell.task.name,
        cell.data["test"].sha256,
    )


def _of(row: Measured) -> ContaminationTest | None:
    run = getattr(row, "run", None)
    return run.contamination if isinstance(run, Answered) else None


def _p(row: Measured) -> float | None:
    test = _of(row)
    return test.p if test else None


def _shards(row: Measured) -> int | None:
    test = _of(row)
    return len(test.shards) if test else None


CONTAMINATION = (
    Column("contamination_p", "p of the published order", _p, optional=True),
    Column("contamination_shards", "Shards of the published order", _shards, optional=True),
)
