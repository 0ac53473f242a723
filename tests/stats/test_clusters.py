"""Questions in clusters: what they change, what they do not, and how often the statements are wrong."""

import re
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import Generator, default_rng
from numpy.typing import NDArray
from scipy.stats import permutation_test

from bench.stats.across import across, difference_p
from bench.stats.bootstrap import (
    balanced_accuracy,
    bootstrap,
    cluster_bootstrap,
    cluster_confusion,
    confusion,
)
from bench.stats.clusters import (
    Clusters,
    cluster_variance,
    clusters_of,
    counted_right,
    effective_questions,
    shared_clusters,
    widened,
)
from bench.stats.intervals import Interval, exact, share_interval, wilson
from bench.stats.margin import Pairs, score_interval
from bench.stats.metrics import METRICS, Estimate, Metric
from bench.stats.paired import mcnemar, paired
from bench.stats.ranking import detectable_by, mcnemar_all, rank
from bench.stats.rate import rate_p
from bench.stats.signs import count_sizes, sign_flip, sign_flip_all
from bench.stats.strata import strata_of
from conftest import ROOT

Bools = NDArray[np.bool_]


def singles(questions: int) -> Clusters:
    return Clusters(np.arange(questions), questions)


def of_size(clusters: int, size: int) -> Clusters:
    return Clusters(np.repeat(np.arange(clusters), size), clusters)


def correlated(draw: Generator, clusters: Clusters, rate: float, alike: float, draws: int) -> Bools:
    """Answers of which each is its cluster's own with the probability `alike`: (draws, questions)."""
    shape = draws, len(clusters.codes)
    whole = (draw.random((draws, clusters.number)) < rate)[:, clusters.codes]
    return np.where(draw.random(shape) < alike, whole, draw.random(shape) < rate)


def test_questions_without_a_name_are_alone_and_all_alone_is_no_clusters() -> None:
    clusters = clusters_of(["a", "", "a", "b", "", "a"])
    assert clusters is not None
    assert (clusters.codes.tolist(), clusters.sizes.tolist()) == ([0, 1, 0, 2, 3, 0], [3, 1, 1, 1])
    assert clusters.sums(np.array([[1, 2, 3, 4, 5, 6]])).tolist() == [[10, 2, 4, 5]]
    assert clusters_of(["", "", "a"]) is None
    assert shared_clusters([None, of_size(4, 2), of_size(2, 4), None]).number == 2  # type: ignore[union-attr]
    assert shared_clusters([None, None]) is None


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_of_clusters_of_one_question_p_is_mcnemars(answers: list[tuple[bool, bool]]) -> None:
    first, second = np.array(answers, dtype=np.bool_).T
    alone, clustered = (paired(first, second, clusters=own) for own in (None, singles(len(answers))))
    assert clustered.p == pytest.approx(alone.p, rel=1e-12)
    assert (clustered.difference, clustered.effect) == (alone.difference, 1.0)
    assert clustered.p == pytest.approx(mcnemar(alone.only_first, alone.only_second), rel=1e-12)


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=9))
def test_p_is_the_share_of_all_choices_of_signs(differences: list[int]) -> None:
    least = abs(sum(differences))
    sums = [sum(s * d for s, d in zip(signs, differences, strict=True)) for signs in
            product((-1, 1), repeat=len(differences))]  # fmt: skip
    expected = Fraction(sum(abs(total) >= least for total in sums), len(sums))
    assert sign_flip(np.array(differences)) == pytest.approx(float(expected), rel=1e-12)


def test_p_is_that_of_scipys_permutation_test() -> None:
    run: Any = permutation_test
    for seed in range(5):
        differences = default_rng(seed).integers(-3, 5, 12)
        theirs = run((differences,), np.sum, permutation_type="samples", n_resamples=np.inf)
        assert sign_flip(differences) == pytest.approx(theirs.pvalue, rel=1e-12)


