"""Statistics of rotated options: they find what is planted, and nothing at their stated rate elsewhere."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from bench.stats import order
from bench.stats.clusters import clusters_of, mean_interval
from bench.stats.order import (
    by_option,
    changes,
    hits_by_place,
    letter_prior,
    options_at,
    preference,
    published_order,
    right_shares,
    shares,
    spread,
    spread_interval,
    without_prior,
)

Scores = NDArray[np.float64]
UNEVEN = (0.1, 0.2, 0.3, 0.4)


def rotated(
    draw: np.random.Generator,
    count: int,
    letters: Sequence[float] = (0, 0, 0, 0),
    memory: float = 0.0,
    truth_at: Sequence[float] = UNEVEN,
) -> tuple[Scores, NDArray[np.int64]]:
    """Scores of a model that knows something of the right option, with some noise in every rotation."""
    k = len(letters)
    truth = draw.choice(k, size=count, p=truth_at)
    content = draw.normal(size=(count, k))
    content[np.arange(count), truth] += 1.0
    scores = content[:, options_at(k)] + 0.3 * draw.normal(size=(count, k, k)) + np.asarray(letters)
    scores[np.arange(count), 0, truth] += memory
    return scores, truth


def test_the_prior_of_letters_is_that_of_the_paper() -> None:
    scores, _ = rotated(np.random.default_rng(0), 200, (0.0, -1.0, 0.5, 2.0))
    each = softmax(log_softmax(scores, axis=-1).mean(axis=1), axis=-1)
    assert letter_prior(scores) == pytest.approx(each.mean(axis=0))
    assert letter_prior(scores).sum() == pytest.approx(1.0)
    assert letter_prior(scores) == pytest.approx(softmax([0.0, -1.0, 0.5, 2.0]), abs=0.02)


def test_a_prior_that_was_added_is_taken_out_again() -> None:
    draw = np.random.default_rng(1)
    plain, truth = rotated(draw, 400)
    letters = np.array([0.0, 0.0, 0.0, 3.0])
    biased = plain + letters
    mended = without_prior(biased[:, 0], letter_prior(biased)).argmax(axis=1)
    expected = plain[:, 0].argmax(axis=1)
    assert (mended == expected).mean() > 0.97
    assert (biased[:, 0].argmax(axis=1) == truth).mean() < (mended == truth).mean() - 0.05


def test_rotations_move_options_and_choices_are_of_options() -> None:
    assert options_at(3).tolist() == [[0, 1, 2], [1, 2, 0], [2, 0, 1]]
    likes = np.array([0.1, 0.7, 0.2])[options_at(3)][None]
    assert by_option(shares(likes)).tolist() == [[[0, 1, 0]] * 3]
    assert changes(likes).tolist() == [False]
    always_a = np.zeros((1, 3, 3))
    always_a[:, :, 0] = 1
    assert by_option(shares(always_a)).argmax(axis=2).tolist() == [[0, 1, 2]]
    assert changes(always_a).tolist() == [True]


def test_equal_scores_are_no_preference_and_no_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """In 16 bits letters often have equal scores: the first one is not preferred for it."""
    monkeypatch.setattr(order, "DRAWS", 199)
    draw = np.random.default_rng(8)
    content = np.round(draw.normal(size=(300, 4)) / 0.5) * 0.5
    truth = draw.choice(4, size=300, p=UNEVEN)
    scores = content[:, options_at(4)]
    assert ((shares(scores) > 0).sum(axis=2) > 1).mean() > 0.1
    assert not changes(scores).any()
    assert preference(scores, clusters=None).p == 1.0
    hits = hits_by_place(scores, truth)
    assert spread(hits) == pytest.approx(0.0)
    assert right_shares(scores, truth).mean() == pytest.approx(hits.mean())


def test_recall_by_place_is_counted_over_all_rotations() -> None:
    scores, truth = rotated(np.random.default_rng(2), 300, (0, 0, 0, 2.0))
    by_place = hits_by_place(scores, truth)
    interval = spread_interval(by_place, clusters=None)
    for place in range(4):
        hits = [
            scores[question, turn].argmax() == place
            for question in range(300)
            for turn in range(4)
            if (truth[question] - turn) % 4 == place
        ]
        assert (by_place[:, place].sum(), len(by_place)) == (sum(hits), len(hits))
    assert interval.low <= spread(by_place) <= interval.high
    assert interval.low > 0.3


def test_the_interval_of_a_mean_covers_it() -> None:
    draw = np.random.default_rng(3)
    shares = np.array([0.5, 0.2, 0.1, 0.1, 0.1])
    truth = float(shares @ np.arange(5) / 4)
    covered = 0
    for _ in range(400):
        interval = mean_interval(draw.choice(5, size=150, p=shares) / 4, clusters=None)
        covered += interval.low <= truth <= interval.high
    assert covered / 400 > 0.92


@pytest.mark.parametrize(
    ("letters", "truth_at"),
    [
        ((0, 0, 0, 0), UNEVEN),
        ((0, 0, 0.5, 1.5), UNEVEN),
        ((1.5, 0.5, 0, 0), UNEVEN),
        ((-2, 0, 0, 0), (0.4, 0.2, 0.2, 0.2)),
        ((0, 0, 1.5), (0.55, 0.34, 0.11)),
    ],
)
@pytest.mark.parametrize("known", [0.0, 0.5])
def test_an_unremarkable_published_order_is_claimed_at_the_stated_rate(
    letters: tuple[float, ...], truth_at: tuple[float, ...], known: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of a model that prefers a letter only where it does not know the answer."""
    monkeypatch.setattr(order, "DRAWS", 99)
    draw = np.random.default_rng(4)
    p: list[float] = []
    for _ in range(200):
        scores, truth = rotated(draw, 200, letters, truth_at=truth_at)
        sure = draw.random(200) < known
        right = (truth[:, None] - np.arange(len(letters))) % len(letters)
        scores[sure] += 8.0 * (right[sure][:, :, None] == np.arange(len(letters)))
        p.append(published_order(scores, truth, clusters=None).p or 0.0)
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 200)


