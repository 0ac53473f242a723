"""The test of the published order: its level on exchangeable data, and what it finds."""

import math

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from bench.stats.contamination import detectable_shift, order_test, smallest_p, standardised, t_test

DRAWS = 199


def played(random: np.random.Generator, shards: int, shuffles: int, shift: float = 0.0) -> np.ndarray:
    """Log-probabilities whose size and spread differ between shards; `shift` is in standard deviations."""
    spread = random.lognormal(1.0, 1.0, size=(shards, 1))
    scores = random.standard_t(3, size=(shards, 1 + shuffles))
    scores[:, 0] += shift
    return spread * scores - random.uniform(500, 3000, size=(shards, 1))


@pytest.mark.parametrize(("shards", "shuffles"), [(12, 4), (3, 9)])
def test_of_ten_thousand_clean_models_at_most_five_in_a_hundred_look_contaminated(
    shards: int, shuffles: int
) -> None:
    random = np.random.default_rng(1)
    p = np.array([order_test(played(random, shards, shuffles), n, DRAWS).p for n in range(10_000)])
    for level in (0.01, 0.05, 0.2, 0.5):
        error = 3 * math.sqrt(level * (1 - level) / len(p))
        assert (p <= level).mean() <= level + error
    assert (p <= 0.05).mean() >= 0.04  # and the test is not merely blind


def test_the_level_holds_where_orders_are_equally_likely() -> None:
    random = np.random.default_rng(2)
    few = [np.round(random.normal(size=(10, 4))) for _ in range(10_000)]  # many ties
    p = np.array([order_test(scores, n, DRAWS).p for n, scores in enumerate(few)])
    assert (p <= 0.05).mean() <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / len(p))


def test_a_memorised_order_is_seen() -> None:
    random = np.random.default_rng(3)
    assert order_test(played(random, 40, 9, shift=2.0), 0).p <= 0.0001


def test_a_model_that_does_not_feel_order_gives_p_1() -> None:
    equal = np.full((20, 10), -1234.5678) + np.arange(20)[:, None]
    result = order_test(equal, 0)
    assert (result.p, result.statistic, result.t_test_p) == (1.0, 0.0, None)


def test_one_shard_with_a_large_difference_does_not_decide() -> None:
    scores = np.tile(np.array([-100.0, -99.0, -98.0, -101.0]), (30, 1))
    before = order_test(scores, 0).p
    scores[0] = [1e6, -1e6, -1e6, -1e6]
    assert order_test(scores, 0).p == pytest.approx(before, abs=0.2)
    assert order_test(scores, 0).p > 0.05


def test_a_seed_gives_the_same_p_and_a_scale_of_shards_does_not_matter() -> None:
    scores = played(np.random.default_rng(4), 20, 5)
    again = order_test(scores.copy(), 7)
    assert order_test(scores, 7) == again
    assert order_test(scores * 3.0 - 100.0, 7).p == order_test(scores, 7).p


def test_the_papers_own_test_is_scipys() -> None:
    scores = played(np.random.default_rng(5), 25, 6, shift=0.5)
    differences = scores[:, 0] - scores[:, 1:].mean(axis=1)
    assert t_test(scores) == pytest.approx(ttest_1samp(differences, 0, alternative="greater").pvalue)
    assert t_test(scores[:1]) is None


def test_standardised_shards_have_mean_0_and_deviation_1() -> None:
    scores = standardised(played(np.random.default_rng(6), 8, 5))
    assert scores.mean(axis=1) == pytest.approx(np.zeros(8), abs=1e-9)
    assert scores.std(axis=1) == pytest.approx(np.ones(8))


@pytest.mark.parametrize(("shards", "shuffles"), [(1, 3), (2, 3), (3, 9)])
def test_the_smallest_p_is_that_of_the_likeliest_order_in_every_shard(shards: int, shuffles: int) -> None:
    scores = np.tile(np.arange(shuffles + 1, dtype=float)[::-1], (shards, 1))
    p = order_test(scores, 0, draws=99_999).p
    assert p == pytest.approx(smallest_p(shards, shuffles, 99_999), rel=0.2)


def test_the_smallest_p_is_limited_by_the_draws() -> None:
    assert smallest_p(100, 9) == 1 / 10_000


def test_a_shift_that_can_be_seen_is_seen_in_about_80_of_100_cases() -> None:
    shift, shards, shuffles = detectable_shift(50, 9), 50, 9
    assert shift is not None
    random = np.random.default_rng(8)
    hits = []
    for n in range(400):
        scores = random.normal(size=(shards, shuffles + 1))
        # So that the published order lies `shift` above the mean of all orders, itself included.
        scores[:, 0] += shift * (1 + 1 / shuffles)
        hits.append(order_test(scores, n, 999).p <= 0.05)
    assert np.mean(hits) == pytest.approx(0.8, abs=0.08)
    assert detectable_shift(1, 3) is None
