"""The numbers behind the board: against other libraries, and by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from scipy.stats import bootstrap as theirs_drawn
from statsmodels.stats.contingency_tables import mcnemar as theirs
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from bench.stats.intervals import wilson
from bench.stats.paired import difference, mcnemar
from bench.stats.ranking import chance_corrected, detectable, holm, mcnemar_all, rank

QUESTIONS = 1273


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_is_statsmodels_and_scipys(lost: int, won: int) -> None:
    ours = mcnemar(lost, won)
    assert ours == pytest.approx(mcnemar_all(np.array([lost * 1.0]), np.array([won * 1.0]))[0], abs=1e-12)
    if lost + won:
        assert ours == pytest.approx(theirs([[5, lost], [won, 7]], exact=True).pvalue, abs=1e-12)
        assert ours == pytest.approx(binomtest(lost, lost + won).pvalue, abs=1e-12)
    else:
        assert ours == 1.0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_holm_is_statsmodels(p: list[float]) -> None:
    assert holm(np.array(p)) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-12)


@given(st.integers(1, 2000), st.data())
def test_wilson_is_statsmodels(trials: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, trials))
    ours = wilson(right, trials)
    assert (ours.low, ours.high) == pytest.approx(
        proportion_confint(right, trials, method="wilson"), abs=1e-9
    )


@pytest.mark.parametrize("rate", [0.25, 0.3, 0.5, 0.8])
def test_an_interval_holds_the_truth_in_95_of_100_boards(rate: float) -> None:
    draw = np.random.default_rng(1)
    counts = draw.binomial(QUESTIONS, rate, size=20_000)
    found = {int(count): wilson(int(count), QUESTIONS) for count in np.unique(counts)}
    held = np.mean([found[int(count)].low <= rate <= found[int(count)].high for count in counts])
    assert 0.94 <= held <= 0.96


def test_a_paired_interval_holds_the_true_difference_in_95_of_100_boards() -> None:
    """Two models that agree on most questions, the second better by three points."""
    draw = np.random.default_rng(2)
    shares = [0.30, 0.07, 0.10, 0.53]  # both, only the first, only the second, neither
    held = 0
    for both, lost, won, neither in draw.multinomial(QUESTIONS, shares, size=10_000).tolist():
        found = difference(lost, both + neither, won)
        held += found.low <= 0.03 <= found.high
    assert 0.94 <= held / 10_000 <= 0.96


@pytest.mark.parametrize(
    ("lost", "same", "won"), [(5, 90, 5), (0, 99, 1), (0, 100, 0), (12, 60, 28), (100, 1100, 73), (3, 1, 3)]
)
def test_the_bootstrap_that_draws_nothing_is_what_drawing_comes_to(lost: int, same: int, won: int) -> None:
    total = lost + same + won
    answers = np.repeat([-1, 0, 1], [lost, same, won])
    drawn = np.random.default_rng(3).multinomial(total, np.array([lost, same, won]) / total, size=200_000)
    low, high = np.quantile(drawn @ [-1, 0, 1] / total, [0.025, 0.975], method="inverted_cdf")
    found = difference(lost, same, won)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1.01 / total)
    ours = theirs_drawn(
        (answers,), np.mean, method="percentile", n_resamples=5000, vectorized=True, rng=4
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((ours.low, ours.high), abs=2.01 / total)


def board(draw: np.random.Generator, rates: list[float], questions: int = QUESTIONS) -> np.ndarray:
    """Answers of models that find the same questions hard: (models, questions)."""
    hardness = draw.normal(size=questions)
    noise = draw.normal(size=(len(rates), questions))
    score = (hardness + noise) / math.sqrt(2)
    cuts = np.array([np.sqrt(2) * _inverse(rate) for rate in rates])[:, None] / math.sqrt(2)
    return score < cuts


def _inverse(rate: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(rate)


def test_equal_models_are_told_apart_as_rarely_as_promised() -> None:
    """Over 200 boards of five equal models, any two are told apart in at most about 5 of 100."""
    wrong = 0
    for seed in range(200):
        found = rank(board(np.random.default_rng(seed), [0.4] * 5))
        wrong += any(best != 1 for best in found.best)
    assert wrong / 200 <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 200)


def test_a_planted_difference_is_found_and_equals_are_tied() -> None:
    """Two equal models and one that is better by five points, over 200 boards."""
    tied = found_better = excluded = 0
    power: list[float] = []
    for seed in range(200):
        right = board(np.random.default_rng(1000 + seed), [0.40, 0.40, 0.45])
        found = rank(right)
        tied += found.adjusted[0, 1] > 0.05
        found_better += found.adjusted[0, 2] <= 0.05
        excluded += found.best[2] != 1  # the best may never be ranked behind
        power.append(detectable(QUESTIONS, float(found.differ[0, 2])))
    assert tied / 200 >= 0.95 - 2 * math.sqrt(0.05 * 0.95 / 200)
    assert excluded == 0
    # Five points are near what 1,273 questions can tell, and Holm asks a little more.
    assert 0.04 < float(np.mean(power)) < 0.06
    assert 0.55 <= found_better / 200 <= 0.95


def test_the_detectable_difference_is_found_in_80_of_100() -> None:
    differ = 0.3
    difference = detectable(QUESTIONS, differ)
    draw = np.random.default_rng(3)
    won = draw.multinomial(
        QUESTIONS,
        [(differ + difference) / 2, (differ - difference) / 2, 1 - differ],
        size=4000,
    )
    p = mcnemar_all(won[:, 0].astype(float), won[:, 1].astype(float))
    assert 0.76 <= float(np.mean(p <= 0.05)) <= 0.82


def test_ranks_leave_what_is_not_excluded() -> None:
    right = np.zeros((3, 400), dtype=bool)
    right[0, :300] = True  # far better than the third, hardly better than the second
    right[1, :298] = True
    right[2, :100] = True
    found = rank(right)
    assert list(zip(found.best, found.worst, strict=True)) == [(1, 2), (1, 2), (3, 3)]
    assert (rank(right[:1]).best, rank(right[:1]).worst) == ((1,), (1,))


def test_chance_is_nothing_and_all_right_is_one() -> None:
    assert chance_corrected(0.25, 0.25) == 0.0
    assert chance_corrected(1.0, 0.25) == 1.0
    assert chance_corrected(0.1, 0.25) < 0
