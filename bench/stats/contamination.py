"""Whether a model finds a data set's published order likelier than shuffled ones: evidence of contamination.

The test of Oren, Meister, Chatterji, Ladhak and Hashimoto 2023 ("Proving Test Set Contamination in Black Box
Language Models"), with an exact level. A shard is a run of consecutive questions. If the model never saw
their order, the published order of a shard is one of its orders like any other, so the place of its
log-probability among theirs is uniform, and independent between shards.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from bench.stats.ranking import ALPHA, POWER

DRAWS = 9_999
"""Monte Carlo draws of the null distribution: p is a multiple of 0.0001, and exports have four decimals."""
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class OrderTest:
    """`statistic` is the sum over the shards of how many of its standard deviations a shard's published order
    lies above the mean of its orders, and `p` the one-sided probability of so much without contamination.

    `t_test_p` is that of the paper's t-test, None with one shard or where all differences are equal.
    """

    statistic: float
    p: float
    t_test_p: float | None


def order_test(logprobs: NDArray[np.float64], seed: int, draws: int = DRAWS) -> OrderTest:
    """The test of `logprobs`, (shards, 1 + shuffles): of each shard's orders, the published one first.

    Under the null hypothesis each shard's first column is a uniform choice of its columns. The statistic of
    `draws` such choices, by `seed`, is compared with that of the published orders; p counts these too, so
    P(p <= a) <= a for every a, ties included.
    """
    scores = standardised(logprobs)
    statistic = float(scores[:, 0].sum())
    random = np.random.default_rng(seed)
    chosen = scores[np.arange(len(scores)), random.integers(scores.shape[1], size=(draws, len(scores)))]
    # Sums of equal numbers may differ in their last digits; a tie counts against the evidence.
    reached = int((chosen.sum(axis=1) >= statistic - _ROUNDING * len(scores)).sum())
    return OrderTest(statistic, (1 + reached) / (1 + draws), t_test(logprobs))


def standardised(logprobs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each shard's orders less their mean, in their standard deviations: no shard outweighs the others.

    (shards, orders) -> the same shape; 0 where all orders of a shard are equally likely.
    """
    centred = logprobs - logprobs.mean(axis=1, keepdims=True)
    deviations = logprobs.std(axis=1, keepdims=True)
    tiny = _ROUNDING * np.maximum(1.0, np.abs(logprobs).max(axis=1, keepdims=True))
    return np.where(deviations > tiny, centred / np.where(deviations > tiny, deviations, 1.0), 0.0)


def t_test(logprobs: NDArray[np.float64]) -> float | None:
    """The p of the paper's own test: a one-sided t-test, over the shards, of the published order's
    log-probability less the mean of the shuffled ones'. It assumes that these differences are normal.
    """
    from scipy.special import stdtr

    differences = logprobs[:, 0] - logprobs[:, 1:].mean(axis=1)
    if len(differences) < 2 or not (deviation := float(differences.std(ddof=1))):
        return None
    t = float(differences.mean()) / (deviation / math.sqrt(len(differences)))
    return float(stdtr(len(differences) - 1, -t))


def smallest_p(shards: int, shuffles: int, draws: int = DRAWS) -> float:
    """The smallest p that so many shards and shuffles can give.

    The published order is the likeliest of every shard by chance in one of (1 + shuffles) ** shards cases.
    """
    return max(1 / (1 + draws), float(1 + shuffles) ** -shards)


def detectable_shift(shards: int, shuffles: int) -> float | None:
    """How far the published order must lie above its shard's mean, on average and in the standard deviations
    of the shard's orders, to be seen at 5 % in 80 of 100 cases. A normal approximation.

    None where no order can lie so far above the mean: one of n numbers is at most sqrt(n - 1) deviations.
    """
    normal = NormalDist()
    shift = (normal.inv_cdf(1 - ALPHA) + normal.inv_cdf(POWER)) / math.sqrt(shards)
    return shift if shift < math.sqrt(shuffles) else None