def test_many_clusters_of_many_sizes_are_as_exact_as_few() -> None:
    """By the convolution for many of a size, and by shifted copies for few."""
    differences = np.repeat([1, -1, 2, -2, 3], [60, 22, 45, 30, 2])
    distribution = {0: Fraction(1)}
    for difference in differences.tolist():
        moved: dict[int, Fraction] = {}
        for total, chance in distribution.items():
            for step in (-difference, difference):
                moved[total + step] = moved.get(total + step, Fraction(0)) + chance / 2
        distribution = moved
    least = abs(int(differences.sum()))
    expected = sum(chance for total, chance in distribution.items() if abs(total) >= least)
    assert sign_flip(differences) == pytest.approx(float(expected), rel=1e-12)


def test_a_ranking_has_the_p_of_each_pair_and_is_fast_for_a_large_table() -> None:
    draw, clusters = default_rng(5), Clusters(default_rng(4).integers(0, 300, 1273), 300)
    right = correlated(draw, clusters, 0.4, 0.5, 50)
    sums = clusters.sums(right.astype(np.int64))
    rows, columns = np.triu_indices(50, 1)
    differences = sums[rows] - sums[columns]
    p = sign_flip_all(np.abs(differences.sum(axis=1)), count_sizes(differences))
    for at in range(0, len(rows), 97):
        pair = paired(right[rows[at]], right[columns[at]], clusters=clusters)
        assert p[at] == pair.p == sign_flip(differences[at])
    ranking = rank(right, clusters=clusters)
    assert ranking.adjusted[0, 1] == min(1.0, ranking.adjusted[0, 1])
    assert ranking.effect[0, 1] == paired(right[0], right[1], clusters=clusters).effect > 1
    assert detectable_by(ranking, 1273) > detectable_by(rank(right, clusters=None), 1273)


def test_the_interval_counts_fewer_questions_and_is_never_narrower_than_wilsons() -> None:
    clusters = of_size(40, 5)
    for seed in range(40):
        for alike in (0.0, 0.4, 1.0):
            [right] = correlated(default_rng(seed), clusters, 0.6, alike, 1)
            ours, plain = share_interval(right.tolist(), clusters=clusters), wilson(int(right.sum()), 200)
            assert ours.low <= plain.low < plain.high <= ours.high
    half = np.repeat([True, False], 100)
    assert effective_questions(half, clusters=clusters) == pytest.approx(200 / 5 / (widened(40) * 1.0))
    assert effective_questions(np.ones(200, dtype=np.bool_), clusters=clusters) == pytest.approx(
        40 / widened(40)
    )


def test_of_one_cluster_nothing_is_known() -> None:
    one, right = of_size(1, 30), np.arange(30) < 20
    assert share_interval(right.tolist(), clusters=one) == Interval(0.0, 1.0)
    pair = paired(right, ~right, clusters=one)
    assert (pair.interval, pair.p) == (Interval(-1.0, 1.0), 1.0)
    assert rank(np.array([right, ~right]), clusters=one).worst == (2, 2)
    assert exact(*counted_right(right, clusters=one)) == Interval(0.0, 1.0)
    assert rate_p(*counted_right(right, clusters=one), 0.5) == (1.0, 1.0)
    truth, answers = ["A"] * 20 + ["B"] * 10, ["A"] * 30
    assert cluster_bootstrap(cluster_confusion(truth, answers, one), balanced_accuracy) is None
    margin = across([np.array([right, ~right])], np.array([0.25]), np.ones(1), clusters=[one]).margin[0, 1]
    assert margin > 2
    low, high = score_interval(strata_of([right], [~right], np.array([1 / 30]), clusters=[one]).effective)
    assert (low[0], high[0]) == pytest.approx((-1, 1), abs=1e-4)


def coverage(alike: float, *, clustered: bool, draws: int = 2000) -> float:
    clusters, covered = of_size(60, 5), 0
    for right in correlated(default_rng(1), clusters, 0.4, alike, draws):
        interval = share_interval(right.tolist(), clusters=clusters if clustered else None)
        covered += interval.low <= 0.4 <= interval.high
    return covered / draws


