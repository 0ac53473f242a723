"""Two models on the same questions: is one better, and by how much?"""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from bench.stats.intervals import Interval

NOTHING = 1e-18
CLOSE = 1e-12


@dataclass(frozen=True, slots=True)
class Paired:
    """How often both, only the first, only the second and neither were right; the rest follows.

    `difference` is the second's accuracy less the first's, in [-1, 1], `interval` its 95 % bootstrap
    interval, `p` of McNemar's exact test.
    """

    both: int
    only_first: int
    only_second: int
    neither: int
    difference: float
    interval: Interval
    p: float


def paired(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Paired:
    """Compare two, (questions,) each, on equal questions in equal order; ValueError where there are none."""
    if len(first) != len(second) or not len(first):
        raise ValueError("no question to compare on, or not the same")
    both, lost, won = (
        int(np.sum(one & other)) for one, other in ((first, second), (first, ~second), (~first, second))
    )
    neither = len(first) - both - lost - won
    return Paired(
        both=both,
        only_first=lost,
        only_second=won,
        neither=neither,
        difference=(won - lost) / len(first),
        interval=difference(lost, both + neither, won),
        p=mcnemar(lost, won),
    )


def difference(lost: int, same: int, won: int, confidence: float = 0.95) -> Interval:
    """The paired bootstrap's percentile interval (Efron 1979) of the difference of two accuracies.

    Questions drawn with replacement are drawn from three kinds, so the distribution that resampling
    approaches is known: the n-th power of a polynomial of three terms. Nothing is drawn.
    """
    total = lost + same + won
    first, chances = power(np.array([lost, same, won]) / total, total)
    below = np.cumsum(chances)
    tail = (1 - confidence) / 2
    # As far from the ends as rounding may reach: a step of the distribution may not hang on it.
    low, high = (int(np.searchsorted(below, share - CLOSE)) for share in (tail, 1 - tail))
    return Interval((first + low - total) / total, (first + high - total) / total)


def power(terms: NDArray[np.float64], exponent: int) -> tuple[int, NDArray[np.float64]]:
    """A polynomial's power by squaring: its first exponent that is kept, and the coefficients from there.

    Both ends are cut where less than `NOTHING` is left; the coefficients must add up to 1.
    """
    first, found = 0, np.ones(1)
    for bit in f"{exponent:b}":
        first, found = _trimmed(2 * first, np.convolve(found, found))
        if bit == "1":
            first, found = _trimmed(first, np.convolve(found, terms))
    return first, found


def _trimmed(first: int, found: NDArray[np.float64]) -> tuple[int, NDArray[np.float64]]:
    kept = np.flatnonzero(found > NOTHING)
    return first + int(kept[0]), found[kept[0] : kept[-1] + 1]


def mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided p of McNemar's exact test (1947): are the two right equally often where they differ?"""
    differ, less = only_first + only_second, min(only_first, only_second)
    tail = sum(math.comb(differ, right) for right in range(less + 1))
    return float(min(Fraction(1), Fraction(2 * tail, 2**differ)))
