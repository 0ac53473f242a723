"""Step-down tests and comparisons with the best by sign flips: against enumeration, and by simulation."""

import math
from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.stats.across import across, worth
from bench.stats.clusters import Clusters
from bench.stats.flips import FLIPS, by_unit, compare_all
from bench.stats.ranking import ALPHA, detectable, detectable_by, holm, mcnemar_all, rank, won_by
from bench.stats.signs import sign_flip

Draw = np.random.Generator
Right = NDArray[np.bool_]


def of_skills(draw: Draw, skills: Sequence[float], questions: int) -> Right:
    """Models that find the same questions hard, (models, questions); skill 0 has half of them right."""
    noise = draw.normal(size=(len(skills), questions))
    return draw.normal(size=questions) + noise < np.array(skills)[:, None]


def in_clusters(draw: Draw, skills: Sequence[float], clusters: Clusters) -> Right:
    """A model that reads a case wrongly is wrong on all its questions."""
    alike = draw.normal(size=(len(skills), clusters.number))[:, clusters.codes]
    return of_skills(draw, skills, len(clusters.codes)) & (alike < 0.5)


def of_size(number: int, size: int) -> Clusters:
    return Clusters(np.repeat(np.arange(number), size), number)


def by_holm(right: Right) -> NDArray[np.float64]:
    """The p of all pairs by McNemar's test and Holm's method, (models, models)."""
    won, adjusted = won_by(right), np.ones((len(right), len(right)))
    rows, columns = np.triu_indices(len(right), 1)
    p = holm(mcnemar_all(won[rows, columns], won[columns, rows]))
    adjusted[rows, columns] = adjusted[columns, rows] = p
    return adjusted


def at_most(share: float, number: int) -> float:
    """A simulated share is rarely more, if the true one is `share`."""
    return share + 3 * math.sqrt(share * (1 - share) / number)


def test_of_two_models_p_is_that_of_the_exact_test() -> None:
    for lost, won in ((0, 0), (0, 5), (3, 12), (40, 60), (40, 75)):
        right = np.zeros((2, 200), dtype=np.bool_)
        right[0, :lost], right[1, lost : lost + won] = True, True
        exact = by_holm(right)[0, 1]
        p = rank(right, clusters=None).adjusted[0, 1]
        assert exact <= p <= exact + 4 * math.sqrt(exact * (1 - exact) / FLIPS) + 1 / FLIPS


@pytest.mark.parametrize("clusters", [None, of_size(11, 3)], ids=["questions", "clusters"])
def test_p_are_those_of_all_flips(clusters: Clusters | None) -> None:
    """Of 11 units there are 2,048 flips: step-down and comparisons with the best, written down again."""
    right = of_skills(np.random.default_rng(1), [-0.8, -0.6, 0.3, 1.2], 11 if clusters is None else 33)
    units = by_unit(right, clusters).astype(np.float64)
    signs = np.array(list(product((1.0, -1.0), repeat=11)))
    rows, columns = np.triu_indices(4, 1)
    differences = units[rows] - units[columns]
    spread = np.sqrt((differences**2).sum(axis=1))
    flipped = np.abs(signs @ differences.T) / spread
    order = np.argsort(-flipped[0], kind="stable")
    least = flipped[0] - 1e-9
    ours, before = rank(right, clusters=clusters), 0.0
    for step, at in enumerate(order.tolist()):
        share = float((flipped[:, order[step:]].max(axis=1) >= least[at]).mean())
        before = max(before, share, sign_flip(differences[at].astype(np.int64)))
        assert ours.adjusted[rows[at], columns[at]] == pytest.approx(before, abs=0.035)
    for model in range(4):
        ahead = units - units[model]
        scale = np.sqrt(np.maximum(1.0, (ahead**2).sum(axis=1)))
        lead = (signs @ ahead.T / scale).max(axis=1)
        share = float((lead >= lead[0] - 1e-9).mean())
        best = compare_all([by_unit(right, clusters)], [1.0], np.zeros((4, 4))).best[model]
        assert best == pytest.approx(share, abs=0.035)