def test_intervals_for_independent_questions_miss_the_accuracy_and_those_of_clusters_hold_it() -> None:
    assert coverage(0.7, clustered=False) < 0.85
    assert coverage(0.7, clustered=True) >= 0.93
    assert coverage(0.0, clustered=True) >= 0.94


@pytest.mark.parametrize("number", [8, 20, 100])
def test_intervals_of_a_difference_hold_it_also_with_few_clusters(number: int) -> None:
    draw, sizes = default_rng(2), default_rng(3).integers(1, 9, number)
    clusters = Clusters(np.repeat(np.arange(number), sizes), number)
    first, second = (correlated(draw, clusters, rate, 0.6, 2500) for rate in (0.45, 0.6))
    pairs = [paired(a, b, clusters=clusters) for a, b in zip(first, second, strict=True)]
    held = np.mean([pair.interval.low <= 0.15 <= pair.interval.high for pair in pairs])
    assert held >= 0.93
    alone = [paired(a, b, clusters=None).interval for a, b in zip(first, second, strict=True)]
    assert np.mean([one.low <= 0.15 <= one.high for one in alone]) < held - 0.05


def test_the_test_of_clusters_keeps_its_level_where_mcnemars_does_not() -> None:
    draw, clusters, pairs = default_rng(6), of_size(50, 6), 10_000
    first, second = (correlated(draw, clusters, 0.5, 0.7, pairs) for _ in range(2))
    differences = clusters.sums(second.astype(np.int64) - first)
    p = sign_flip_all(np.abs(differences.sum(axis=1)), count_sizes(differences))
    won, lost = (np.sum(a & ~b, axis=1).astype(np.float64) for a, b in ((second, first), (first, second)))
    assert np.mean(p <= 0.05) <= 0.05
    assert np.mean(p <= 0.05) > 0.03  # and is not idle
    assert np.mean(mcnemar_all(lost, won) <= 0.05) > 0.15


def test_over_several_tasks_the_level_is_kept_and_differences_are_held() -> None:
    draw, clusters = default_rng(7), [of_size(30, 5), None, of_size(12, 3)]
    alone = [own or singles(80) for own in clusters]
    chance, weights = np.array([0.25, 0.5, 0.2]), np.array([1.0, 2.0, 1.0])
    rejected, held, draws = 0, 0, 1500
    right = [correlated(draw, own, 0.6, 0.6, 2 * draws).reshape(draws, 2, -1) for own in alone]
    for at in range(draws):
        compared = across([each[at] for each in right], chance, weights, clusters=clusters)
        rejected += compared.p[0, 1] <= 0.05
        held += abs(compared.difference[0, 1]) <= compared.margin[0, 1]
    assert 0.01 < rejected / draws <= 0.05
    assert held / draws >= 0.93


def test_the_margin_test_of_clusters_is_wrong_in_at_most_five_of_a_hundred() -> None:
    draw, clusters, draws = default_rng(8), of_size(60, 4), 1000
    first, second = (correlated(draw, clusters, rate, 0.6, draws) for rate in (0.5, 0.6))
    each = [
        strata_of([a], [b], np.array([1 / 240]), clusters=[clusters]).effective
        for a, b in zip(first, second, strict=True)
    ]
    pairs = Pairs(
        *(np.vstack([getattr(one, part) for one in each]) for part in ("won", "lost", "questions", "each"))
    )
    low, high = score_interval(pairs)
    assert score_interval(each[0]) == (pytest.approx(low[:1]), pytest.approx(high[:1]))
    held = np.sum((low <= -0.1) & (high >= -0.1))
    assert held / draws >= 0.93


