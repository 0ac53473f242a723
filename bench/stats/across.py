"""Models on several tasks: one score, and which of them differ on the same questions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from bench.stats.clusters import Clusters, cluster_variance
from bench.stats.paired import power
from bench.stats.ranking import ALPHA, POWER, SINGLE, holm, mcnemar_all, needed_in, won_by
from bench.stats.signs import Counts, fair, pair_sizes, sign_flip_all

ENUMERATED = 5000
"""Up to this many outcomes, a distribution over several tasks is computed exactly."""
_POWER = NormalDist().inv_cdf(POWER) / SINGLE
_ROUNDING = 1e-9
_DECIMALS = 12
"""Of scores: equal ones stay equal, whatever the order in which a processor adds."""


@dataclass(frozen=True, slots=True)
class Across:
    """n models on the same questions of several tasks.

    `scores`, (n,), are those of `score`. `difference` and `margin`, (n, n), are the score of model i minus
    that of model j, and half of its 95 % interval. `p`, (n, n), is that of `difference_p`, not corrected
    for many comparisons; 1 on the diagonal.
    """

    scores: NDArray[np.float64]
    difference: NDArray[np.float64]
    margin: NDArray[np.float64]
    p: NDArray[np.float64]


def worth(
    questions: NDArray[np.float64], chance: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What one right answer adds to the score, by task, (tasks,): k_t / n_t.

    The arguments are (tasks,) each: numbers of questions, accuracies of guessing in [0, 1) and weights
    above 0. k_t is the task's share of the weights, divided by 1 - chance.
    """
    return weights / weights.sum() / ((1.0 - chance) * questions)