def test_equal_answers_give_equal_bytes_in_any_order_of_the_models() -> None:
    right = of_skills(np.random.default_rng(2), np.linspace(-0.3, 0.3, 9).tolist(), 400)
    first, again, turned = (rank(each, clusters=None) for each in (right, right.copy(), right[::-1]))
    assert first.adjusted.tobytes() == again.adjusted.tobytes() == turned.adjusted[::-1, ::-1].tobytes()
    assert first.may_be_best == turned.may_be_best[::-1]
    assert first.needed == turned.needed


def test_several_tasks_that_count_the_same_are_as_one() -> None:
    right = of_skills(np.random.default_rng(3), [0.0, 0.1, 0.4], 600)
    parts, chance, shares = [right[:, :300], right[:, 300:]], np.array([0.25, 0.25]), np.ones(2)
    each = worth(np.array([300.0, 300.0]), chance, shares)
    compared = across(parts, chance, shares, clusters=[None, None])
    several = compare_all([by_unit(part, None) for part in parts], each.tolist(), compared.p)
    assert several.adjusted == pytest.approx(rank(right, clusters=None).adjusted, abs=0.03)


def hard(draw: Draw) -> Right:
    """Half of the questions are right in 2 of 100 answers, half in 20."""
    return draw.random((20, 400)) < np.where(draw.random(400) < 0.5, 0.02, 0.2)


def one_alone(draw: Draw) -> Right:
    """Eleven models answer nearly alike, and one as often right for itself."""
    right = np.tile(draw.random(200) < 0.3, (12, 1)) ^ (draw.random((12, 200)) < 0.05)
    right[0] = draw.random(200) < 0.3 * 0.95 + 0.7 * 0.05
    return right


def one_right(draw: Draw) -> Right:
    """Exactly one of ten models is right on each question."""
    return np.arange(10)[:, None] == draw.integers(0, 10, 200)


CASES = of_size(60, 5)
EQUAL: dict[str, tuple[Callable[[Draw], Right], Clusters | None, int]] = {
    "10 models": (lambda draw: of_skills(draw, [-0.3] * 10, 300), None, 400),
    "40 models": (lambda draw: of_skills(draw, [-0.3] * 40, 300), None, 150),
    "200 models": (lambda draw: of_skills(draw, [-0.3] * 200, 200), None, 15),
    "12 questions": (lambda draw: of_skills(draw, [0.0] * 10, 12), None, 400),
    "hard questions": (hard, None, 250),
    "easy questions": (lambda draw: ~hard(draw), None, 250),
    "one alone": (one_alone, None, 250),
    "one right": (one_right, None, 250),
    "clusters": (lambda draw: in_clusters(draw, [0.0] * 10, CASES), CASES, 100),
    "8 clusters": (lambda draw: in_clusters(draw, [0.0] * 6, of_size(8, 9)), of_size(8, 9), 400),
}


@pytest.mark.parametrize("name", EQUAL)
def test_among_equal_models_the_stated_rates_hold(name: str) -> None:
    """A difference is claimed on 5 % of boards, and a model is left out of the best on 5 %."""
    make, clusters, boards = EQUAL[name]
    draw = np.random.default_rng(1)
    claimed, left_out = 0, 0.0
    for _ in range(boards):
        ranking = rank(make(draw), clusters=clusters)
        claimed += bool((ranking.adjusted <= ALPHA).any())
        left_out += 1 - float(np.mean(ranking.may_be_best))
    assert claimed / boards <= at_most(0.05, boards)
    assert left_out / boards <= at_most(0.05, boards)


def test_models_with_the_same_answers_are_equal_whoever_else_is_there() -> None:
    right = np.repeat(of_skills(np.random.default_rng(5), [0.0, 0.0], 12), 3, axis=0)
    ranking = rank(right, clusters=None)
    assert ranking.adjusted[:3, :3].tolist() == np.ones((3, 3)).tolist()
    assert set(rank(np.ones((4, 12), dtype=np.bool_), clusters=None).may_be_best) == {True}
    one = of_size(1, 12)
    assert set(rank(of_skills(np.random.default_rng(6), [0.0, 9.0, -9.0], 12), clusters=one).worst) == {3}