def test_the_score_of_one_task_has_the_interval_of_the_paired_difference() -> None:
    clusters = of_size(30, 4)
    right = correlated(default_rng(9), clusters, 0.5, 0.5, 2)
    compared = across([right], np.zeros(1), np.ones(1), clusters=[clusters])
    pair = paired(right[1], right[0], clusters=clusters)
    low, high = (compared.difference[0, 1] + sign * compared.margin[0, 1] for sign in (-1, 1))
    assert (pair.interval.low, pair.interval.high) == pytest.approx((low, high))
    assert compared.p[0, 1] == pair.p
    strata = strata_of([right[0]], [right[1]], np.array([1 / 120]), clusters=[clusters])
    assert strata.variance**0.5 * 1.959964 == pytest.approx(compared.margin[0, 1])
    p = difference_p(strata.pairs.won, strata.pairs.lost, strata.pairs.each, sizes=strata.sizes)
    assert p[0] == pair.p
    assert cluster_variance(right, singles(120))[0, 1] == pytest.approx(
        widened(120) * (strata.pairs.variance[0] * 120**2)
    )


def test_metrics_resample_whole_clusters() -> None:
    draw, clusters = default_rng(10), of_size(50, 6)
    truth = draw.choice(["A", "B", "C"], 300).tolist()
    [right] = correlated(draw, clusters, 0.5, 0.9, 1)
    answers = [letter if is_right else "D" for letter, is_right in zip(truth, right, strict=True)]
    plain = bootstrap(confusion(truth, answers), balanced_accuracy)
    whole = cluster_bootstrap(cluster_confusion(truth, answers, clusters), balanced_accuracy)
    assert whole is not None
    assert whole.high - whole.low > 1.7 * (plain.high - plain.low)
    alone = cluster_bootstrap(cluster_confusion(truth, answers, singles(300)), balanced_accuracy)
    assert alone is not None
    assert (alone.low, alone.high) == pytest.approx((plain.low, plain.high), abs=0.01)
    assert (
        cluster_confusion(truth, answers, clusters).sum(axis=0).tolist() == confusion(truth, answers).tolist()
    )


def test_a_metric_that_knows_no_clusters_keeps_its_value_and_loses_its_interval() -> None:
    metric = Metric("odd", "Odd", lambda _truth, _answers: Estimate(value=0.5, low=0.4, high=0.6))
    assert metric.estimate("AB", "AB", None) == Estimate(value=0.5, low=0.4, high=0.6)
    assert metric.estimate("AB", "AB", of_size(1, 2)) == Estimate(value=0.5)
    assert all(row.clustered for row in METRICS.own.values())


def test_nobody_makes_an_interval_or_a_p_past_the_clusters() -> None:
    """What knows no clusters is used in bench/stats alone; callers of the rest must say what they are."""
    past = r"\b(wilson|mcnemar|mcnemar_all|difference_interval|bootstrap|answerable|separation)\("
    allowed = {
        "bench/board/headroom.py",  # questions timed alone, not questions right
        "bench/board/curves.py",  # drawn of independent questions only
    }
    callers = {
        path.relative_to(ROOT).as_posix()
        for folder in ("bench", "leaderboard")
        for path in (ROOT / folder).rglob("*.py")
        if path.parent.name != "stats" and re.search(past, path.read_text("utf-8"))
    }
    assert callers == allowed
    gate = (ROOT / "bench/board/gate_evidence.py").read_text("utf-8")
    assert len(re.findall(r"\b(exact|rate_p)\(", gate)) == 3
    assert gate.count("counted_right(") == 2, "an effective number of questions"
    right = np.ones((2, 4), dtype=np.bool_)
    calls: tuple[tuple[Any, tuple[object, ...]], ...] = (
        (paired, (right[0], right[1])),
        (rank, (right,)),
        (across, ([right], np.zeros(1), np.ones(1))),
        (share_interval, ([True],)),
        (effective_questions, (right[0],)),
        (strata_of, ([right[0]], [right[1]], np.ones(1))),
    )
    for function, arguments in calls:
        with pytest.raises(TypeError, match="clusters"):
            function(*arguments)
