"""Statistics of rotated options: they find what is planted, and nothing at their stated rate elsewhere."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from bench.stats import order
from bench.stats.clusters import clusters_of
from bench.stats.order import (
    chosen_options,
    hits_by_place,
    letter_prior,
    mean_interval,
    options_at,
    preference,
    published_order,
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
    likes = np.array([0.1, 0.7, 0.2])
    assert chosen_options(likes[options_at(3)][None]).tolist() == [[1, 1, 1]]
    always_a = np.zeros((1, 3, 3))
    always_a[:, :, 0] = 1
    assert chosen_options(always_a).tolist() == [[0, 1, 2]]


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


@pytest.mark.parametrize("letters", [(0, 0, 0, 0), (0, 0, 0.5, 1.5)])
def test_an_unremarkable_published_order_is_claimed_at_the_stated_rate(
    letters: tuple[float, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order, "DRAWS", 199)
    draw = np.random.default_rng(4)
    p = [published_order(*rotated(draw, 100, letters), clusters=None).p for _ in range(400)]
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 400)


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
    assert published.p < 0.01
    assert published.difference == pytest.approx(0.2, abs=0.1)


def test_questions_that_come_in_pairs_say_less_and_are_not_claimed_more_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(order, "DRAWS", 199)
    draw = np.random.default_rng(7)
    clusters = clusters_of([f"case {at // 4}" for at in range(120)])
    assert clusters is not None
    claimed: list[float] = []
    for _ in range(300):
        scores, truth = rotated(draw, 30)
        repeated, same = scores.repeat(4, axis=0), truth.repeat(4)  # four copies of one question are one case
        claimed.append(published_order(repeated, same, clusters=clusters).p)
        claimed.append(preference(repeated, clusters=clusters).p)
    assert np.mean(np.array(claimed) <= 0.05) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 600)
    shares = draw.random(30).repeat(4)
    alone, together = (mean_interval(shares, clusters=each) for each in (None, clusters))
    assert together.high - together.low > 1.5 * (alone.high - alone.low)
