"""Confidence intervals of a proportion."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line must start without numpy
    from bench.stats.clusters import Clusters


@dataclass(frozen=True, slots=True)
class Interval:
    """Both ends belong to it."""

    low: float
    high: float


def wilson(successes: float, trials: float, confidence: float = 0.95) -> Interval:
    """The score interval of a proportion, in [0, 1]; without a trial, all of [0, 1].

    Wilson 1927, without continuity correction. Trials may be an effective number of them.

    >>> wilson(30, 100)
    Interval(low=0.2189..., high=0.3958...)
    """
    if trials <= 0:
        return Interval(0.0, 1.0)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    rate = successes / trials
    centre = rate + z * z / (2 * trials)
    half = z * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return Interval(max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale))


def share_interval(right: Sequence[bool], *, clusters: "Clusters | None") -> Interval:
    """Wilson's interval of the share of questions that are right, in [0, 1].

    `clusters` are the questions'; None where each is alone. With clusters it is that of
    `bench.stats.clusters.effective_questions`, and with fewer than two of them all of [0, 1].
    """
    if clusters is None:
        return wilson(sum(right), len(right))
    import numpy as np

    from bench.stats.clusters import effective_questions

    trials = effective_questions(np.array(right, dtype=np.bool_), clusters=clusters)
    return wilson(sum(right) / len(right) * trials, trials)


def exact(successes: float, trials: float, confidence: float = 0.95) -> Interval:
    """The exact interval of a proportion (Clopper and Pearson 1934), in [0, 1]; without a trial, all of it.

    It holds the rates that `bench.stats.rate.rate_p` does not reject, so it is never too short. With
    an effective number of trials it is that of Korn and Graubard 1998, which is near it.
    """
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    low = betaincinv(successes, trials - successes + 1, tail) if successes > 0 else 0.0
    high = betaincinv(successes + 1, trials - successes, 1 - tail) if successes < trials else 1.0
    return Interval(float(low), float(high))
