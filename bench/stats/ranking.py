"""Many models on the same questions: which pairs differ significantly, and what ranks follow for each."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from bench.stats.clusters import Clusters
from bench.stats.flips import by_unit, compare_all
from bench.stats.signs import pair_sizes, sign_flip_all, sum_of_squares

ALPHA = 0.05
"""Family-wise error rate over all pairs of a board."""
POWER = 0.8


@dataclass(frozen=True, slots=True)
class Ranking:
    """The comparison of n models with each other.

    `adjusted`, (n, n), has the p of each pair, adjusted for all pairs by step-down sign flips; 1 on the
    diagonal. `differ`, (n, n), has the share of questions that only one of two models answered right, and
    `effect`, (n, n), how many times as many questions in such clusters show as much as independent ones.
    `best` and `worst`, (n,), are the ends of each rank range, from 1: one more than the number of models
    that are significantly better, and n minus the number that are significantly worse.
    `may_be_best`, (n,), is whether a model is among those that comparisons with the best leave; none of
    them has a significantly better one. `needed` is how many standard errors a difference needs to be
    significant if it is the clearest of all pairs.
    """

    adjusted: NDArray[np.float64]
    differ: NDArray[np.float64]
    effect: NDArray[np.float64]
    best: tuple[int, ...]
    worst: tuple[int, ...]
    may_be_best: tuple[bool, ...]
    needed: float


def rank(right: NDArray[np.bool_], *, clusters: Clusters | None) -> Ranking:
    """Rank models by which questions each answered right: (models, questions), at least one of each.

    `clusters` are the questions'; None where each is alone. No pair is significant that its exact test alone
    does not find: McNemar's, or where questions come in clusters the sign-flip test.

    In 95 % of samples no difference is claimed between equal models, and in 95 % the truly best model may be
    the best. The second also holds of the two together: `may_be_best` leaves out whom `adjusted` shows to be
    worse than another, but where the best model is equal to others, that takes a larger difference than the
    comparisons with the best alone, until nearly all pairs of its equals have been claimed to differ.
    """
    models, questions = right.shape
    won = won_by(right)
    exact = np.ones_like(won)
    rows, columns = np.triu_indices(models, 1)
    effect = np.ones_like(won)
    if clusters:
        sizes = pair_sizes(right, clusters)
        distances = np.abs(won[rows, columns] - won[columns, rows]).astype(np.int64)
        p = sign_flip_all(distances, sizes)
        differ = np.maximum(1.0, won[rows, columns] + won[columns, rows])
        effect[rows, columns] = effect[columns, rows] = np.maximum(1.0, sum_of_squares(sizes) / differ)
    else:
        p = mcnemar_all(won[rows, columns], won[columns, rows])
    exact[rows, columns] = exact[columns, rows] = p
    flipped = compare_all([by_unit(right, clusters)], [1.0], exact)
    better = (flipped.adjusted <= ALPHA) & (won > won.T)  # [i, j]: i is significantly better than j
    may_be_best: list[bool] = ((flipped.best > ALPHA) & ~better.any(axis=0)).tolist()
    return Ranking(
        adjusted=flipped.adjusted,
        differ=(won + won.T) / questions,
        effect=effect,
        best=tuple(int(count) + 1 for count in better.sum(axis=0)),
        worst=tuple(models - int(count) for count in better.sum(axis=1)),
        may_be_best=tuple(may_be_best),
        needed=max(SINGLE, flipped.needed(ALPHA)),
    )


def won_by(right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """[i, j]: on how many questions model i is right and model j is not, (models, models)."""
    ones = right.astype(np.float32)  # counts exactly up to 16 million, and its matrix product is fast
    both = (ones @ ones.T).astype(np.float64)
    return np.diag(both)[:, None] - both


def mcnemar_all(only_first: NDArray[np.float64], only_second: NDArray[np.float64]) -> NDArray[np.float64]:
    """The two-sided p of McNemar's exact test (McNemar 1947) for many pairs at once.

    The arguments are the numbers of questions that only one model of a pair answered right. They and the
    result have any shape, the same for all. `bench.stats.paired.mcnemar` is the same for one pair.
    """
    fewer = np.minimum(only_first, only_second).astype(np.int64)
    discordant = (only_first + only_second).astype(np.int64)
    counts = np.bincount(discordant.ravel())
    tails = [_lower_tails(number) for number in np.flatnonzero(counts).tolist()]
    starts = np.zeros(len(counts), dtype=np.int64)
    starts[counts > 0] = np.cumsum([0, *map(len, tails)])[:-1]
    return np.minimum(1.0, 2.0 * np.concatenate([np.zeros(0), *tails])[starts[discordant] + fewer])


def _lower_tails(throws: int) -> NDArray[np.float64]:
    """The probability of at most k heads in fair throws, for k from 0 to half of them: (throws // 2 + 1,).

    Each term of the distribution is the one above it times a ratio below 1, from the middle down, and all
    add up to 1 by symmetry: no term is rounded to more than a few last digits. Importing scipy.stats for
    this takes longer than all of `bench pick`.
    """
    half = throws // 2
    heads = np.arange(half, 0, -1)
    terms = np.concatenate([np.ones(1), np.cumprod(heads / (throws - heads + 1))])  # from `half` heads down
    total = 2.0 * terms.sum() - (1.0 if throws % 2 == 0 else 0.0)
    return np.cumsum(terms[::-1]) / total


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """p-values adjusted by the step-down method of Holm 1979: (tests,) -> (tests,), in the same order."""
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, steps)
    return adjusted


def chance_corrected(accuracy: float, chance: float) -> float:
    """Accuracy rescaled so that guessing is 0 and all right is 1; below 0 it is worse than guessing.

    The form of Cohen's kappa (Cohen 1960), with `chance` as the expected agreement; both are in [0, 1].
    """
    return (accuracy - chance) / (1.0 - chance) if chance < 1.0 else 0.0


def needed_in(comparisons: float) -> float:
    """How many standard errors a difference needs to be significant, if the tests are two-sided and so many.

    By Bonferroni's method; one-sided comparisons count half.
    """
    return NormalDist().inv_cdf(1 - ALPHA / (2 * comparisons))


SINGLE = needed_in(1)


def detectable(questions: float, differ: float, needed: float = SINGLE) -> float:
    """The smallest difference of two accuracies that McNemar's test finds with 80 % power, in [0, 1].

    `differ` is the share of the questions that only one of the two models answers right. Questions in
    clusters count as so many independent ones: their number divided by the `effect` of the comparison. The
    test asks for `needed` standard errors: 1.96 for a single one at 5 %, more where it is corrected for
    others. The sample size formula of Connor 1987 (a normal approximation), solved for the difference.
    """
    if questions <= 0 or differ <= 0.0:
        return 1.0
    beta = NormalDist().inv_cdf(POWER)
    difference = (needed + beta) * math.sqrt(differ / questions)
    for _ in range(20):  # the variance falls as the difference grows; a few steps converge
        spread = beta * math.sqrt(max(0.0, differ - difference * difference))
        difference = (needed * math.sqrt(differ) + spread) / math.sqrt(questions)
    return min(1.0, difference)


def detectable_by(ranking: Ranking, questions: int) -> float:
    """The smallest difference that a table shows between two models, of all its pairs; 1 for a single model.

    With 80 % power, and corrected for all pairs: it is that of the pair with the median share of questions
    on which models differ, if no other pair is clearer.
    """
    rows, columns = np.triu_indices(len(ranking.best), 1)
    if not len(rows):
        return 1.0
    differ, effect = (float(np.median(each[rows, columns])) for each in (ranking.differ, ranking.effect))
    return detectable(questions / effect, differ, ranking.needed)
