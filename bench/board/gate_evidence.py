"""What the answers of a model say on a requirement of a policy. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.board.board import TaskBoard
from bench.board.candidates import Candidate
from bench.board.clustered import clusters_on
from bench.board.policy import Better, Comparison, Equivalent, NotWorse
from bench.results.answers import UNREAD
from bench.stats.across import difference_p, guessing_p, score, worth
from bench.stats.clusters import Clusters, counted_right, effective_questions
from bench.stats.intervals import Interval, exact
from bench.stats.margin import Pairs, score_interval, variance_at
from bench.stats.paired import paired
from bench.stats.questions import Side
from bench.stats.ranking import ALPHA, POWER, detectable
from bench.stats.rate import rate_p
from bench.stats.strata import Strata, strata_of

_NORMAL = NormalDist()
_CONFIDENT = _NORMAL.inv_cdf(1 - ALPHA / 2)
_TO_POWER = _CONFIDENT + _NORMAL.inv_cdf(POWER)
_NEARLY_NONE = 1e-9
"""Independent questions that say as much as a single cluster."""
Scale = Literal["accuracy", "score", "unread"]
Rights = list[NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class Evidence:
    """An estimate from the answers to `tasks`, and what it says on a bound.

    The estimate is of model less reference, or of the model alone: of accuracies on one task, of scores
    across several, where 0 is guessing and 1 all right. `interval` is its 95 % interval. `claim` is the p for
    the requirement, and `contrary` the p against it, each twice that of a one-sided test. The sides and
    `error` are those of `bench.stats.questions.times_as_many`; `contraries` is how many ways there are to
    break the requirement. `detectable` is the smallest difference that 80 of 100 such sets of questions show;
    None for one model alone, and where two were right on the same questions. `clustered` are the tasks whose
    questions come in clusters.
    """

    tasks: tuple[str, ...]
    scale: Scale
    questions: int
    estimate: float
    interval: Interval
    claim: float
    contrary: float
    claim_sides: tuple[Side, ...]
    contrary_side: Side
    error: float
    contraries: int = 1
    detectable: float | None = None
    clustered: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """The tasks that a requirement is about: their tables and weights, both by name in the same order."""

    tables: Mapping[str, TaskBoard]
    weights: Mapping[str, float]

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(self.weights)

    @property
    def scale(self) -> Scale:
        return "accuracy" if len(self.weights) == 1 else "score"

    @cached_property
    def questions(self) -> NDArray[np.float64]:
        return np.array([table.items for table in self.tables.values()], dtype=np.float64)

    @cached_property
    def chance(self) -> NDArray[np.float64]:
        return np.array([table.chance for table in self.tables.values()])

    @cached_property
    def each(self) -> NDArray[np.float64]:
        """What one right answer is worth, (tasks,)."""
        weights = np.array(list(self.weights.values()), dtype=np.float64)
        return (
            1.0 / self.questions if self.scale == "accuracy" else worth(self.questions, self.chance, weights)
        )

    @cached_property
    def clusters(self) -> list[Clusters | None]:
        return [clusters_on(table) for table in self.tables.values()]

    @property
    def clustered(self) -> tuple[str, ...]:
        return tuple(task for task, own in zip(self.tasks, self.clusters, strict=True) if own)

    def right(self, model: Candidate) -> Rights:
        return [model.rows[task].answers.right for task in self.tasks]

    def effective(self, model: Candidate) -> NDArray[np.float64]:
        """How many independent questions say as much as each task's, (tasks,)."""
        both = zip(self.right(model), self.clusters, strict=True)
        return np.array([float(effective_questions(right, clusters=own)) for right, own in both])

    def correct(self, model: Candidate) -> NDArray[np.float64]:
        return np.array([right.sum() for right in self.right(model)], dtype=np.float64)


def compared(requirement: Comparison, asked: Asked, model: Candidate, reference: Candidate) -> Evidence:
    """What the questions that both answered say on a model and its reference."""
    right = asked.right(model), asked.right(reference)
    strata = strata_of(*right, asked.each, clusters=asked.clusters)
    match requirement:
        case NotWorse(margin=margin):
            return _not_worse(asked, strata, margin)
        case Equivalent(margin=margin):
            return _equivalent(asked, strata, margin)
        case Better():
            return _better(asked, strata, right)


def _not_worse(asked: Asked, strata: Strata, margin: float) -> Evidence:
    side, above, below = _against(strata.effective, -margin)
    return _of_margin(asked, strata, (above, below), (side,), Side(-side.distance, side.null))


def _equivalent(asked: Asked, strata: Strata, margin: float) -> Evidence:
    """Two one-sided tests (Schuirmann 1987): the p of the claim is the larger of theirs."""
    low, above_low, below_low = _against(strata.effective, -margin)
    high, above_high, below_high = _against(strata.effective, margin)
    claim, contrary = max(above_low, below_high), min(1.0, 2 * min(below_low, above_high))
    outside = max(Side(-low.distance, low.null), high, key=lambda side: side.distance)
    sides = low, Side(-high.distance, high.null)
    return _of_margin(asked, strata, (claim, contrary), sides, outside, contraries=2)


def _against(pairs: Pairs, bound: float) -> tuple[Side, float, float]:
    """The distance above a bound, and the p for a difference above it and for one below it."""
    side = Side(float(pairs.difference[0]) - bound, math.sqrt(float(variance_at(pairs, bound)[0])))
    deviation = side.distance / side.null
    return side, min(1.0, 2 * _NORMAL.cdf(-deviation)), min(1.0, 2 * _NORMAL.cdf(deviation))