def test_where_all_right_options_stand_at_one_place_the_published_order_cannot_be_tested() -> None:
    scores, truth = rotated(np.random.default_rng(9), 50, memory=3.0, truth_at=(0, 1, 0, 0))
    assert published_order(scores, truth, clusters=None).p is None


def test_no_preference_is_claimed_at_the_stated_rate_even_where_answers_are_uneven(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(order, "DRAWS", 199)
    draw = np.random.default_rng(5)
    p = [preference(rotated(draw, 100)[0], clusters=None).p for _ in range(400)]
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 400)


def test_what_is_planted_is_found() -> None:
    draw = np.random.default_rng(6)
    assert preference(rotated(draw, 300, (0, 0, 0, 0.5))[0], clusters=None).p < 0.01
    published = published_order(*rotated(draw, 300, memory=0.3), clusters=None)
    assert published.p is not None
    assert published.p < 0.01
    assert published.difference == pytest.approx(0.2, abs=0.1)
    biased = published_order(*rotated(draw, 300, (1.5, 0, 0, 0), memory=0.3), clusters=None)
    assert biased.p is not None
    assert biased.p < 0.01


def test_questions_that_come_in_pairs_say_less_and_are_not_claimed_more_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(order, "DRAWS", 199)
    draw = np.random.default_rng(7)
    clusters = clusters_of([f"case {at // 4}" for at in range(120)])
    assert clusters is not None
    claimed: list[float | None] = []
    for _ in range(300):
        scores, truth = rotated(draw, 30)
        repeated, same = scores.repeat(4, axis=0), truth.repeat(4)  # four copies of one question are one case
        claimed.append(published_order(repeated, same, clusters=clusters).p)
        claimed.append(preference(repeated, clusters=clusters).p)
    assert np.mean([p is not None and p <= 0.05 for p in claimed]) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 600)
    values = draw.random(30).repeat(4)
    alone, together = (mean_interval(values, clusters=each) for each in (None, clusters))
    assert together.high - together.low > 1.5 * (alone.high - alone.low)


def test_the_interval_of_a_spread_holds_it_also_where_letters_are_alike() -> None:
    draw = np.random.default_rng(10)
    for recall in ([0.4, 0.4, 0.4, 0.4], [0.3, 0.4, 0.4, 0.5]):
        held = 0
        for _ in range(200):
            interval = spread_interval((draw.random((200, 4)) < recall).astype(np.float64), clusters=None)
            held += interval.low <= np.ptp(recall) <= interval.high
        assert held / 200 > 0.92


@pytest.mark.parametrize("number", [1, 4])
def test_of_few_clusters_little_is_known(number: int) -> None:
    clusters = clusters_of([f"case {at % number}" for at in range(20)])
    draw = np.random.default_rng(11)
    held = 0
    for _ in range(300):
        values = draw.random(number)[np.arange(20) % number]
        interval = mean_interval(values, clusters=clusters)
        held += interval.low <= 0.5 <= interval.high
    assert held / 300 > 0.88
    assert number > 1 or spread_interval(draw.random((20, 4)), clusters=clusters).high == 1.0
