"""How many questions decide a requirement: the planned power is what simulated boards show."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom, norm

from bench.stats.intervals import exact
from bench.stats.margin import Pairs, variance_at
from bench.stats.questions import Side, times_as_many
from bench.stats.ranking import mcnemar_all
from bench.stats.rate import rate_p

BOARDS = 2000
LEVEL = 0.05
NOW = 200


def drawn(first: float, second: float, questions: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Simulated numbers of questions that only one of two models answers right."""
    shares = [first, second, 1 - first - second]
    counts = np.random.default_rng(3).multinomial(questions, shares, size=BOARDS).astype(float)
    return counts[:, :1], counts[:, 1:2]


def pairs_of(first: float, second: float, questions: int) -> Pairs:
    return Pairs(*drawn(first, second, questions), np.array([float(questions)]), np.array([1.0 / questions]))


def sides_now(first: float, second: float, *bounds: float) -> tuple[list[float], float]:
    """The standard errors at bounds, and at the true shares, with today's number of questions."""
    n = float(NOW)
    expected = Pairs(np.array([[first * n]]), np.array([[second * n]]), np.array([n]), np.array([1 / n]))
    nulls = [math.sqrt(float(variance_at(expected, bound)[0])) for bound in bounds]
    return nulls, math.sqrt(float(expected.variance[0]))


@pytest.mark.parametrize(
    ("first", "second", "margin"), [(0.1, 0.1, 0.05), (0.12, 0.1, 0.03), (0.3, 0.28, 0.1)]
)
def test_the_planned_number_shows_non_inferiority_in_80_of_100_boards(
    first: float, second: float, margin: float
) -> None:
    [null], error = sides_now(first, second, -margin)
    times = times_as_many([Side(first - second + margin, null)], error, LEVEL)
    assert times
    pairs = pairs_of(first, second, math.ceil(times * NOW))
    shown = (pairs.difference + margin) / np.sqrt(variance_at(pairs, -margin)) >= norm.isf(LEVEL / 2)
    assert np.mean(shown) == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(("first", "second"), [(0.1, 0.1), (0.12, 0.1)])
def test_the_planned_number_shows_equivalence_in_80_of_100_boards(first: float, second: float) -> None:
    margin = 0.05
    [low, high], error = sides_now(first, second, -margin, margin)
    sides = [Side(first - second + margin, low), Side(margin - first + second, high)]
    times = times_as_many(sides, error, LEVEL)
    assert times
    pairs = pairs_of(first, second, math.ceil(times * NOW))
    above = (pairs.difference + margin) / np.sqrt(variance_at(pairs, -margin)) >= norm.isf(LEVEL / 2)
    below = (pairs.difference - margin) / np.sqrt(variance_at(pairs, margin)) <= -norm.isf(LEVEL / 2)
    assert np.mean(above & below) == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("level", [0.05, 0.05 / 4])
def test_the_planned_number_shows_that_one_is_better_in_80_of_100_boards(level: float) -> None:
    first, second = 0.15, 0.1
    error = math.sqrt((first + second - (first - second) ** 2) / NOW)
    times = times_as_many([Side(first - second, math.sqrt((first + second) / NOW))], error, level)
    assert times
    won, lost = drawn(first, second, math.ceil(times * NOW))
    shown = (mcnemar_all(won, lost) <= level) & (won > lost)
    assert np.mean(shown) == pytest.approx(0.8, abs=0.04)


def test_the_planned_number_shows_a_share_below_its_bound_in_80_of_100_boards() -> None:
    rate, bound = 0.02, 0.04
    error, null = (math.sqrt(share * (1 - share) / NOW) for share in (rate, bound))
    times = times_as_many([Side(bound - rate, null)], error, LEVEL)
    assert times
    questions = math.ceil(times * NOW)
    power = sum(
        binom.pmf(count, questions, rate)
        for count in range(questions)
        if rate_p(count, questions, bound)[1] <= LEVEL
    )
    assert power == pytest.approx(0.8, abs=0.05)


def test_what_is_on_the_wrong_side_is_shown_by_no_number() -> None:
    assert times_as_many([Side(0.0, 0.1)], 0.1, LEVEL) is None
    assert times_as_many([Side(0.1, 0.1), Side(-0.1, 0.1)], 0.1, LEVEL) is None


def test_without_a_spread_the_number_is_where_the_bound_is_reached() -> None:
    assert times_as_many([Side(0.1, 0.1)], 0.0, LEVEL) == pytest.approx(1.959964**2, rel=1e-5)


@pytest.mark.parametrize(("questions", "bound"), [(50, 0.1), (100, 0.5), (1273, 0.01)])
def test_a_rate_at_its_bound_is_rarely_said_to_be_above_or_below(questions: int, bound: float) -> None:
    p = [rate_p(count, questions, bound) for count in range(questions + 1)]
    probability = binom.pmf(np.arange(questions + 1), questions, bound)
    for side in zip(*p, strict=True):
        assert 0.0 < probability[np.array(side) <= LEVEL].sum() <= LEVEL / 2


def test_an_exact_interval_holds_the_rates_that_are_not_rejected() -> None:
    for count, questions in ((0, 30), (7, 30), (30, 30)):
        interval = exact(count, questions)
        for end in (interval.low, interval.high):
            if 0 < end < 1:
                assert min(rate_p(count, questions, end)) == pytest.approx(LEVEL, rel=1e-6)
    assert (exact(0, 0).low, exact(0, 0).high, rate_p(0, 0, 0.5)) == (0.0, 1.0, (1.0, 1.0))
