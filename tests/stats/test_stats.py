"""The numbers behind the board: against other libraries, and by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from scipy.stats import bootstrap as scipy_bootstrap
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from bench.stats.intervals import wilson
from bench.stats.paired import difference_interval, mcnemar
from bench.stats.ranking import chance_corrected, detectable, holm, mcnemar_all, rank

QUESTIONS = 1273


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_is_statsmodels_and_scipys(lost: int, won: int) -> None:
    ours = mcnemar(lost, won)
    assert ours == pytest.approx(mcnemar_all(np.array([lost * 1.0]), np.array([won * 1.0]))[0], abs=1e-12)
    if lost + won:
        assert ours == pytest.approx(statsmodels_mcnemar([[5, lost], [won, 7]], exact=True).pvalue, abs=1e-12)
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
def test_an_interval_covers_the_true_rate_in_95_of_100_boards(rate: float) -> None:
    draw = np.random.default_rng(1)
    counts = draw.binomial(QUESTIONS, rate, size=20_000)
    intervals = {int(count): wilson(int(count), QUESTIONS) for count in np.unique(counts)}
    covered = np.mean([intervals[int(count)].low <= rate <= intervals[int(count)].high for count in counts])
    assert 0.94 <= covered <= 0.96


def test_a_paired_interval_covers_the_true_difference_in_95_of_100_boards() -> None:
    """Two models that agree on most questions, the second better by three points."""
    draw = np.random.default_rng(2)
    shares = [0.30, 0.07, 0.10, 0.53]  # both, only the first, only the second, neither
    covered = 0
    for both, lost, won, neither in draw.multinomial(QUESTIONS, shares, size=10_000).tolist():
        interval = difference_interval(lost, both + neither, won)
        covered += interval.low <= 0.03 <= interval.high
    assert 0.94 <= covered / 10_000 <= 0.96


@pytest.mark.parametrize(
    ("lost", "same", "won"), [(5, 90, 5), (0, 99, 1), (0, 100, 0), (12, 60, 28), (100, 1100, 73), (3, 1, 3)]
)
def test_the_computed_bootstrap_interval_equals_a_drawn_one(lost: int, same: int, won: int) -> None:
    total = lost + same + won
    answers = np.repeat([-1, 0, 1], [lost, same, won])
    drawn = np.random.default_rng(3).multinomial(total, np.array([lost, same, won]) / total, size=200_000)
    low, high = np.quantile(drawn @ [-1, 0, 1] / total, [0.025, 0.975], method="inverted_cdf")
    interval = difference_interval(lost, same, won)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=1.01 / total)
    theirs = scipy_bootstrap(
        (answers,), np.mean, method="percentile", n_resamples=5000, vectorized=True, rng=4
    ).confidence_interval
    assert (interval.low, interval.high) == pytest.approx((theirs.low, theirs.high), abs=2.01 / total)


def board(draw: np.random.Generator, rates: list[float], questions: int = QUESTIONS) -> np.ndarray:
    """Right answers of models that find the same questions hard: (models, questions)."""
    hardness = draw.normal(size=questions)
    noise = draw.normal(size=(len(rates), questions))
    score = (hardness + noise) / math.sqrt(2)
    cuts = np.array([np.sqrt(2) * _inverse(rate) for rate in rates])[:, None] / math.sqrt(2)
    return score < cuts


def _inverse(rate: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(rate)


def test_equal_models_are_rarely_separated() -> None:
    """Of 200 boards of five equal models, at most about 5 % separate any two of them."""
    wrong = 0
    for seed in range(200):
        ranking = rank(board(np.random.default_rng(seed), [0.4] * 5), clusters=None)
        wrong += any(best != 1 for best in ranking.best)
    assert wrong / 200 <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 200)


def test_a_planted_difference_is_found_and_equals_are_tied() -> None:
    """Two equal models and one that is better by five points, over 200 boards."""
    tied = separated = excluded = 0
    smallest: list[float] = []
    for seed in range(200):
        right = board(np.random.default_rng(1000 + seed), [0.40, 0.40, 0.45])
        ranking = rank(right, clusters=None)
        tied += ranking.adjusted[0, 1] > 0.05
        separated += ranking.adjusted[0, 2] <= 0.05
        excluded += ranking.best[2] != 1  # the best may never lose the first place
        smallest.append(detectable(QUESTIONS, float(ranking.differ[0, 2])))
    assert tied / 200 >= 0.95 - 2 * math.sqrt(0.05 * 0.95 / 200)
    assert excluded == 0
    # Five points are about the smallest difference that 1,273 questions show; Holm asks for a little more.
    assert 0.04 < float(np.mean(smallest)) < 0.06
    assert 0.55 <= separated / 200 <= 0.95


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


def test_a_rank_range_has_the_places_that_no_pair_excludes() -> None:
    right = np.zeros((3, 400), dtype=bool)
    right[0, :300] = True  # far better than the third, hardly better than the second
    right[1, :298] = True
    right[2, :100] = True
    ranking = rank(right, clusters=None)
    assert list(zip(ranking.best, ranking.worst, strict=True)) == [(1, 2), (1, 2), (3, 3)]
    assert (rank(right[:1], clusters=None).best, rank(right[:1], clusters=None).worst) == ((1,), (1,))


def test_chance_corrected_is_0_for_guessing_and_1_for_all_right() -> None:
    assert chance_corrected(0.25, 0.25) == 0.0
    assert chance_corrected(1.0, 0.25) == 1.0
    assert chance_corrected(0.1, 0.25) < 0
