"""Which of the measured models to use within limits, and what is known against it. Pure.

Limits are never weighed against accuracy: a model is within all of them, or it does not fit.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from bench.board.board import TaskBoard
from bench.board.candidates import Candidate, candidates, held_to
from bench.board.clustered import clusters_on
from bench.board.limits import Limits, over, unknown
from bench.inputs.model_card import ModelCard
from bench.stats.across import Across, across, beaten_by, guessing_p, may_be_best, shown_by, widening, worth
from bench.stats.ranking import ALPHA, holm


@dataclass(frozen=True, slots=True)
class Scored:
    """A model with a run of every task. `score` is 0 for guessing and 1 for all right.

    `over` is what of its needs is beyond the limits, in words, and `unknown` what limits ask for and was
    not measured.
    """

    candidate: Candidate
    score: float
    over: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def fits(self) -> bool:
        return not self.over and not self.unknown


@dataclass(frozen=True, slots=True)
class NothingMeasured:
    """No model with a run of every task is known to be within the limits."""


@dataclass(frozen=True, slots=True)
class UseNone:
    """No model that fits is significantly better than `bar`: "guessing", or the best baseline's name."""

    best: Scored
    bar: str


@dataclass(frozen=True, slots=True)
class OneBest:
    """One model that fits may be the best."""

    chosen: Scored


@dataclass(frozen=True, slots=True)
class CheapestOfBest:
    """Several that fit may be the best; `chosen` needs least memory of those that are of use.

    `others` are of use, too; `unproven` are not significantly better than guessing and the best baseline.
    """

    chosen: Scored
    others: tuple[Scored, ...]
    unproven: tuple[Scored, ...] = ()


Answer = NothingMeasured | UseNone | OneBest | CheapestOfBest


@dataclass(frozen=True, slots=True)
class Price:
    """What the limits cost: the score of the best of all models minus that of the answer's.

    `best` is the former, which is not known to be within the limits. `margin` is half of the difference's
    95 % interval, widened for having chosen the best by the same answers; both are in [-1, 1].
    """

    best: Scored
    difference: float
    margin: float


@dataclass(frozen=True, slots=True)
class Choice:
    """An answer, and all that it rests on. `tasks` have their shares of the score, which add up to 1.

    `fitting`, `beyond` and `unclear` are the models with a run of every task, best first: within the
    limits, over one, or without a measurement that a limit asks for. `holes` lack a task; `excluded` do, too,
    and are over a limit, in words. `baselines` have every task. `better` is the cheapest model over the
    limits that would change the answer: of use, and significantly better than the chosen one among all
    models. `detectable` is the smallest difference of two scores that so many questions usually show, and
    `clustered` are the tasks whose questions come in clusters.
    """

    tasks: Mapping[str, float]
    limits: Limits
    answer: Answer
    fitting: tuple[Scored, ...]
    beyond: tuple[Scored, ...]
    unclear: tuple[Scored, ...]
    excluded: tuple[tuple[Candidate, tuple[str, ...]], ...]
    holes: tuple[Candidate, ...]
    baselines: tuple[Scored, ...]
    unmeasured: tuple[ModelCard, ...]
    machines: tuple[str, ...]
    price: Price | None
    better: Scored | None
    detectable: float | None
    clustered: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Field:
    """The models and baselines that are compared: n with a run of every task.

    `guessing`, (n,), is the p that a model guesses.
    """

    scored: tuple[Scored, ...]
    compared: Across
    guessing: NDArray[np.float64]

    def where(self, *, baseline: bool) -> list[int]:
        return [at for at, each in enumerate(self.scored) if each.candidate.is_baseline == baseline]


def choose(tables: Sequence[TaskBoard], weights: Mapping[str, float], limits: Limits) -> Choice:
    """The answer for these tasks, each with its weight above 0, from the board's tables.

    Of a task without a table, every model lacks a run.
    """
    chosen = [table for table in tables if table.task.name in weights]
    everyone = candidates(chosen, limits.machine)
    complete = [each for each in everyone if not each.lacks(tuple(weights))]
    holes = [held_to(each, limits) for each in everyone if each not in complete and not each.is_baseline]
    excluded = tuple((each, words) for each in holes if (words := over(each.needs, limits)))
    field = _field(complete, chosen, weights, limits) if complete else None
    models = [each for each in field.scored if not each.candidate.is_baseline] if field else []
    models.sort(key=lambda each: (-each.score, each.candidate.name))
    total = sum(weights.values())
    answer = _answer(field) if field else NothingMeasured()
    measured = {each.first.cell.model.name for each in everyone}
    cards = {card.name: card for table in chosen for card in table.unmeasured if card.name not in measured}
    return Choice(
        tasks={name: weight / total for name, weight in weights.items()},
        limits=limits,
        answer=answer,
        fitting=tuple(each for each in models if each.fits),
        beyond=tuple(each for each in models if each.over),
        unclear=tuple(each for each in models if each.unknown and not each.over),
        excluded=excluded,
        holes=tuple(each for each in holes if not over(each.needs, limits)),
        baselines=tuple(each for each in field.scored if each.candidate.is_baseline) if field else (),
        unmeasured=tuple(cards.values()),
        machines=tuple(sorted({machine for each in models for machine in each.candidate.machines})),
        price=_price(field, answer) if field else None,
        better=_better(field, answer) if field else None,
        detectable=_detectable(field) if field else None,
        clustered=tuple(table.task.name for table in chosen if clusters_on(table)),
    )


