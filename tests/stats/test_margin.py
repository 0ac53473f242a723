"""Tests of a margin: against the closed form, against an optimiser, exactly, and by simulation."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import multinomial

from bench.stats.across import across, worth
from bench.stats.margin import Pairs, score_interval, variance_at

CONFIDENT = 1.959964
BOARDS = 4000


def one_task(won: NDArray[np.int64] | int, lost: NDArray[np.int64] | int, questions: int) -> Pairs:
    counts = (np.atleast_1d(np.asarray(each, dtype=np.float64))[:, None] for each in (won, lost))
    return Pairs(*counts, np.array([float(questions)]), np.array([1.0 / questions]))


def deviation(pairs: Pairs, difference: float) -> NDArray[np.float64]:
    return (pairs.difference - difference) / np.sqrt(variance_at(pairs, difference))


def tango(won: int, lost: int, questions: int, difference: float) -> float:
    """The closed form of Tango 1998 for one task."""
    a = 2 * questions
    b = -won - lost + (2 * questions - won + lost) * difference
    c = -lost * difference * (1 - difference)
    share = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
    spread = questions * (2 * share + difference * (1 - difference))
    return (won - lost - questions * difference) / math.sqrt(spread)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 200), st.integers(-30, 30))
def test_for_one_task_the_test_is_tangos(won: int, lost: int, same: int, margin: int) -> None:
    assume(margin != 0)
    questions = won + lost + same
    mine = float(deviation(one_task(won, lost, questions), margin / 100)[0])
    assert mine == pytest.approx(tango(won, lost, questions, margin / 100), rel=1e-6, abs=1e-6)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 80))
def test_the_interval_ends_where_the_test_turns(won: int, lost: int, same: int) -> None:
    pairs = one_task(won, lost, won + lost + same)
    low, high = (float(end[0]) for end in score_interval(pairs))
    assert low <= (won - lost) / (won + lost + same) <= high
    for end, sign in ((low, 1), (high, -1)):
        if -1 < end < 1 and end != 0:
            assert float(deviation(pairs, end)[0]) == pytest.approx(sign * CONFIDENT, abs=1e-4)


def test_over_several_tasks_the_shares_are_the_most_likely_ones_with_that_difference() -> None:
    """A general optimiser finds the same variance."""
    won, lost = np.array([14.0, 3.0]), np.array([9.0, 7.0])
    questions, each = np.array([120.0, 60.0]), np.array([0.6 / 120, 0.9 / 60])
    margin = -0.08

    def unlikely(shares: NDArray[np.float64]) -> float:
        first, second = shares[:2], shares[2:]
        counts = won * np.log(first) + lost * np.log(second)
        return -float((counts + (questions - won - lost) * np.log(1 - first - second)).sum())

    def difference(shares: NDArray[np.float64]) -> float:
        return float((shares[:2] - shares[2:]) @ (each * questions)) - margin

    best = minimize(
        unlikely,
        np.concatenate([won / questions, lost / questions]),
        bounds=[(1e-6, 0.5)] * 4,
        constraints={"type": "eq", "fun": difference},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 500},
    ).x
    spread = (best[:2] + best[2:] - (best[:2] - best[2:]) ** 2) * questions @ each**2
    mine = variance_at(Pairs(won[None], lost[None], questions, each), margin)
    assert float(mine[0]) == pytest.approx(spread, rel=1e-4)


def test_difference_and_variance_are_those_of_the_comparison_across_tasks() -> None:
    generator = np.random.default_rng(5)
    right = [generator.random((2, n)) < 0.6 for n in (50, 80)]
    chance, weights = np.array([0.25, 0.5]), np.array([1.0, 2.0])
    table = across(right, chance, weights, clusters=[None] * len(right))
    won, lost = (
        np.array([[float((task[a] & ~task[b]).sum()) for task in right]]) for a, b in ((0, 1), (1, 0))
    )
    questions = np.array([50.0, 80.0])
    pairs = Pairs(won, lost, questions, worth(questions, chance, weights))
    assert float(pairs.difference[0]) == pytest.approx(table.difference[0, 1])
    assert CONFIDENT * float(pairs.variance[0]) ** 0.5 == pytest.approx(table.margin[0, 1], rel=1e-5)


@pytest.mark.parametrize("questions", [20, 50, 100])
@pytest.mark.parametrize("margin", [0.01, 0.03, 0.05, 0.1, 0.2])
def test_a_model_at_the_margin_is_rarely_said_to_be_above_or_below_it(questions: int, margin: float) -> None:
    """Exactly: the probability of every outcome is added up, for many shares of questions that differ."""
    won, lost = np.meshgrid(np.arange(questions + 1), np.arange(questions + 1), indexing="ij")
    possible = won + lost <= questions
    won, lost = won[possible], lost[possible]
    z = deviation(one_task(won, lost, questions), -margin)
    outcomes = np.stack([won, lost, questions - won - lost], axis=1)
    for share in [0.0, 0.002, *np.linspace(0.01, (1 - margin) / 2 - 1e-9, 25)]:
        shares = [share, share + margin, 1 - 2 * share - margin]
        probability = multinomial.pmf(outcomes, questions, shares)
        assert probability[z >= CONFIDENT].sum() < 0.04
        assert probability[z <= -CONFIDENT].sum() < 0.05


@pytest.mark.parametrize("differ", [(0.0, 0.0, 0.0), (0.1, 0.3, 0.02)])
def test_over_several_tasks_a_model_at_the_margin_is_rarely_said_to_be_above_it(
    differ: tuple[float, ...],
) -> None:
    """Three tasks with differences of their own, whose mean is the margin."""
    generator = np.random.default_rng(11)
    questions = np.array([60.0, 200.0, 100.0])
    chance, weights = np.array([0.25, 0.5, 0.2]), np.array([2.0, 1.0, 1.0])
    each = worth(questions, chance, weights)
    gaps = np.array([0.06, 0.0, 0.09])
    margin = float(gaps @ (each * questions))
    drawn = [
        generator.multinomial(int(n), [share, share + gap, 1 - 2 * share - gap], size=BOARDS)
        for n, share, gap in zip(questions, differ, gaps, strict=True)
    ]
    won, lost = (np.stack([task[:, column] for task in drawn], axis=1).astype(float) for column in (0, 1))
    z = deviation(Pairs(won, lost, questions, each), -margin)
    assert np.mean(z >= CONFIDENT) < 0.035
    assert np.mean(z <= -CONFIDENT) < 0.035
