"""Two models on the same questions: is one better, and by how much?"""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from bench.stats.clusters import Clusters, ratio_interval
from bench.stats.intervals import Interval
from bench.stats.signs import sign_flip

NEGLIGIBLE = 1e-18
"""Probabilities below this are dropped at both ends of a distribution."""
ROUNDING = 1e-12
"""More than rounding errors add up to in a cumulative distribution."""


@dataclass(frozen=True, slots=True)
class Paired:
    """Numbers of questions that both models, only one of them, or neither answered right, and what follows.

    `difference` is the second model's accuracy minus the first's, in [-1, 1], and `interval` its 95 %
    bootstrap interval; `p` is that of McNemar's exact test. Where questions come in `clusters`, so many, the
    interval is Student's and p that of the sign-flip test, and `effect` is how many times as many questions
    in such clusters show as much as independent ones, at least 1.
    """

    both: int
    only_first: int
    only_second: int
    neither: int
    difference: float
    interval: Interval
    p: float
    clusters: int | None = None
    effect: float = 1.0


def paired(first: NDArray[np.bool_], second: NDArray[np.bool_], *, clusters: Clusters | None) -> Paired:
    """Compare two models by which questions each answered right: (questions,) each, in the same order.

    `clusters` are the questions'; None where each is alone. Raises a ValueError where the lengths differ or
    there is no question.
    """
    if len(first) != len(second) or not len(first):
        raise ValueError("two models are compared on the same questions, at least one")
    both, lost, won = (int(np.sum(a & b)) for a, b in ((first, second), (first, ~second), (~first, second)))
    neither, difference = len(first) - both - lost - won, (won - lost) / len(first)
    if clusters:
        each = clusters.sums(second.astype(np.int64) - first)
        return Paired(
            *(both, lost, won, neither, difference),
            interval=ratio_interval(each, clusters),
            p=sign_flip(each),
            clusters=clusters.number,
            effect=max(1.0, float(each @ each) / (lost + won)) if lost + won else 1.0,
        )
    interval = difference_interval(lost, both + neither, won)
    return Paired(both, lost, won, neither, difference, interval, mcnemar(lost, won))


def difference_interval(lost: int, same: int, won: int, confidence: float = 0.95) -> Interval:
    """The percentile interval of the paired bootstrap (Efron 1979) for (won - lost) / questions, in [-1, 1].

    Of at least one question, the first model alone was right on `lost`, the second alone on `won`, and
    both or neither on `same`. Resampling draws from these three kinds, so the distribution that it
    approximates can be computed: as the n-th power of a polynomial of three terms. Nothing is drawn.
    """
    total = lost + same + won
    first, probabilities = power(np.array([lost, same, won]) / total, total)
    cumulative = np.cumsum(probabilities)
    tail = (1 - confidence) / 2
    # Rounding must not decide which step of the distribution reaches a tail.
    low, high = (int(np.searchsorted(cumulative, share - ROUNDING)) for share in (tail, 1 - tail))
    return Interval((first + low - total) / total, (first + high - total) / total)


def power(terms: NDArray[np.float64], exponent: int) -> tuple[int, NDArray[np.float64]]:
    """A power of a polynomial, by squaring: the lowest exponent kept, and the coefficients from there on.

    `terms` are coefficients from exponent 0 on, (terms,), and add up to 1. Coefficients of at most
    `NEGLIGIBLE` are dropped at both ends.
    """
    first, result = 0, np.ones(1)
    for bit in f"{exponent:b}":
        first, result = _trim(2 * first, np.convolve(result, result))
        if bit == "1":
            first, result = _trim(first, np.convolve(result, terms))
    return first, result


def _trim(first: int, coefficients: NDArray[np.float64]) -> tuple[int, NDArray[np.float64]]:
    kept = np.flatnonzero(coefficients > NEGLIGIBLE)
    return first + int(kept[0]), coefficients[kept[0] : kept[-1] + 1]


def mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided p of McNemar's test (McNemar 1947), exact: by the binomial distribution.

    The arguments are the numbers of questions that only one of two models answered right; without any, p
    is 1. The hypothesis is that either model is right equally often where only one of them is.
    """
    discordant, fewer = only_first + only_second, min(only_first, only_second)
    tail = sum(math.comb(discordant, count) for count in range(fewer + 1))
    return float(min(Fraction(1), Fraction(2 * tail, 2**discordant)))
