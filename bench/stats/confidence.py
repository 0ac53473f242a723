"""When is a model right? Its confidence in an answer against how often such answers are right.

A question's confidence is the highest probability among its options, by a softmax of their scores. Scores are
(questions, most options), NaN for an option that is not there; `truth` are the right options' indices.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.stats.clusters import Clusters
from bench.stats.separation import Separation, separation

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

FOLDS = 5
"""Parts of the questions; the temperature of each is fitted on the others."""
GRID = 500
"""Parts of the interval [0, 1] on which a smoothed error is computed."""
STEPS = 12
"""Bisections of a kernel's width: it is known to 1 / 4096."""
DRAWS = 100
"""Answers of a perfectly calibrated model that are drawn for the floor."""
LEVEL = 0.05
"""How often a stated accuracy may be wrong, one-sided."""


def probabilities(scores: Floats, temperature: float = 1.0) -> Floats:
    """The softmax of each question's scores divided by the temperature; 0 where a score is NaN."""
    scaled = np.where(np.isnan(scores), -np.inf, scores / temperature)
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def temperature(scores: Floats, truth: Ints) -> float:
    """The temperature at which the right options are likeliest (Guo et al. 2017), between 0.01 and 100."""
    from scipy.optimize import minimize_scalar

    minimize: Any = minimize_scalar

    def loss(logarithm: float) -> float:
        right = probabilities(scores, float(np.exp(logarithm)))[np.arange(len(truth)), truth]
        return float(-np.log(np.maximum(right, 1e-300)).mean())

    bounds = float(np.log(0.01)), float(np.log(100))
    return float(np.exp(minimize(loss, bounds=bounds, method="bounded").x))


def cross_fitted(
    scores: Floats, truth: Ints, folds: int = FOLDS, *, clusters: Clusters | None = None
) -> Floats:
    """Probabilities at temperatures that neither a question's own answer nor its cluster's has influenced.

    Question or cluster i is in fold i modulo `folds`; the temperature of a fold is fitted on the others. With
    fewer than two for each fold they are those at temperature 1.
    """
    units = clusters.codes if clusters else np.arange(len(truth))
    if len(np.unique(units)) < 2 * folds:
        return probabilities(scores)
    fold = units % folds
    result = np.empty_like(scores)
    for number in range(folds):
        others, own = fold != number, fold == number
        result[own] = probabilities(scores[own], temperature(scores[others], truth[others]))
    return result


def smooth_error(confidence: Floats, right: Bools) -> float:
    """The smooth calibration error, in [0, 1] (Błasiok and Nakkiran 2023, smECE).

    Residuals are smoothed with a Gaussian kernel, reflected at 0 and 1; its width is the one that equals the
    error that it leaves, so no number of bins has to be chosen.
    """
    return float(_smooth_errors(confidence, np.asarray(right, dtype=np.float64)[None])[0])


def _smooth_errors(confidence: Floats, outcomes: Floats) -> Floats:
    """The errors for several sets of outcomes, (sets, questions), by bisection of the widths.

    The discrete cosine transform is even at both ends, so in its basis a reflected Gaussian kernel is a
    factor for each frequency.
    """
    from scipy import fft

    transform: Any = fft
    places = np.clip((confidence * GRID).astype(np.int64), 0, GRID - 1)
    residuals = np.zeros((len(outcomes), GRID))
    for row, values in zip(residuals, confidence - outcomes, strict=True):
        np.add.at(row, places, values / len(confidence))
    waves: Floats = transform.dct(residuals, axis=1)
    frequencies = np.pi * np.arange(GRID)
    low, high = np.zeros((len(outcomes), 1)), np.ones((len(outcomes), 1))
    for _ in range(STEPS):
        width = (low + high) / 2
        smoothed: Floats = transform.idct(waves * np.exp(-((width * frequencies) ** 2) / 2), axis=1)
        is_wider = np.abs(smoothed).sum(axis=1, keepdims=True) > width
        low, high = np.where(is_wider, width, low), np.where(is_wider, high, width)
    return ((low + high) / 2)[:, 0]


def smooth_error_floor(confidence: Floats, draws: int = DRAWS) -> float:
    """The smooth calibration error of a perfectly calibrated model with these confidences.

    The mean over outcomes that are drawn by the confidences with a fixed seed: with few questions it is far
    from 0, and an error up to about there says nothing.
    """
    outcomes = np.random.default_rng(0).random((draws, len(confidence))) < confidence
    return float(_smooth_errors(confidence, outcomes.astype(np.float64)).mean())


def brier(chances: Floats, truth: Ints) -> float:
    """The mean squared difference of all options' probabilities and what is right, in [0, 2] (Brier 1950)."""
    target = np.zeros_like(chances)
    target[np.arange(len(truth)), truth] = 1
    return float(((chances - target) ** 2).sum(axis=1).mean())


@dataclass(frozen=True, slots=True)
class Decomposition:
    """The squared error of confidences: `miscalibration` − `discrimination` + `uncertainty`.

    The first is what another scale of the confidences would save, the second what they know of which answers
    are right, the third the variance of being right (Dimitriadis, Gneiting and Jordan 2021, CORP).
    """

    miscalibration: float
    discrimination: float
    uncertainty: float


def decompose(confidence: Floats, right: Bools) -> Decomposition:
    """The decomposition of the squared error of confidences."""
    outcome = right.astype(np.float64)
    calibrated, base = calibrated_confidence(confidence, right), outcome.mean()
    score, best = (float(((values - outcome) ** 2).mean()) for values in (confidence, calibrated))
    uncertainty = float(base * (1 - base))
    return Decomposition(score - best, uncertainty - best, uncertainty)