def score(
    correct: NDArray[np.float64],
    questions: NDArray[np.float64],
    chance: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The weighted mean of (accuracy - chance) / (1 - chance) over tasks, (...,): 0 guessing, 1 all right.

    `correct` are the numbers of right answers, (..., tasks); the rest is as for `worth`. Each term is
    `bench.stats.ranking.chance_corrected`.
    """
    return _rounded((correct - chance * questions) @ worth(questions, chance, weights))


def _rounded(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.round(scores, _DECIMALS) + 0.0  # adding 0 makes -0 to 0


def across(
    right: Sequence[NDArray[np.bool_]],
    chance: NDArray[np.float64],
    weights: NDArray[np.float64],
    *,
    clusters: Sequence[Clusters | None],
) -> Across:
    """Compare models by which questions each answered right: for each task (models, questions).

    `chance` and `weights` are as for `worth`. The difference is stratified by task: the sum of
    k_t (won_t - lost_t) / n_t. The margin is the normal approximation with its variance, which is the sum
    of k_t^2 (won_t + lost_t - (won_t - lost_t)^2 / n_t) / n_t^2. `clusters` are each task's, None where each
    question is alone; the variance of a task in clusters is `bench.stats.clusters.cluster_variance`.
    """
    questions = np.array([each.shape[1] for each in right], dtype=np.float64)
    won = np.stack([won_by(each) for each in right], axis=-1)  # [i, j, t]: i is right and j is not
    lost = won.transpose(1, 0, 2)
    each = worth(questions, chance, weights)
    spread = won + lost - (won - lost) ** 2 / questions
    for task, own in enumerate(clusters):
        if own:
            spread[..., task] = cluster_variance(right[task], own)
    variance = spread @ each**2
    models = len(won)
    p = np.ones((models, models))
    rows, columns = np.triu_indices(models, 1)
    sizes = [pair_sizes(task, own) if own else None for task, own in zip(right, clusters, strict=True)]
    p[rows, columns] = p[columns, rows] = difference_p(
        won[rows, columns], lost[rows, columns], each, sizes=sizes
    )
    correct = np.stack([each.sum(axis=1) for each in right], axis=-1).astype(np.float64)
    return Across(
        scores=score(correct, questions, chance, weights),
        difference=_rounded((won - lost) @ each),
        margin=SINGLE * np.sqrt(np.maximum(0.0, variance)),
        p=p,
    )


def shown_by(margin: float, comparisons: float) -> float:
    """The difference of two scores that a test set shows in 80 of 100 cases, in [0, 1].

    `margin` is half of the 95 % interval of such a difference, and the tests are corrected for so many
    two-sided `comparisons`; one-sided ones count half.
    """
    return min(1.0, margin * (widening(comparisons) + _POWER))


def difference_p(
    won: NDArray[np.float64],
    lost: NDArray[np.float64],
    each: NDArray[np.float64],
    *,
    sizes: Sequence[Counts | None],
) -> NDArray[np.float64]:
    """The two-sided p that two models have equal scores, for many pairs at once: (pairs,).

    `won` and `lost`, (pairs, tasks), are the numbers of questions that only one of two models answered
    right, and `each`, (tasks,), what one is worth. The hypothesis is McNemar's, in each task. Where all
    are worth the same, this is McNemar's exact test of the sums. Else the distribution is enumerated where
    it has few outcomes, and otherwise normal, with the largest step that an answer makes as correction for
    continuity, so that p is rather too large than too small.

    `sizes` has for each task whose questions come in clusters the pairs' `bench.stats.signs.count_sizes`,
    else None. There the clusters go either way, each as a whole.
    """
    is_same = not len(won) or np.allclose(each, each[0], rtol=_ROUNDING, atol=0.0)
    if is_same and all(counts is None for counts in sizes):
        return mcnemar_all(won.sum(axis=-1), lost.sum(axis=-1))
    differ, values = _outcomes(won + lost, each, sizes)
    if is_same:
        distances = np.abs((won - lost).sum(axis=-1)).astype(np.int64)
        return sign_flip_all(distances, _by_size(differ, np.rint(values / each[0]).astype(np.int64)))
    distance = np.abs((won - lost) @ each)
    p = _normal_p(distance, differ @ values**2, np.max(values * (differ > 0), axis=-1))
    for at in np.flatnonzero(np.prod(differ + 1.0, axis=-1) <= ENUMERATED):
        p[at] = _enumerated_p(float(distance[at]), differ[at], values)
    return p


def _outcomes(
    differ: NDArray[np.float64], each: NDArray[np.float64], sizes: Sequence[Counts | None]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How many things can go either way, (pairs, kinds), and what one of a kind is worth, (kinds,).

    They are questions, or clusters by how much they differ.
    """
    if all(own is None for own in sizes):
        return differ, each
    counts: list[NDArray[np.float64]] = [
        differ[:, [task]] if own is None else own.astype(np.float64) for task, own in enumerate(sizes)
    ]
    values: list[NDArray[np.float64]] = [
        one * np.arange(1, own.shape[1] + 1) for one, own in zip(each, counts, strict=True)
    ]
    return np.concatenate(counts, axis=1), np.concatenate(values)


def _by_size(differ: NDArray[np.float64], sizes: NDArray[np.int64]) -> Counts:
    """Kinds of several tasks as one task's: (pairs, kinds) of these sizes -> (pairs, largest size)."""
    counts = np.zeros((len(differ), int(sizes.max())), dtype=np.int64)
    for kind, size in enumerate(sizes.tolist()):
        counts[:, size - 1] += differ[:, kind].astype(np.int64)
    return counts


def _normal_p(
    distance: NDArray[np.float64], variance: NDArray[np.float64], step: NDArray[np.float64]
) -> NDArray[np.float64]:
    spread = np.sqrt(np.where(variance > 0.0, variance, 1.0))
    return _both_tails(np.maximum(0.0, distance - step) / spread)


def _both_tails(deviations: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probability that a normal variable is at least so many standard deviations from its mean.

    Of a negative number, twice the probability that it is above it.
    """
    return np.array([math.erfc(each) for each in (deviations / math.sqrt(2.0)).tolist()])


def _enumerated_p(distance: float, differ: NDArray[np.float64], each: NDArray[np.float64]) -> float:
    """The probability of at least `distance` where each question could go either way."""
    values: NDArray[np.float64] = np.zeros(1)
    probabilities: NDArray[np.float64] = np.ones(1)
    for number, value in zip(differ.astype(int).tolist(), each.tolist(), strict=True):
        steps = value * (2.0 * np.arange(number + 1) - number)
        values = (values[:, None] + steps).ravel()
        probabilities = (probabilities[:, None] * fair(number)).ravel()
    least = distance * (1.0 - _ROUNDING)
    return min(1.0, float(probabilities[(values >= least) | (values <= -least)].sum()))


def guessing_p(
    correct: NDArray[np.float64],
    options: Sequence[Sequence[int]],
    each: NDArray[np.float64],
    *,
    worse: bool = False,
) -> NDArray[np.float64]:
    """The two-sided p that a model guesses, twice the probability of its score or more, for each: (models,).

    With `worse`, twice the probability of its score or less. Clusters change nothing: who guesses is right or
    wrong on each question for itself.

    `correct`, (models, tasks), are numbers of right answers, `options` for each task the number of options
    of each question, and `each`, (tasks,), what a right answer is worth. Exact for one task (a sum of
    binomials, one for each number of options); for several normal, with half of the largest step as
    correction for continuity.
    """
    if len(options) == 1:
        tails, number = _guessing_tails(options[0]), correct[:, 0].astype(int)
        return np.clip(2.0 * (1.0 - tails[number + 1] if worse else tails[number]), 0.0, 1.0)
    rates = [1.0 / np.array(each, dtype=np.float64) for each in options]
    means = np.array([rate.sum() for rate in rates])
    variance = np.array([(rate * (1.0 - rate)).sum() for rate in rates]) @ each**2
    distance = (correct - means) @ each * (-1 if worse else 1) - each.max() / 2
    return np.minimum(1.0, _both_tails(distance / math.sqrt(variance)))


def _guessing_tails(options: Sequence[int]) -> NDArray[np.float64]:
    """The probability that guessing answers at least k questions right, for k from 0: (questions + 2,)."""
    distribution = np.ones(1)
    for number in sorted(set(options)):
        first, kept = power(np.array([1.0 - 1.0 / number, 1.0 / number]), options.count(number))
        distribution = np.convolve(distribution, np.concatenate([np.zeros(first), kept]))
    padded = np.zeros(len(options) + 2)
    padded[: len(distribution)] = distribution
    return np.cumsum(padded[::-1])[::-1]


def beaten_by(compared: Across, members: Sequence[int]) -> NDArray[np.bool_]:
    """[i, j]: whether member j shows that member i is not the best, (members, members).

    By one-sided comparisons of i with each other member at 5 %, with the correction of Bonferroni for these
    alone (Hsu 1984: the best needs no correction for which one it is), or two-sided by Holm's method over all
    pairs of members, which finds more where few are close. `members` index the models compared.
    """
    p = compared.p[np.ix_(members, members)]
    rows, columns = np.triu_indices(len(members), 1)
    adjusted = np.ones_like(p)
    adjusted[rows, columns] = adjusted[columns, rows] = holm(p[rows, columns])
    is_shown = (adjusted <= ALPHA) | (p <= 2 * ALPHA / max(1, len(members) - 1))
    return is_shown & (compared.difference[np.ix_(members, members)] < 0)


def may_be_best(compared: Across, members: Sequence[int]) -> list[int]:
    """The members that are not shown to be worse than another, by `beaten_by`.

    The probability that the truly best member is missing is at most 5 %.
    """
    beaten: list[bool] = np.any(beaten_by(compared, members), axis=1).tolist()
    return [member for member, is_beaten in zip(members, beaten, strict=True) if not is_beaten]


def widening(models: float) -> float:
    """By how much the margin grows of a difference to the best model, which was chosen out of so many.

    The best of equal models is better by chance on the answers that it is chosen by. The method of
    Bonferroni: the 95 % interval becomes one of 1 - 5 % / `models`. 1 for a single model.

    >>> widening(10)
    1.432...
    """
    return needed_in(models) / SINGLE
