"""Scores and differences over several tasks: by hand, against exact tests, and by simulation."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from bench.stats import across as module
from bench.stats.across import across, difference_p, guessing_p, may_be_best, score, widening, worth
from bench.stats.paired import mcnemar
from bench.stats.ranking import holm

CHANCE, WEIGHTS = np.array([0.25, 0.5, 0.2]), np.array([2.0, 1.0, 1.0])
BOARDS = 1000


def test_the_score_is_the_weighted_mean_of_the_way_from_guessing_to_all_right() -> None:
    correct = np.array([[55.0, 75.0], [25.0, 50.0], [100.0, 100.0]])
    scores = score(correct, np.array([100.0, 100.0]), np.array([0.25, 0.5]), np.array([3.0, 1.0]))
    assert scores == pytest.approx([0.75 * 0.4 + 0.25 * 0.5, 0.0, 1.0])


def test_the_difference_and_its_margin_are_stratified_by_task() -> None:
    first = np.array([[1, 1, 1, 0], [0, 0, 1, 1]], dtype=np.bool_)
    second = np.array([[1, 0], [0, 0]], dtype=np.bool_)
    compared = across([first, second], np.array([0.25, 0.5]), np.array([1.0, 1.0]), clusters=[None, None])
    k = np.array([0.5 / 0.75, 0.5 / 0.5])
    assert compared.difference[0, 1] == pytest.approx(k[0] * (2 - 1) / 4 + k[1] * 1 / 2)
    assert compared.difference[1, 0] == pytest.approx(-compared.difference[0, 1])
    assert compared.difference[0, 1] == pytest.approx(compared.scores[0] - compared.scores[1])
    variance = k[0] ** 2 * (3 - 1 / 4) / 16 + k[1] ** 2 * (1 - 1 / 2) / 4
    assert compared.margin[0, 1] == pytest.approx(1.959964 * variance**0.5)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=4))
def test_tasks_that_count_the_same_are_tested_as_one_by_mcnemar(counts: list[tuple[int, int]]) -> None:
    won, lost = (np.array([column], dtype=np.float64) for column in zip(*counts, strict=True))
    p = difference_p(won, lost, np.full(len(counts), 0.013), sizes=[None] * len(counts))
    assert p[0] == pytest.approx(mcnemar(int(lost.sum()), int(won.sum())), abs=1e-12)


def test_few_outcomes_are_enumerated() -> None:
    """By hand: 2 questions worth 1 and 1 worth 3; a difference of 5 is reached in two of eight ways."""
    p = difference_p(np.array([[2.0, 1.0]]), np.array([[0.0, 0.0]]), np.array([1.0, 3.0]), sizes=[None, None])
    assert p[0] == pytest.approx(2 / 8)
    assert (
        difference_p(np.zeros((1, 2)), np.zeros((1, 2)), np.array([1.0, 3.0]), sizes=[None, None])[0] == 1.0
    )


def test_the_normal_form_is_near_the_enumerated_one_and_rarely_below(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = np.array([(w, d - w, v, e - v) for d, e in product((8, 15, 30), (10, 25, 60))
                      for w in range(d + 1) for v in range(0, e + 1, 3)], dtype=np.float64)  # fmt: skip
    won, lost, each = pairs[:, [0, 2]], pairs[:, [1, 3]], np.array([0.8, 0.5])
    exact = difference_p(won, lost, each, sizes=[None, None])
    monkeypatch.setattr(module, "ENUMERATED", 0)
    normal = difference_p(won, lost, each, sizes=[None, None])
    decisive = (exact > 1e-4) & (exact < 0.1)
    assert decisive.sum() > 200
    assert np.all(normal[decisive] > 0.95 * exact[decisive])
    assert np.median(normal[decisive] / exact[decisive]) < 1.75


def test_guessing_on_one_task_is_tested_exactly() -> None:
    p = guessing_p(np.array([[34.0], [25.0], [60.0]]), [[4] * 100], np.array([0.01]))
    assert p == pytest.approx(np.minimum(1, 2 * binom.sf([33, 24, 59], 100, 0.25)))
    assert p[0] == pytest.approx(2 * binomtest(34, 100, 0.25, alternative="greater").pvalue)
    mixed = guessing_p(np.array([[3.0]]), [[2, 2, 4]], np.array([1.0]))
    assert mixed[0] == pytest.approx(2 / 16)


def test_guessing_on_several_tasks_is_claimed_to_be_knowledge_in_at_most_5_percent() -> None:
    draw, questions, chance = np.random.default_rng(1), np.array([60.0, 200.0]), np.array([0.5, 0.25])
    correct = draw.binomial(questions.astype(int), chance, size=(20_000, 2)).astype(np.float64)
    p = guessing_p(correct, [[2] * 60, [4] * 200], worth(questions, chance, np.ones(2)))
    assert 0.01 < np.mean(p <= 0.05) <= 0.025  # of the two sides, only better than guessing is a claim
    assert guessing_p(np.array([[45.0, 90.0]]), [[2] * 60, [4] * 200], np.array([0.017, 0.003]))[0] < 1e-4


def boards(draw: np.random.Generator, sizes: tuple[int, ...], gains: np.ndarray) -> module.Across:
    """A board of models whose chances on a question are its difficulty plus the model's gain, by task."""
    right = [
        draw.random((len(gains), size)) < np.clip(draw.uniform(0.2, 0.7, size) + gains[:, [task]], 0, 1)
        for task, size in enumerate(sizes)
    ]
    return across(right, CHANCE, WEIGHTS, clusters=[None] * len(right))