def _of_margin(
    asked: Asked,
    strata: Strata,
    p: tuple[float, float],
    sides: tuple[Side, ...],
    contrary: Side,
    contraries: int = 1,
) -> Evidence:
    low, high = score_interval(strata.effective)
    interval = Interval(float(low[0]), float(high[0]))
    return _of_pair(asked, strata, interval, p, sides, contrary, contraries)


def _better(asked: Asked, strata: Strata, right: tuple[Rights, Rights]) -> Evidence:
    """The difference, interval and p of `bench compare`; across tasks, those of `bench pick`."""
    pairs = strata.pairs
    difference = float(pairs.difference[0])
    p = float(difference_p(pairs.won, pairs.lost, pairs.each, sizes=strata.sizes)[0])
    margin = _CONFIDENT * math.sqrt(strata.variance)
    interval = Interval(difference - margin, difference + margin)
    if asked.scale == "accuracy":
        ([own], [other]), [clusters] = right, asked.clusters
        interval = paired(other, own, clusters=clusters).interval
    null = math.sqrt(strata.null)
    both = (p if difference > 0 else 1.0, p if difference < 0 else 1.0)
    return _of_pair(asked, strata, interval, both, (Side(difference, null),), Side(-difference, null), 1)


def _of_pair(
    asked: Asked,
    strata: Strata,
    interval: Interval,
    p: tuple[float, float],
    sides: tuple[Side, ...],
    contrary: Side,
    contraries: int,
) -> Evidence:
    pairs, error = strata.pairs, math.sqrt(float(strata.effective.variance[0]))
    differ = float((pairs.won + pairs.lost).sum())
    return Evidence(
        tasks=asked.tasks,
        scale=asked.scale,
        questions=int(asked.questions.sum()),
        estimate=float(pairs.difference[0]),
        interval=interval,
        claim=p[0],
        contrary=p[1],
        claim_sides=sides,
        contrary_side=contrary,
        error=error,
        contraries=contraries,
        detectable=_detectable(asked, differ, error, strata.effect) if differ else None,
        clustered=asked.clustered,
    )


def _detectable(asked: Asked, differ: float, error: float, effect: float) -> float:
    """As `bench compare` gives it for one task, and for several as the page does that compares two models."""
    if asked.scale == "accuracy":
        questions = int(asked.questions[0])
        return detectable(questions / effect, differ / questions)
    return min(1.0, _TO_POWER * error)


def better_than_guessing(asked: Asked, model: Candidate) -> Evidence:
    """Whether a model's answers are better than those of guessing, by the test of `bench pick`."""
    correct, options = asked.correct(model), [model.rows[task].answers.options for task in asked.tasks]
    better, worse = (
        float(guessing_p(correct[None], options, asked.each, worse=worse)[0]) for worse in (False, True)
    )
    accuracy = correct / asked.questions
    error = _root(asked, accuracy, asked.effective(model))
    if asked.scale == "accuracy":
        estimate, guessing = float(accuracy[0]), float(asked.chance[0])
        [right], [clusters] = asked.right(model), asked.clusters
        interval = exact(*counted_right(right, clusters=clusters))
    else:
        weights = np.array(list(asked.weights.values()), dtype=np.float64)
        estimate, guessing = float(score(correct, asked.questions, asked.chance, weights)), 0.0
        interval = Interval(estimate - _CONFIDENT * error, estimate + _CONFIDENT * error)
    return _of_one(
        asked,
        estimate,
        interval,
        (better, worse),
        Side(estimate - guessing, _root(asked, asked.chance, asked.questions)),
        error,
    )


def _root(asked: Asked, rate: NDArray[np.float64], effective: NDArray[np.float64]) -> float:
    """The standard error of a score where a share `rate`, (tasks,), of the answers is right.

    `effective`, (tasks,), are how many independent questions say as much as those that were asked.
    """
    times = asked.questions / np.maximum(effective, _NEARLY_NONE)
    return math.sqrt(float(rate * (1.0 - rate) * asked.questions * times @ asked.each**2))


def accuracy_at_least(asked: Asked, model: Candidate, least: float) -> Evidence:
    """Whether the accuracy on one task is above `least`: exactly, but for clusters."""
    [right] = asked.right(model)
    return _rate(asked, right, least)


def unread_at_most(asked: Asked, model: Candidate, most: float) -> Evidence:
    """Whether the share of one task's questions without an answer is below `most`; exact but for clusters."""
    [task] = asked.tasks
    chosen = model.rows[task].answers.chosen
    return _rate(asked, np.array([letter == UNREAD for letter in chosen]), most, is_unread=True)


def _rate(asked: Asked, each: NDArray[np.bool_], bound: float, *, is_unread: bool = False) -> Evidence:
    counted, questions = counted_right(each, clusters=asked.clusters[0])
    rate = int(each.sum()) / len(each)
    above, below = rate_p(counted, questions, bound)
    least = max(questions, _NEARLY_NONE)
    error, null = (math.sqrt(share * (1.0 - share) / least) for share in (rate, bound))
    distance = bound - rate if is_unread else rate - bound
    p = (below, above) if is_unread else (above, below)
    scale: Scale = "unread" if is_unread else "accuracy"
    return _of_one(asked, rate, exact(counted, questions), p, Side(distance, null), error, scale)


def _of_one(
    asked: Asked,
    estimate: float,
    interval: Interval,
    p: tuple[float, float],
    side: Side,
    error: float,
    scale: Scale | None = None,
) -> Evidence:
    return Evidence(
        tasks=asked.tasks,
        scale=scale or asked.scale,
        questions=int(asked.questions.sum()),
        estimate=estimate,
        interval=interval,
        claim=p[0],
        contrary=p[1],
        claim_sides=(side,),
        contrary_side=Side(-side.distance, side.null),
        error=error,
        clustered=asked.clustered,
    )
