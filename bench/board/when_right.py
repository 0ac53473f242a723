"""When a run's answers are right: what its scores say of it, in numbers, words and two drawings."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bench.results.answers import Answered
from bench.stats.clusters import Clusters
from bench.stats.confidence import Answerable, Confidence, confidence_of
from bench.types import LETTERS
from bench.wording import MINUS, counted, percent, plain_points

FEWEST = 50
"""Questions with scores that a run must have: with fewer, none of the numbers says anything."""
STATED = 0.8
"""The accuracy of the sentence. It is always this one: each target's guarantee holds alone, and the highest
of several that were shown would be wrong more often than each."""
SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True)
class WhenRight:
    """`numbers` are of the questions with scores."""

    numbers: Confidence

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
    """None where `not_given` says why."""
    if not_given(run):
        return None
    answers, has_scores = run.answers, _has_scores(run)
    scores = answers.scores.astype(np.float64)
    truth = np.array([LETTERS.index(letter) for letter in answers.truth], dtype=np.int64)
    own = answers.clusters
    clusters = Clusters(own.codes[has_scores], own.number) if own else None
    return WhenRight(confidence_of(scores[has_scores], truth[has_scores], len(answers), clusters=clusters))


def not_given(run: Answered) -> str:
    """Why a run has no such numbers, as a sentence; "" where it has them."""
    reason = _obstacle(run)
    return f"When it is right: not given, because {reason}." if reason else ""


def _obstacle(run: Answered) -> str:
    if run.result.cell.model.is_baseline:
        return "a baseline has no probabilities"
    if run.answers.written:
        return "the answers were written"
    count = int(_has_scores(run).sum())
    if count >= FEWEST:
        return ""
    have = "question has" if count == 1 else "questions have"
    return f"only {count} {have} scores ({FEWEST} are needed)"


def _has_scores(run: Answered) -> NDArray[np.bool_]:
    return np.asarray(~np.isnan(run.answers.scores).all(axis=1), dtype=np.bool_)


def answerable_sentence(one: Answerable) -> str:
    """What a clinician can use: how many questions can be answered at which accuracy."""
    accuracy = f"at {percent(one.target, 0)} accuracy or better"
    if not one.coverage:
        return f"No share of the questions is shown to be answered {accuracy}."
    share = percent(one.coverage, 0 if one.coverage >= 0.01 else 1)
    return (
        f"If it answers only the questions that it is surest of, it answers {share} of all questions "
        f"{accuracy} (95\u202f% confidence, one-sided)."
    )


def _sentences(numbers: Confidence) -> Iterator[str]:
    if numbers.clusters is None:
        yield from (answerable_sentence(one) for one in numbers.answerable if one.target == STATED)
    else:
        yield (
            "How many questions it can answer at a given accuracy is not stated: the guarantee needs "
            f"independent questions, and these come in {counted(numbers.clusters, 'cluster')}."
        )
    yield (
        f"How sure it is differs from how often it is right by {plain_points(numbers.error)} percentage "
        f"points on average, and by {plain_points(numbers.fitted_error)} after rescaling "
        f"({_temperature(numbers.temperature)})."
    )
    asked = counted(numbers.questions, "question" if numbers.clusters is None else "independent question")
    yield f"On {asked} even a perfectly calibrated model would show {plain_points(numbers.floor)}."
    if numbers.separation.p is not None and numbers.separation.p > SIGNIFICANT:
        yield "Its confidence is not shown to tell right answers from wrong ones."


def _temperature(value: float) -> str:
    """A temperature with what it means."""
    shown = f"{value:.2f}"
    if shown == "1.00":
        return f"temperature {shown}"
    meaning = "above 1: it is too sure" if value > 1 else "below 1: it is not sure enough"
    return f"temperature {shown}; {meaning}"


def _facts(numbers: Confidence) -> Iterator[tuple[str, str]]:
    for one in numbers.answerable:
        name = f"Answerable at {percent(one.target, 0)} (guaranteed alone)"
        share = f"{percent(one.coverage)}, from a confidence of {one.threshold:.2f}"
        yield name, share if one.coverage else "none"
    yield "Questions with scores", f"{numbers.questions:,}"
    p = "no test for clusters" if numbers.separation.p is None else f"p = {numbers.separation.p:.2g}"
    yield "Right told from wrong (AUROC)", f"{numbers.separation.auroc:.3f}, {p}"
    yield "Temperature", f"{numbers.temperature:.2f}"
    floor = f"floor {numbers.floor:.3f}" + (" (of independent questions)" if numbers.clusters else "")
    yield "Calibration error", f"{numbers.error:.3f}, after rescaling {numbers.fitted_error:.3f}, {floor}"
    yield "Brier score of all options, after rescaling", f"{numbers.brier:.3f}"
    yield "Brier score of the chosen answer, after rescaling", _split(numbers)
    area = f"{numbers.area:.3f}; {1 - numbers.accuracy:.3f} if its confidence told nothing"
    yield "Area under risk and coverage", area


def _split(numbers: Confidence) -> str:
    parts = numbers.parts
    whole = parts.miscalibration - parts.discrimination + parts.uncertainty
    return (
        f"{whole:.4f} = {parts.miscalibration:.4f} (miscalibration) {MINUS} "
        f"{parts.discrimination:.4f} (discrimination) + {parts.uncertainty:.4f} (uncertainty)"
    )
