"""Confidence: estimators against libraries and known values, and the guarantee by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from bench.stats.clusters import Clusters
from bench.stats.confidence import (
    Floats,
    answerable,
    area_under_risks,
    brier,
    calibrated_confidence,
    confidence_of,
    cross_fitted,
    decompose,
    probabilities,
    risks,
    separation,
    smooth_error,
    smooth_error_floor,
    temperature,
)

NAN = float("nan")


def played(
    count: int, sharp: float = 1.0, seed: int = 0
) -> tuple[Floats, "np.ndarray[tuple[int], np.dtype[np.int64]]"]:
    """Scores of a model that knows its own chances, times `sharp`, and right options drawn by the chances."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(scale=1.5, size=(count, 4))
    chances = probabilities(scores)
    truth = np.array([rng.choice(4, p=row) for row in chances])
    return scores * sharp, truth


def test_probabilities_are_a_softmax_over_the_options_that_are_there() -> None:
    chances = probabilities(np.array([[0.0, np.log(3), NAN], [-1000.0, -1000.0, -1000.0]]))
    assert chances.tolist() == [pytest.approx([0.25, 0.75, 0]), pytest.approx([1 / 3] * 3)]
    assert probabilities(np.array([[0.0, np.log(9)]]), temperature=2).tolist() == [
        pytest.approx([0.25, 0.75])
    ]


@pytest.mark.parametrize("sharp", [0.5, 1.0, 4.0])
def test_the_temperature_is_found(sharp: float) -> None:
    scores, truth = played(20_000, sharp)
    fitted = temperature(scores, truth)
    assert fitted == pytest.approx(sharp, rel=0.05)

    def loss(at: float) -> float:
        return log_loss(truth, probabilities(scores, at), labels=range(4))

    assert loss(fitted) <= min(loss(fitted * 1.05), loss(fitted / 1.05))


def test_no_answer_influences_its_own_temperature() -> None:
    scores, truth = played(200, 4.0)
    before = cross_fitted(scores, truth)
    changed = truth.copy()
    changed[::5] = (changed[::5] + 1) % 4  # those of one fold
    after = cross_fitted(scores, changed)
    assert (after[::5] == before[::5]).all()
    assert (after[1::5] != before[1::5]).any()


def test_no_answer_of_a_cluster_influences_the_temperature_of_its_questions() -> None:
    scores, truth = played(200, 4.0)
    clusters = Clusters(np.arange(200) // 2, 100)
    before = cross_fitted(scores, truth, clusters=clusters)
    changed = truth.copy()
    changed[1] = (changed[1] + 1) % 4
    after = cross_fitted(scores, changed, clusters=clusters)
    assert (after[:2] == before[:2]).all()
    assert (after[2:4] != before[2:4]).any()


def test_few_questions_are_not_fitted() -> None:
    scores, truth = played(9)
    assert (cross_fitted(scores, truth) == probabilities(scores)).all()


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.3])
def test_the_smooth_error_is_a_constant_shift(shift: float) -> None:
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0.3, 1, 50_000)
    right = rng.random(50_000) < confidence - shift
    assert smooth_error(confidence, right) == pytest.approx(shift, abs=0.012)


def test_errors_that_cancel_far_apart_are_seen() -> None:
    """Too sure above 0.5 and not sure enough below: the mean confidence is right, the error is 0.2."""
    confidence = np.repeat([0.3, 0.9], 20_000)
    right = np.random.default_rng(2).random(40_000) < np.repeat([0.5, 0.7], 20_000)
    assert confidence.mean() == pytest.approx(right.mean(), abs=0.01)
    assert smooth_error(confidence, right) == pytest.approx(0.2, abs=0.03)


def test_the_floor_is_the_error_of_a_calibrated_model_with_so_many_questions() -> None:
    errors = []
    for seed in range(40):
        scores, truth = played(300, seed=seed)
        chances = probabilities(scores)
        errors.append(smooth_error(chances.max(axis=1), chances.argmax(axis=1) == truth))
    chances = probabilities(played(300)[0]).max(axis=1)
    assert smooth_error_floor(chances) == pytest.approx(np.mean(errors), rel=0.15)
    assert smooth_error_floor(chances[:50]) > 1.5 * smooth_error_floor(chances)


def test_brier_is_that_of_scikit_learn() -> None:
    scores, truth = played(500, 2.0)
    chances = probabilities(scores)
    theirs = brier_score_loss(truth, chances, labels=[0, 1, 2, 3], scale_by_half=False)
    assert brier(chances, truth) == pytest.approx(theirs)