@pytest.mark.parametrize("sizes", [(150, 80, 200), (12, 9, 14)])
def test_among_equal_models_a_difference_is_claimed_in_at_most_5_percent_of_boards(
    sizes: tuple[int, ...],
) -> None:
    draw, models = np.random.default_rng(2), 6
    compared = [boards(draw, sizes, np.zeros((models, 3))) for _ in range(BOARDS)]
    assert np.mean([claims(each) for each in compared]) <= 0.05
    left_out = [models - len(may_be_best(each, range(models))) for each in compared]
    assert np.sum(left_out) / (models * BOARDS) <= 0.05


def claims(compared: module.Across) -> bool:
    """Whether two of the models are said to differ, by Holm's method over all pairs."""
    return bool((holm(compared.p[np.triu_indices(len(compared.p), 1)]) <= 0.05).any())


def test_models_of_equal_score_with_different_strengths_are_rarely_separated() -> None:
    """One is better in the first task, the other in the second: k says that this comes to the same."""
    draw = np.random.default_rng(3)
    k = WEIGHTS / WEIGHTS.sum() / (1 - CHANCE)
    tilt = 0.1 * np.array([1.0, -k[0] / k[1], 0.0])
    gains = np.array([tilt, -tilt, tilt / 2, np.zeros(3)])
    claimed = [claims(boards(draw, (150, 80, 200), gains)) for _ in range(BOARDS)]
    assert np.mean(claimed) <= 0.05


def test_the_truly_best_is_among_those_that_may_be_best_in_95_percent_of_boards() -> None:
    draw, kept, separated = np.random.default_rng(4), 0, 0
    for _ in range(BOARDS):
        gains = np.repeat(draw.uniform(-0.1, 0.1, (8, 1)), 3, axis=1)
        best = may_be_best(boards(draw, (150, 80, 200), gains), range(8))
        kept += int(gains[:, 0].argmax()) in best
        separated += len(best) < 8
    assert kept >= 0.95 * BOARDS
    assert separated >= 0.5 * BOARDS  # differences are seen, too


def test_only_members_are_compared() -> None:
    right = np.zeros((3, 50), dtype=np.bool_)
    right[0], right[1, :20] = True, True
    compared = across([right], np.array([0.25]), np.array([1.0]), clusters=[None])
    assert may_be_best(compared, [0, 1, 2]) == [0]
    assert may_be_best(compared, [1, 2]) == [1]
    assert may_be_best(compared, [2]) == [2]


def test_few_close_models_far_above_others_are_told_apart_as_by_holms_method() -> None:
    """Two differ on 6 questions alone, and the others are below in clear steps: one test is left open."""
    right = np.arange(406) < 400 - 40 * np.maximum(0, np.arange(12) - 1)[:, None]
    right[0] = True
    compared = across([right], np.array([0.25]), np.array([1.0]), clusters=[None])
    assert 0.1 / 11 < compared.p[0, 1] <= 0.05  # 2 / 2**6
    assert may_be_best(compared, range(12)) == [0]
    assert may_be_best(compared, [0, 1]) == [0]


@pytest.mark.parametrize(
    ("gains", "fitting", "needed"),
    [
        (np.zeros(2), 1, False),
        (np.zeros(21), 1, True),
        (np.zeros(20), 5, True),
        (np.r_[np.zeros(3), np.full(10, 0.1)], 3, True),
        (np.r_[np.linspace(-0.15, 0, 5), np.linspace(-0.1, 0.2, 15)], 5, False),
        (np.r_[np.zeros(19), 0.2], 5, False),
    ],
    ids=["one equal", "many equal", "several equal", "equal above", "all differ", "one above"],
)
def test_the_price_of_limits_is_in_its_interval_though_the_best_is_chosen_by_the_same_answers(
    gains: np.ndarray, fitting: int, needed: bool
) -> None:
    """On 95 % of the boards with a price, where the first models fit; among equals, not without widening."""
    draw, covered, without = np.random.default_rng(5), list[bool](), list[bool]()
    for _ in range(400):
        compared = boards(draw, (150, 80, 200), np.repeat(gains[:, None], 3, axis=1))
        best = int(compared.scores.argmax())
        among = may_be_best(compared, range(fitting))
        reference = among[int(draw.integers(len(among)))]  # the cheapest, whichever that is
        if best < fitting:
            continue  # the limits cost nothing
        rivals = [each for each in may_be_best(compared, range(len(gains))) if each >= fitting]
        truth = (gains[best] - gains[reference]) * (WEIGHTS / WEIGHTS.sum() / (1 - CHANCE)).sum()
        error = abs(compared.difference[best, reference] - truth)
        covered.append(error <= compared.margin[best, reference] * widening(len(rivals)))
        without.append(error <= compared.margin[best, reference])
    assert len(covered) > 150
    assert np.mean(covered) >= 0.95 - 2 * (0.05 * 0.95 / len(covered)) ** 0.5
    assert (np.mean(without) < 0.91) == needed


def test_guessing_is_also_tested_for_worse_answers() -> None:
    """Exactly for one task, and by the normal approximation for several."""
    options = [[4] * 100]
    each = np.array([0.01])
    for correct in (0, 15, 25, 100):
        p = guessing_p(np.array([[float(correct)]]), options, each, worse=True)
        assert p[0] == pytest.approx(min(1.0, 2 * binom.cdf(correct, 100, 0.25)), abs=1e-12)
    several, options = np.array([[15.0, 60.0], [35.0, 90.0]]), [[4] * 100, [2] * 150]
    better, worse = (guessing_p(several, options, np.array([0.01, 0.01]), worse=way) for way in (False, True))
    assert (better[0], worse[1]) == (1.0, 1.0)
    assert worse[0] == pytest.approx(better[1])
