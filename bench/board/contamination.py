"""Tests of the published order in words: what each can say and what it cannot. It is never a verdict."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bench.board.column import Column, Measured
from bench.results.answers import Answered
from bench.results.contamination import ContaminationTest
from bench.results.result import CellFacts
from bench.stats.contamination import detectable_shift, smallest_p
from bench.stats.ranking import ALPHA, holm
from bench.wording import counted, or_dash, seconds

LIMITS = (
    "This test finds only verbatim copies of the file in the training data; a model that saw the questions "
    "in another order, reworded or translated passes it."
)
LIKELIER = "the published order is likelier than shuffled ones, as it is when a model was trained on the file"
EVIDENCE = "It is evidence and no proof; the score is not changed."


@dataclass(frozen=True, slots=True)
class Tested:
    """One of `tests` tests of a results folder; `adjusted` is its p by Holm's method over all of them."""

    test: ContaminationTest
    adjusted: float
    tests: int

    @property
    def sentence(self) -> str:
        return sentence(self.test, self.adjusted)

    @property
    def p(self) -> str:
        return p_text(self.test.p)

    @property
    def holm(self) -> str:
        return p_text(self.adjusted)

    @property
    def how(self) -> str:
        """How the model was run, and which of the questions were asked."""
        cell = self.test.cell
        return ", ".join(filter(None, [cell.variant.slug, cell.part]))


def adjusted(tests: Sequence[ContaminationTest]) -> tuple[Tested, ...]:
    """The tests of a results folder, with p adjusted over all of them."""
    values = holm(np.array([test.p for test in tests], dtype=np.float64))
    return tuple(Tested(test, float(value), len(tests)) for test, value in zip(tests, values, strict=True))


def p_text(p: float) -> str:
    """0.4123 -> "0.41", 0.00012 -> "0.00012"."""
    return f"{p:.2g}" if p >= 0.001 else f"{p:.5f}".rstrip("0")


def sentence(test: ContaminationTest, corrected: float | None = None) -> str:
    """What a test says; `corrected` is its p adjusted for the other tests beside which it is shown."""
    corrected = test.p if corrected is None else corrected
    p = f"p = {p_text(test.p)}"
    if corrected != test.p:
        p = f"{p}, by Holm {p_text(corrected)}"
    if test.p > ALPHA:
        return f"{p}: no sign that the model saw these questions in their published order. {LIMITS}"
    if corrected > ALPHA:
        few = "no evidence beside the other tests, of which one in 20 gives such a p by chance"
        return f"{p}: {few}. {LIMITS}"
    return f"{p}: {LIKELIER}. {EVIDENCE}"


def family_sentence(tests: Sequence[Tested]) -> str:
    """What several tests beside each other mean; "" for one."""
    if not tests or tests[0].tests < 2:
        return ""
    return (
        f"Of 20 models that never saw the file, one has a p of {ALPHA} or less by chance. So p is also given "
        f"adjusted for all {tests[0].tests} tests in these results, by Holm's method."
    )


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