def calibrated_confidence(confidence: Floats, right: Bools) -> Floats:
    """How often answers of such a confidence are right, by isotonic regression, (questions,)."""
    from scipy.optimize import isotonic_regression

    _, place, counts = np.unique(confidence, return_inverse=True, return_counts=True)
    means = np.bincount(place, weights=right) / counts
    return np.asarray(isotonic_regression(means, weights=counts).x, dtype=np.float64)[place]


def risks(confidence: Floats, right: Bools) -> Floats:
    """The share of wrong answers among the i + 1 most confident ones, (questions,).

    Of equal confidences none comes first: each place has the share that a random order has on average.
    """
    _, place, counts = np.unique(-confidence, return_inverse=True, return_counts=True)
    wrong = np.bincount(place, weights=~right) / counts
    return np.cumsum(wrong[np.sort(place)]) / np.arange(1, len(confidence) + 1)


def area_under_risks(confidence: Floats, right: Bools) -> float:
    """The mean risk over all coverages, in [0, 1] (AURC, Geifman and El-Yaniv 2017): lower is better."""
    return float(risks(confidence, right).mean())


@dataclass(frozen=True, slots=True)
class Answerable:
    """The most questions that can be answered at an accuracy of at least `target`.

    They are those whose confidence is at least `threshold`, a share `coverage` of all. Where none can be,
    `coverage` is 0 and `threshold` infinite.
    """

    target: float
    coverage: float
    threshold: float


def answerable(confidence: Floats, right: Bools, target: float, level: float = LEVEL) -> Answerable:
    """How many questions can be answered at an accuracy of `target` or more, in 1 - `level` of all samples.

    No right answer may have influenced the confidences. Thresholds are tested from the strictest on, each by
    an exact binomial test of the answers above it, and the first that is not rejected ends it: so no claim
    needs a correction, although the threshold is chosen from the same data (fixed-sequence testing;
    Angelopoulos et al. 2021, Learn then Test). The sequence depends on confidences alone, and begins where
    there are enough answers for a rejection.
    """
    thresholds, answers, correct = _above(confidence, right)
    first = int(np.count_nonzero(target**answers > level))  # even if all were right, they are too few
    rejected = _at_least(correct[first:], answers[first:], target) <= level
    tested = int(np.cumprod(rejected).sum())  # up to the first that is not rejected
    if not tested:
        return Answerable(target, 0.0, np.inf)
    last = first + tested - 1
    return Answerable(target, int(answers[last]) / len(confidence), float(thresholds[last]))


def _above(confidence: Floats, right: Bools, steps: int = 100) -> tuple[Floats, Ints, Ints]:
    """Up to `steps` thresholds from the highest confidence on, the answers above each and the right ones."""
    order = np.argsort(-confidence, kind="stable")
    ranked, correct = confidence[order], np.cumsum(right[order], dtype=np.int64)
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # equal confidences stay together
    places = ends[np.unique(np.linspace(0, len(ends) - 1, min(steps, len(ends))).astype(np.int64))]
    return ranked[places], places + 1, correct[places]


def _at_least(successes: Ints, trials: Ints, rate: float) -> Floats:
    """The probabilities of so many successes or more."""
    from scipy.stats import binom

    return np.asarray(binom.sf(successes - 1, trials, rate), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Confidence:
    """What a run's scores say of when it is right; of the questions that it answered, `questions`.

    `confidence` and `right` are of each of them, in their order, and `fitted` is the confidence after fitting
    the temperature. `error` and `fitted_error` are the smooth calibration errors before and after that.
    `floor`, `brier` and `parts` are of the fitted confidences, the others of the unfitted ones.

    Where the questions come in `clusters`, so many, nothing is `answerable`: an exact guarantee needs
    independent questions. The floor is then that of independent ones, too.
    """

    confidence: Floats
    fitted: Floats
    right: Bools

    temperature: float
    error: float
    fitted_error: float
    floor: float
    brier: float
    parts: Decomposition
    separation: Separation
    area: float
    answerable: tuple[Answerable, ...]
    clusters: int | None = None

    @property
    def questions(self) -> int:
        return len(self.right)

    @property
    def accuracy(self) -> float:
        """The share of right answers, in [0, 1]."""
        return float(self.right.mean())


TARGETS = (0.5, 0.8, 0.9)


def confidence_of(
    scores: Floats,
    truth: Ints,
    total: int,
    targets: Sequence[float] = TARGETS,
    *,
    clusters: Clusters | None,
) -> Confidence:
    """The confidence of a run with these scores of answered questions, of `total` questions that were asked.

    Questions without an answer are never answered, so they lower every coverage. `clusters` are those of the
    questions with scores, None where each is alone. Raises a ValueError where no question has scores.
    """
    if not len(truth):
        raise ValueError("no question has scores")
    right = np.nanargmax(scores, axis=1) == truth
    raw, fitted = probabilities(scores), cross_fitted(scores, truth, clusters=clusters)
    before, after = raw.max(axis=1), fitted.max(axis=1)
    share = len(truth) / total
    kept = (answerable(before, right, target) for target in (targets if clusters is None else ()))
    apart = separation(before, right)
    return Confidence(
        confidence=before,
        fitted=after,
        right=right,
        temperature=temperature(scores, truth),
        error=smooth_error(before, right),
        fitted_error=smooth_error(after, right),
        floor=smooth_error_floor(after),
        brier=brier(fitted, truth),
        parts=decompose(after, right),
        separation=apart if clusters is None else Separation(apart.auroc, None),
        area=area_under_risks(before, right),
        answerable=tuple(Answerable(one.target, one.coverage * share, one.threshold) for one in kept),
        clusters=clusters and clusters.number,
    )
