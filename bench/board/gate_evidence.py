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
from bench.board.policy import Better, Comparison, Equivalent, NotWorse
from bench.results.answers import UNREAD
from bench.stats.across import difference_p, guessing_p, score, worth
from bench.stats.intervals import Interval, exact
from bench.stats.margin import Pairs, score_interval, variance_at
from bench.stats.paired import difference_interval
from bench.stats.questions import Side
from bench.stats.ranking import ALPHA, POWER, detectable
from bench.stats.rate import rate_p

_NORMAL = NormalDist()
_CONFIDENT = _NORMAL.inv_cdf(1 - ALPHA / 2)
_TO_POWER = _CONFIDENT + _NORMAL.inv_cdf(POWER)
Scale = Literal["accuracy", "score", "unread"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """An estimate from the answers to `tasks`, and what it says on a bound.

    The estimate is of model less reference, or of the model alone: of accuracies on one task, of scores
    across several, where 0 is guessing and 1 all right. `interval` is its 95 % interval. `claim` is the p for
    the requirement, and `contrary` the p against it, each twice that of a one-sided test. The sides and
    `error` are those of `bench.stats.questions.times_as_many`; `contraries` is how many ways there are to
    break the requirement. `detectable` is the smallest difference that 80 of 100 such sets of questions show;
    None for one model alone, and where two were right on the same questions.
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

    def right(self, model: Candidate) -> list[NDArray[np.bool_]]:
        return [model.rows[task].answers.right for task in self.tasks]

    def correct(self, model: Candidate) -> NDArray[np.float64]:
        return np.array([right.sum() for right in self.right(model)], dtype=np.float64)


def compared(requirement: Comparison, asked: Asked, model: Candidate, reference: Candidate) -> Evidence:
    """What the questions that both answered say on a model and its reference."""
    both = list(zip(asked.right(model), asked.right(reference), strict=True))
    won, lost = (
        np.array([[float(np.sum(a & ~b)) for a, b in pair]])
        for pair in (both, [(second, first) for first, second in both])
    )
    pairs = Pairs(won, lost, asked.questions, asked.each)
    match requirement:
        case NotWorse(margin=margin):
            return _not_worse(asked, pairs, margin)
        case Equivalent(margin=margin):
            return _equivalent(asked, pairs, margin)
        case Better():
            return _better(asked, pairs)


def _not_worse(asked: Asked, pairs: Pairs, margin: float) -> Evidence:
    side, above, below = _against(pairs, -margin)
    return _of_margin(asked, pairs, (above, below), (side,), Side(-side.distance, side.null))


def _equivalent(asked: Asked, pairs: Pairs, margin: float) -> Evidence:
    """Two one-sided tests (Schuirmann 1987): the p of the claim is the larger of theirs."""
    low, above_low, below_low = _against(pairs, -margin)
    high, above_high, below_high = _against(pairs, margin)
    claim, contrary = max(above_low, below_high), min(1.0, 2 * min(below_low, above_high))
    outside = max(Side(-low.distance, low.null), high, key=lambda side: side.distance)
    sides = low, Side(-high.distance, high.null)
    return _of_margin(asked, pairs, (claim, contrary), sides, outside, contraries=2)


def _against(pairs: Pairs, bound: float) -> tuple[Side, float, float]:
    """The distance above a bound, and the p for a difference above it and for one below it."""
    side = Side(float(pairs.difference[0]) - bound, math.sqrt(float(variance_at(pairs, bound)[0])))
    deviation = side.distance / side.null
    return side, min(1.0, 2 * _NORMAL.cdf(-deviation)), min(1.0, 2 * _NORMAL.cdf(deviation))


def _of_margin(
    asked: Asked,
    pairs: Pairs,
    p: tuple[float, float],
    sides: tuple[Side, ...],
    contrary: Side,
    contraries: int = 1,
) -> Evidence:
    low, high = score_interval(pairs)
    interval = Interval(float(low[0]), float(high[0]))
    return _of_pair(asked, pairs, interval, p, sides, contrary, contraries)


def _better(asked: Asked, pairs: Pairs) -> Evidence:
    """The difference, interval and p of `bench compare`; across tasks, those of `bench pick`."""
    difference, p = float(pairs.difference[0]), float(difference_p(pairs.won, pairs.lost, pairs.each)[0])
    margin = _CONFIDENT * math.sqrt(float(pairs.variance[0]))
    interval = Interval(difference - margin, difference + margin)
    if asked.scale == "accuracy":
        lost, won, questions = (int(n) for n in (pairs.lost[0, 0], pairs.won[0, 0], pairs.questions[0]))
        interval = difference_interval(lost, questions - lost - won, won)
    null = math.sqrt(float(((pairs.won + pairs.lost) @ pairs.each**2)[0]))
    both = (p if difference > 0 else 1.0, p if difference < 0 else 1.0)
    return _of_pair(asked, pairs, interval, both, (Side(difference, null),), Side(-difference, null), 1)


def _of_pair(
    asked: Asked,
    pairs: Pairs,
    interval: Interval,
    p: tuple[float, float],
    sides: tuple[Side, ...],
    contrary: Side,
    contraries: int,
) -> Evidence:
    error = math.sqrt(float(pairs.variance[0]))
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
        detectable=_detectable(asked, differ, error) if differ else None,
    )


def _detectable(asked: Asked, differ: float, error: float) -> float:
    """As `bench compare` gives it for one task, and as `bench pick` does for several."""
    if asked.scale == "accuracy":
        questions = int(asked.questions[0])
        return detectable(questions, differ / questions)
    return min(1.0, _TO_POWER * error)


def better_than_guessing(asked: Asked, model: Candidate) -> Evidence:
    """Whether a model's answers are better than those of guessing, by the test of `bench pick`."""
    correct, options = asked.correct(model), [model.rows[task].answers.options for task in asked.tasks]
    better, worse = (
        float(guessing_p(correct[None], options, asked.each, worse=worse)[0]) for worse in (False, True)
    )
    accuracy = correct / asked.questions
    error = _root(asked, accuracy)
    if asked.scale == "accuracy":
        estimate, guessing = float(accuracy[0]), float(asked.chance[0])
        interval = exact(int(correct[0]), int(asked.questions[0]))
    else:
        weights = np.array(list(asked.weights.values()), dtype=np.float64)
        estimate, guessing = float(score(correct, asked.questions, asked.chance, weights)), 0.0
        interval = Interval(estimate - _CONFIDENT * error, estimate + _CONFIDENT * error)
    return _of_one(
        asked,
        estimate,
        interval,
        (better, worse),
        Side(estimate - guessing, _root(asked, asked.chance)),
        error,
    )


def _root(asked: Asked, rate: NDArray[np.float64]) -> float:
    """The standard error of a score where a share `rate`, (tasks,), of the answers is right."""
    return math.sqrt(float(rate * (1.0 - rate) * asked.questions @ asked.each**2))


def accuracy_at_least(asked: Asked, model: Candidate, least: float) -> Evidence:
    """Whether the accuracy on one task is above `least`, exactly."""
    return _rate(asked, int(asked.correct(model)[0]), least)


def unread_at_most(asked: Asked, model: Candidate, most: float) -> Evidence:
    """Whether the share of one task's questions without an answer is below `most`, exactly."""
    [task] = asked.tasks
    return _rate(asked, model.rows[task].answers.chosen.count(UNREAD), most, is_unread=True)


def _rate(asked: Asked, counted: int, bound: float, *, is_unread: bool = False) -> Evidence:
    questions = int(asked.questions[0])
    rate = counted / questions
    above, below = rate_p(counted, questions, bound)
    error, null = (math.sqrt(share * (1.0 - share) / questions) for share in (rate, bound))
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
    )
