"""Many models on the same questions: which can be told apart, and what ranks that leaves each."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

ALPHA = 0.05
POWER = 0.8


@dataclass(frozen=True, slots=True)
class Ranking:
    """Of n models: `adjusted[i, j]` is McNemar's exact p, corrected by Holm over all pairs of the board.

    `best[i]` and `worst[i]` are the ranks, from 1, that are not excluded: one more than the models that
    are better beyond chance, and the number of models less those that are worse. `differ[i, j]` is the
    share of questions that one alone got right.
    """

    adjusted: NDArray[np.float64]
    differ: NDArray[np.float64]
    best: tuple[int, ...]
    worst: tuple[int, ...]


def rank(right: NDArray[np.bool_]) -> Ranking:
    """Rank models by which questions each got right: (models, questions), at least one of each."""
    models, questions = right.shape
    whole = right.astype(np.float64)  # float64 counts exactly, and is a matrix product
    won = whole @ (1.0 - whole).T
    p = mcnemar_all(won, won.T)
    adjusted = np.ones_like(p)
    rows, columns = np.triu_indices(models, 1)
    adjusted[rows, columns] = adjusted[columns, rows] = holm(p[rows, columns])
    better = (adjusted <= ALPHA) & (won > won.T)  # [i, j]: i is better than j
    return Ranking(
        adjusted=adjusted,
        differ=(won + won.T) / questions,
        best=tuple(int(count) + 1 for count in better.sum(axis=0)),
        worst=tuple(models - int(count) for count in better.sum(axis=1)),
    )


def mcnemar_all(only_first: NDArray[np.float64], only_second: NDArray[np.float64]) -> NDArray[np.float64]:
    """McNemar's exact two-sided p (1947) of many pairs at once, by the counts of questions one alone got."""
    from scipy.stats import binom

    less, both = np.minimum(only_first, only_second), only_first + only_second
    return np.minimum(1.0, 2.0 * binom.cdf(less, both, 0.5))


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """p-values adjusted by Holm's step-down method (1979), in their order."""
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, steps)
    return adjusted


def chance_corrected(accuracy: float, chance: float) -> float:
    """0 for guessing, 1 for all right, below 0 for worse than guessing (as Cohen's kappa has it)."""
    return (accuracy - chance) / (1.0 - chance) if chance < 1.0 else 0.0


def detectable(questions: int, differ: float) -> float:
    """The smallest paired difference found with 80 % power at 5 %, where so many questions are told apart.

    `differ` is the share of questions that one of two models alone gets right. McNemar's test by the
    normal approximation (Connor 1987), solved for the difference.
    """
    if questions <= 0 or differ <= 0.0:
        return 1.0
    normal = NormalDist()
    alpha, beta = normal.inv_cdf(1 - ALPHA / 2), normal.inv_cdf(POWER)
    found = (alpha + beta) * math.sqrt(differ / questions)
    for _ in range(20):  # the variance falls with the difference; this settles in a few steps
        spread = beta * math.sqrt(max(0.0, differ - found * found))
        found = (alpha * math.sqrt(differ) + spread) / math.sqrt(questions)
    return min(1.0, found)


def median_differ(ranking: Ranking) -> float:
    """The share of questions on which a usual pair of the board differs."""
    rows, columns = np.triu_indices(len(ranking.best), 1)
    return float(np.median(ranking.differ[rows, columns])) if len(rows) else 0.0
