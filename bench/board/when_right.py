"""When a run's answers are right: what its scores say of it, in numbers, words and two drawings."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from bench.results.answers import Answered
from bench.stats.confidence import (
    Answerable,
    Confidence,
    calibrated_confidence,
    confidence_of,
    risks,
)
from bench.types import LETTERS
from bench.wording import counted, percent, plain_points

FEWEST = 50
"""Questions with scores that a run must have: with fewer, none of the numbers says anything."""
POINTS = 100
"""Points of a drawn curve at most."""
SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True)
class Curve:
    """A drawing: `points` are (x, y) in [0, 1]. They are compared with `straight`, in words `dotted`."""

    title: str
    dotted: str
    x: str
    y: str
    points: tuple[tuple[float, float], ...]
    straight: tuple[tuple[float, float], ...]

    @property
    def path(self) -> str:
        """The curve as an SVG path in a square of 100, whose origin is above."""
        return _path(self.points)

    @property
    def comparison(self) -> str:
        return _path(self.straight)


def _path(points: tuple[tuple[float, float], ...]) -> str:
    return "M" + " L".join(f"{100 * x:.2f} {100 * (1 - y):.2f}" for x, y in points)


@dataclass(frozen=True, slots=True)
class WhenRight:
    """`numbers` are of the questions with scores."""

    numbers: Confidence

    @property
    def curves(self) -> tuple[Curve, Curve]:
        """Reliability, and accuracy against coverage."""
        return _reliability(self.numbers), _coverage(self.numbers)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What a reader should take from it."""
        return tuple(_sentences(self.numbers))

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """Pairs of name and value."""
        return tuple(_facts(self.numbers))


@lru_cache(maxsize=2048)  # pages and several columns ask for the same
def when_right(run: Answered) -> WhenRight | None:
    """None for baselines, for written answers, and where too few questions have scores."""
    answers = run.answers
    scores = answers.scores.astype(np.float64)
    has_scores = ~np.isnan(scores).all(axis=1)
    if run.result.cell.model.is_baseline or answers.written or has_scores.sum() < FEWEST:
        return None
    truth = np.array([LETTERS.index(letter) for letter in answers.truth], dtype=np.int64)
    clusters = answers.clusters.number if answers.clusters else None
    return WhenRight(confidence_of(scores[has_scores], truth[has_scores], len(answers), clusters=clusters))


def _reliability(numbers: Confidence) -> Curve:
    order = np.argsort(numbers.fitted, kind="stable")
    calibrated = calibrated_confidence(numbers.fitted, numbers.right)
    values = zip(numbers.fitted[order], calibrated[order], strict=True)
    points = _thinned([(float(x), float(y)) for x, y in values])
    title = "How often answers of a confidence are right, after fitting the temperature"
    dotted = "perfectly calibrated probabilities"
    return Curve(title, dotted, "confidence", "share that is right", points, ((0.0, 0.0), (1.0, 1.0)))


def _coverage(numbers: Confidence) -> Curve:
    shares = 1 - risks(numbers.confidence, numbers.right)
    count, accuracy = numbers.questions, numbers.accuracy
    values = [((at + 1) / count, float(share)) for at, share in enumerate(shares)]
    title = "Accuracy of the most confident answers, by the share of questions that is answered"
    points = _thinned(values[count // POINTS :])  # the first few answers alone say nothing
    straight = (0.0, accuracy), (1.0, accuracy)
    return Curve(title, "all questions", "share of the questions answered", "accuracy", points, straight)


def _thinned(points: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """At most POINTS of the points, with the first and the last."""
    kept = np.linspace(0, len(points) - 1, min(POINTS, len(points))).astype(np.int64)
    places: list[int] = np.unique(kept).tolist()
    return tuple(points[at] for at in places)


def answerable_sentence(one: Answerable) -> str:
    """What a clinician can use: how many questions can be answered at which accuracy."""
    if not one.coverage:
        return f"For no part of the questions is an accuracy of {percent(one.target, 0)} shown."
    share = percent(one.coverage, 0)
    accuracy = percent(one.target, 0)
    return f"It answers {share} of the questions at {accuracy} accuracy or better (95\u202f%, one-sided)."


def _sentences(numbers: Confidence) -> Iterator[str]:
    shown = [one for one in numbers.answerable if one.coverage]
    if numbers.clusters is None:
        yield answerable_sentence(shown[-1] if shown else numbers.answerable[0])
    else:
        yield (
            "How many questions it can answer at an accuracy is not stated: the guarantee needs independent "
            f"questions, and these come in {counted(numbers.clusters, 'cluster')}."
        )
    yield (
        f"Its probabilities are off by {plain_points(numbers.error)} points, and by "
        f"{plain_points(numbers.fitted_error)} once their scale is fitted; those of a perfectly calibrated "
        f"model would seem off by {plain_points(numbers.floor)} on so many questions."
    )
    if numbers.separation.p is not None and numbers.separation.p > SIGNIFICANT:
        yield "Its confidence is not shown to tell right answers from wrong ones."


def _facts(numbers: Confidence) -> Iterator[tuple[str, str]]:
    for one in numbers.answerable:
        name = f"Answerable at {percent(one.target, 0)}"
        yield (
            name,
            f"{percent(one.coverage)}, from a confidence of {one.threshold:.2f}" if one.coverage else "none",
        )
    yield "Questions with scores", f"{numbers.questions:,}"
    p = "no test for clusters" if numbers.separation.p is None else f"p = {numbers.separation.p:.2g}"
    yield "Right told from wrong (AUROC)", f"{numbers.separation.auroc:.3f}, {p}"
    yield "Temperature", f"{numbers.temperature:.2f}"
    floor = f"floor {numbers.floor:.3f}" + (" (of independent questions)" if numbers.clusters else "")
    yield "Calibration error", f"{numbers.error:.3f}, fitted {numbers.fitted_error:.3f}, {floor}"
    yield "Brier score", f"{numbers.brier:.3f}"
    parts = numbers.parts
    split = f"miscalibration {parts.miscalibration:.4f}, discrimination {parts.discrimination:.4f}"
    yield "Squared error of confidence", f"{split}, uncertainty {parts.uncertainty:.4f}"
    yield (
        "Area under risk and coverage",
        f"{numbers.area:.3f}; {1 - numbers.accuracy:.3f} where confidence says nothing",
    )
