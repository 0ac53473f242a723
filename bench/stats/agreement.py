"""Do several rankings of the same models, each by other answers to the same questions, agree?"""

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.stats.clusters import Clusters
from bench.stats.intervals import Interval
from bench.stats.ranking import ALPHA, rank


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """The mean of Kendall's tau-b over pairs of rankings, in [-1, 1], with its 95 % interval.

    `signs` are the `certain_signs` that the interval is made of.
    """

    tau: float
    interval: Interval
    signs: NDArray[np.int64]


def tau_b(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Kendall's tau-b (Kendall 1945) of two scores of the models, (models,) each; 0 where all are tied."""
    from scipy.stats import kendalltau

    correlate: Any = kendalltau
    tau = float(correlate(first, second).statistic)
    return 0.0 if np.isnan(tau) else tau


def certain_signs(right: NDArray[np.bool_], *, clusters: Clusters | None) -> NDArray[np.int64]:
    """Which model of each pair is better in each ranking, (rankings, pairs): 1 the first, -1 the second.

    0 where the questions do not show it: by the tests of a table's ranks, corrected over the pairs, with
    Bonferroni's correction over the rankings. So in 95 % of samples no sign is wrong.
    `right` is (rankings, models, questions), and pairs are in the order of `itertools.combinations`.
    """
    pairs = np.array(list(combinations(range(right.shape[1]), 2)))
    signs: list[NDArray[np.int64]] = []
    for by_model in right:
        adjusted = rank(by_model, clusters=clusters).adjusted[pairs[:, 0], pairs[:, 1]]
        counts = by_model.sum(axis=1)
        better = np.sign(counts[pairs[:, 0]] - counts[pairs[:, 1]])
        signs.append(np.where(adjusted * len(right) <= ALPHA, better, 0))
    return np.array(signs, dtype=np.int64)


def agreement(right: NDArray[np.bool_], *, clusters: Clusters | None) -> Agreement:
    """How far rankings by accuracy agree: of at least two, over at least two models.

    The interval has every tau that the `certain_signs` allow: a pair of models that is not told apart in a
    ranking may be in either order there. It is wide where models are close, and a bootstrap of tau would be
    short of the truth there, because noise alone turns close pairs.
    """
    signs = certain_signs(right, clusters=clusters)
    scores = right.sum(axis=2).astype(np.float64)
    both = list(combinations(range(len(right)), 2))
    known = np.array([signs[i] * signs[j] for i, j in both])
    unknown = float((known == 0).mean())
    tau = float(np.mean([tau_b(scores[i], scores[j]) for i, j in both]))
    interval = Interval(float(known.mean()) - unknown, float(known.mean()) + unknown)
    return Agreement(tau, interval, signs)