def _field(
    complete: Sequence[Candidate],
    tables: Sequence[TaskBoard],
    weights: Mapping[str, float],
    limits: Limits,
) -> _Field:
    names = [table.task.name for table in tables]
    right = [np.array([each.rows[name].answers.right for each in complete]) for name in names]
    chance = np.array([table.chance for table in tables])
    shares = np.array([weights[name] for name in names], dtype=np.float64)
    compared = across(right, chance, shares, clusters=[clusters_on(table) for table in tables])
    each = worth(np.array([len(task[0]) for task in right], dtype=np.float64), chance, shares)
    correct = np.stack([task.sum(axis=1) for task in right], axis=-1).astype(np.float64)
    options = [complete[0].rows[name].answers.options for name in names]
    scores: list[float] = compared.scores.tolist()
    return _Field(
        scored=tuple(
            _scored(candidate, score, limits) for candidate, score in zip(complete, scores, strict=True)
        ),
        compared=compared,
        guessing=guessing_p(correct, options, each),
    )


def _scored(candidate: Candidate, score: float, limits: Limits) -> Scored:
    held = held_to(candidate, limits)
    return Scored(held, score, over(held.needs, limits), unknown(candidate.needs, limits))


def _answer(field: _Field) -> Answer:
    fitting = [at for at in field.where(baseline=False) if field.scored[at].fits]
    if not fitting:
        return NothingMeasured()
    useful, bar = _useful(field, fitting)
    if not useful:
        return UseNone(field.scored[_highest(field, fitting)], bar)
    best = may_be_best(field.compared, fitting)
    among = [at for at in best if at in useful] or [_highest(field, useful)]
    chosen = min(among, key=lambda at: _cost(field.scored[at]))
    rest = sorted((at for at in best if at != chosen), key=lambda at: -field.scored[at].score)
    if not rest:
        return OneBest(field.scored[chosen])
    return CheapestOfBest(
        field.scored[chosen],
        others=tuple(field.scored[at] for at in rest if at in useful),
        unproven=tuple(field.scored[at] for at in rest if at not in useful),
    )


def _useful(field: _Field, members: Sequence[int]) -> tuple[list[int], str]:
    """The members that are better than guessing and than the best baseline, and what none of them beats.

    Significant at 5 %, by Holm's method over the members.
    """
    if not members:
        return [], "guessing"
    index = np.array(members)
    useful = holm(field.guessing[index]) <= ALPHA
    bar = "guessing"
    if useful.any() and (baselines := field.where(baseline=True)):
        baseline = _highest(field, baselines)
        bar = field.scored[baseline].candidate.first.cell.model.title
        useful &= _better_than(field, index, baseline)
    return [at for at, is_useful in zip(members, useful.tolist(), strict=True) if is_useful], bar


def _better_than(field: _Field, members: NDArray[np.intp], other: int) -> NDArray[np.bool_]:
    """Which members are significantly better than one other model, by Holm's method over them."""
    adjusted = holm(field.compared.p[members, other])
    return (adjusted <= ALPHA) & (field.compared.difference[members, other] > 0)


def _highest(field: _Field, members: Sequence[int]) -> int:
    return max(members, key=lambda at: (field.scored[at].score, -at))


def _cost(scored: Scored) -> tuple[float, float, float, float]:
    """Sorts by memory, then by latency, then by size on disk; what is unknown comes last."""
    needs = scored.candidate.needs
    known = [math.inf if cost is None else float(cost) for cost in (needs.memory, needs.p50, needs.disk)]
    return known[0], known[1], known[2], -scored.score


def _reference(field: _Field, answer: Answer) -> int | None:
    """The model that others are compared with: the chosen one, else the best that fits."""
    match answer:
        case NothingMeasured():
            return None
        case UseNone(best=scored) | OneBest(chosen=scored) | CheapestOfBest(chosen=scored):
            return field.scored.index(scored)


def _price(field: _Field, answer: Answer) -> Price | None:
    """None where nothing fits, or where the best of all fits or is of no use itself."""
    reference, models = _reference(field, answer), field.where(baseline=False)
    useful, _ = _useful(field, models)
    if reference is None or not useful:
        return None
    best = _highest(field, useful)
    if field.scored[best].fits:
        return None
    compared = field.compared
    difference, margin = (float(table[best, reference]) for table in (compared.difference, compared.margin))
    rivals = [at for at in may_be_best(compared, models) if not field.scored[at].fits]
    return Price(field.scored[best], difference, margin * widening(max(1, len(rivals))))


def _better(field: _Field, answer: Answer) -> Scored | None:
    """The cheapest model over the limits that is of use, and significantly better than the chosen one.

    Among all models, so that it is also better among those that fit once the limits allow it.
    """
    models = field.where(baseline=False)
    useful, _ = _useful(field, models)
    better = [at for at in useful if field.scored[at].over]
    if better and isinstance(answer, OneBest | CheapestOfBest):
        beats, chosen = beaten_by(field.compared, models), field.scored.index(answer.chosen)
        better = [at for at in better if beats[models.index(chosen), models.index(at)]]
    return min((field.scored[at] for at in better), key=_cost, default=None)


def _detectable(field: _Field) -> float | None:
    """The median over all pairs of models, corrected for one model's comparisons with the rest.

    None for a single model.
    """
    models = field.where(baseline=False)
    rows, columns = np.triu_indices(len(models), 1)
    margins = field.compared.margin[np.ix_(models, models)][rows, columns] if models else np.zeros(0)
    if not len(margins):
        return None
    return shown_by(median(margins.tolist()), (len(models) - 1) / 2)  # NumPy's median imports masked arrays