SKILLS: dict[str, tuple[Sequence[float], int]] = {
    "one better": ([0.35, *[0.0] * 9], 60),
    "two equal far above": ([0.6, 0.6, *[-0.6] * 8], 60),
    "three better": ([*[0.3] * 3, *[0.0] * 37], 25),
    "steps": (np.linspace(-0.5, 0.5, 10).tolist(), 60),
    "200 in steps": (np.linspace(-0.6, 0.6, 200).tolist(), 3),
}


@pytest.mark.parametrize("name", SKILLS)
def test_power_is_at_least_that_of_holms_method_and_the_best_is_kept(name: str) -> None:
    skills, boards = np.array(SKILLS[name][0]), SKILLS[name][1]
    draw, is_better = np.random.default_rng(7), skills[:, None] > skills
    found, found_by_holm, candidates, candidates_by_holm, kept, wrong = 0, 0, 0, 0, 0, 0
    for _ in range(boards):
        right = of_skills(draw, skills.tolist(), 300)
        ranking, ahead = rank(right, clusters=None), right.sum(axis=1)[:, None] > right.sum(axis=1)
        ours, holms = (ahead & (p <= ALPHA) for p in (ranking.adjusted, by_holm(right)))
        found += int((ours & is_better).sum())
        found_by_holm += int((holms & is_better).sum())
        wrong += bool((ours & ~is_better).any())
        candidates += sum(ranking.may_be_best)
        candidates_by_holm += int((~holms.any(axis=0)).sum())
        kept += ranking.may_be_best[int(skills.argmax())]
    assert found >= found_by_holm
    assert candidates <= candidates_by_holm
    assert wrong / boards <= at_most(0.05, boards)
    assert kept / boards >= 0.95 - (at_most(0.05, boards) - 0.05)


def test_a_row_that_may_be_best_has_no_better_one_and_a_range_from_1_on_may_be_of_one_that_is_not() -> None:
    draw, ranges_only = np.random.default_rng(8), 0
    for _ in range(20):
        ranking = rank(of_skills(draw, np.linspace(-0.3, 0.3, 15).tolist(), 300), clusters=None)
        for best, may_be_best in zip(ranking.best, ranking.may_be_best, strict=True):
            assert best == 1 or not may_be_best
            ranges_only += best == 1 and not may_be_best
    assert ranges_only > 0


def test_the_smallest_difference_of_a_table_is_found_in_80_of_100() -> None:
    """Ten models on 1,273 questions, of which pairs differ on 37 of 100: 4.8 points alone, 7 among all pairs.

    Nine have half of the questions right and one more by that difference, which the first step has to find.
    """
    draw, differ = np.random.default_rng(9), 0.375
    ranking = rank(draw.random((10, 1273)) < np.where(draw.random(1273) < 0.5, 0.25, 0.75), clusters=None)
    assert float(np.median(ranking.differ[np.triu_indices(10, 1)])) == pytest.approx(differ, abs=0.01)
    alone, among = detectable(1273, differ), detectable_by(ranking, 1273)
    assert (round(100 * alone, 1), round(100 * among)) == (4.8, 7)
    found = dict.fromkeys((alone, among), 0)
    for difference in found:
        for _ in range(1000):
            chances = np.where(draw.random(1273) < 0.5, 0.25, 0.75)
            right = draw.random((2, 1273)) < [chances, chances + difference]
            won = won_by(right)
            lead = abs(won[0, 1] - won[1, 0]) / math.sqrt(won[0, 1] + won[1, 0])
            found[difference] += bool(lead > ranking.needed)
    assert 0.75 <= found[among] / 1000 <= 0.85
    assert 0.25 <= found[alone] / 1000 <= 0.38