def test_the_decomposition_adds_up_and_is_of_scikit_learns_isotonic_regression() -> None:
    scores, truth = played(800, 3.0)
    chances = probabilities(scores).round(2)
    confidence, right = chances.max(axis=1), chances.argmax(axis=1) == truth
    parts = decompose(confidence, right)
    whole = parts.miscalibration - parts.discrimination + parts.uncertainty
    assert whole == pytest.approx(brier_score_loss(right, confidence))
    theirs = IsotonicRegression().fit(confidence, right).predict(confidence)
    assert calibrated_confidence(confidence, right) == pytest.approx(theirs)
    assert parts.miscalibration == pytest.approx(
        ((confidence - right) ** 2).mean() - ((theirs - right) ** 2).mean()
    )
    assert parts.miscalibration > 0.02
    assert parts.discrimination > 0
    assert parts.uncertainty == pytest.approx(right.mean() * (1 - right.mean()))


def test_risks_follow_the_most_confident_answers() -> None:
    confidence = np.array([0.9, 0.5, 0.7, 0.7])
    right = np.array([True, False, True, False])
    assert risks(confidence, right).tolist() == pytest.approx([0, 0.25, 1 / 3, 0.5])
    assert area_under_risks(confidence, right) == pytest.approx((0.25 + 1 / 3 + 0.5) / 4)


@given(
    st.lists(st.tuples(st.sampled_from([0.25, 0.5, 0.75, 1.0]), st.booleans()), min_size=1, max_size=12),
    st.randoms(),
)
def test_the_order_of_questions_moves_no_number(
    pairs: list[tuple[float, bool]], random: "np.random.Generator"
) -> None:
    def numbers(rows: list[tuple[float, bool]]) -> list[float]:
        confidence, right = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
        return [
            area_under_risks(confidence, right),
            smooth_error(confidence, right),
            answerable(confidence, right, 0.5).coverage,
        ]

    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[arg-type]
    assert numbers(shuffled) == pytest.approx(numbers(pairs), abs=0.001)  # a width is found by bisection


def test_the_separation_is_that_of_scikit_learn() -> None:
    scores, truth = played(300, 2.0)
    chances = probabilities(scores)
    confidence, right = chances.max(axis=1), chances.argmax(axis=1) == truth
    told = separation(confidence, right)
    assert told.auroc == pytest.approx(roc_auc_score(right, confidence))
    assert told.p < 1e-6
    shuffled = np.random.default_rng(5).permutation(right)
    assert separation(confidence, shuffled).p > 0.01
    assert separation(confidence, np.ones(300, bool)).auroc == 0.5


def test_what_is_right_above_a_threshold_is_answerable() -> None:
    confidence = np.linspace(0, 1, 1000)
    right = confidence > 0.6
    best = answerable(confidence, right, 0.9)
    assert best.coverage == pytest.approx(0.43, abs=0.02)
    at = confidence >= best.threshold
    assert binom.sf(right[at].sum() - 1, at.sum(), 0.9) <= 0.05
    assert at.mean() == best.coverage


@pytest.mark.parametrize("right", [np.zeros(50, bool), np.ones(5, bool), np.arange(200) % 2 == 0])
def test_nothing_is_answerable_without_evidence(right: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> None:
    best = answerable(np.linspace(0.3, 0.9, len(right)), right, 0.8)
    assert (best.coverage, best.threshold) == (0.0, np.inf)


@pytest.mark.parametrize("kind", ["calibrated", "flat at the target", "over-confident"])
def test_the_stated_accuracy_holds_in_95_of_100_samples(kind: str) -> None:
    """10,000 samples of 300 questions; wrong where the true accuracy above the threshold is too low."""
    rng, target, draws, count = np.random.default_rng(3), 0.8, 10_000, 300
    wrong = 0
    for _ in range(draws):
        confidence = rng.beta(2, 1, count)
        chance = {
            "calibrated": confidence,
            "flat at the target": np.full(count, target - 1e-9),
            "over-confident": confidence**2,
        }[kind]
        best = answerable(confidence, rng.random(count) < chance, target)
        if best.coverage:
            wrong += _true_accuracy(kind, best.threshold, target) < target
    assert wrong / draws <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / draws)


def _true_accuracy(kind: str, threshold: float, target: float) -> float:
    """The mean chance above a threshold, of confidences with density 2 x."""
    if kind == "flat at the target":
        return target - 1e-9
    power = 1 if kind == "calibrated" else 2
    whole = 1 - threshold**2
    return 2 / (power + 2) * (1 - threshold ** (power + 2)) / whole


def test_questions_without_an_answer_lower_the_coverage() -> None:
    scores = np.full((400, 4), -5.0)
    scores[:, 1] = np.linspace(1, 2, 400)
    truth = np.ones(400, dtype=np.int64)
    assert confidence_of(scores, truth, 400, clusters=None).answerable[1].coverage == 1
    assert confidence_of(scores, truth, 800, clusters=None).answerable[1].coverage == 0.5
    with pytest.raises(ValueError, match="no question has scores"):
        confidence_of(scores[:0], truth[:0], 5, clusters=None)
