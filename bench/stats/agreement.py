"""Do several rankings of the same models agree?"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from bench.stats.bootstrap import resampled
from bench.stats.clusters import Clusters
from bench.stats.intervals import Interval

RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Agreement:
    """The mean of Kendall's tau-b over pairs of rankings, in [-1, 1], with its 95 % interval."""

    tau: float
    interval: Interval


def tau_b(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Kendall's tau-b (Kendall 1945) of scores of the same models, (..., models); NaN where all are tied.

    Equal to `scipy.stats.kendalltau`, for many pairs of rankings at once.
    """
    rows, columns = np.triu_indices(first.shape[-1], 1)
    a, b = (np.sign(scores[..., rows] - scores[..., columns]) for scores in (first, second))
    untied = np.sqrt((a != 0).sum(axis=-1) * (b != 0).sum(axis=-1, dtype=np.float64))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((a * b).sum(axis=-1) / untied)


def agreement(right: NDArray[np.bool_], *, clusters: Clusters | None) -> Agreement:
    """How far rankings by accuracy agree: of at least two, over at least two models.

    `right` is (rankings, models, questions), all of the same questions. They are resampled together, so that
    the interval is of the questions' choice; pairs of rankings of which one ties all models count as 0.
    """
    pairs = list(combinations(range(len(right)), 2))
    weights = resampled(right.shape[2], clusters, RESAMPLES)
    drawn = np.einsum("fmq,dq->dfm", right.astype(np.float64), weights, optimize=True)
    taus = np.stack([np.nan_to_num(tau_b(drawn[:, i], drawn[:, j])) for i, j in pairs]).mean(axis=0)
    scores = right.sum(axis=2).astype(np.float64)
    tau = float(np.mean([np.nan_to_num(tau_b(scores[i], scores[j])) for i, j in pairs]))
    low, high = np.quantile(taus, [0.025, 0.975])
    return Agreement(tau, Interval(float(low), float(high)))
