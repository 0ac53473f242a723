"""Whose sign could as well be the other: the exact test of paired differences of clusters.

If two models are equally good, the difference of each cluster of questions is as likely as its negative
(Fisher 1935, The Design of Experiments, section 21; Pitman 1937). p is the share of all choices of signs
whose sum is at least as far from 0. It depends only on how many clusters differ by 1, by 2, and so on; of
clusters of one question it is McNemar's exact p.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bench.stats.clusters import Clusters

Counts = NDArray[np.int64]
"""(..., most): how many clusters have a difference of 1, 2, ... in either direction."""
_FEW = 24
"""Up to so many terms, adding shifted copies is faster than a convolution."""


def count_sizes(differences: NDArray[np.int64]) -> Counts:
    """How many clusters differ by how much: (pairs, clusters) -> (pairs, the largest, at least 1)."""
    sizes = np.abs(differences)
    most = max(1, int(sizes.max(initial=0)))
    places = sizes + (most + 1) * np.arange(len(sizes))[:, None]
    return np.bincount(places.ravel(), minlength=len(sizes) * (most + 1)).reshape(-1, most + 1)[:, 1:]


def pair_sizes(right: NDArray[np.bool_], clusters: Clusters) -> Counts:
    """`count_sizes` of all pairs of models, in the order of `numpy.triu_indices`.

    `right` is (models, questions).
    """
    sums = clusters.sums(right.astype(np.int64))
    parts = [count_sizes(sums[first + 1 :] - sums[first]) for first in range(len(sums) - 1)]
    most = max((part.shape[1] for part in parts), default=1)
    padded = [np.pad(part, ((0, 0), (0, most - part.shape[1]))) for part in parts]
    return np.concatenate([np.zeros((0, most), dtype=np.int64), *padded])


def sum_of_squares(sizes: Counts) -> NDArray[np.float64]:
    """The sum over a pair's clusters of the squared difference, (pairs,): the variance if signs are free."""
    values = np.arange(1, sizes.shape[-1] + 1, dtype=np.float64)
    return sizes.astype(np.float64) @ values**2


def sign_flip_all(distances: NDArray[np.int64], sizes: Counts) -> NDArray[np.float64]:
    """The two-sided p for many pairs at once, (pairs,).

    `distances`, (pairs,), is how many more questions one of two models has right, whichever it is, and
    `sizes`, (pairs, most), are the pairs' `count_sizes`.
    """
    if not len(distances):
        return np.zeros(0)
    cases = np.column_stack([distances, sizes])
    different, places = np.unique(cases, axis=0, return_inverse=True)
    p = np.array([_sign_flip(distance, tuple(counts)) for distance, *counts in different.tolist()])
    return p[places.reshape(-1)]


def sign_flip(differences: NDArray[np.int64]) -> float:
    """The two-sided p of one pair, from the difference of each cluster, (clusters,)."""
    counts = count_sizes(differences[None])[0]
    return _sign_flip(abs(int(differences.sum())), tuple(counts.tolist()))


@lru_cache(maxsize=4096)
def _sign_flip(distance: int, counts: tuple[int, ...]) -> float:
    """Twice the probability that the sum is at least `distance`.

    The distribution of the sum is the product of those of each size. Of the last only the tail is needed.
    All terms are positive, so a small p has as many correct digits as a large one.
    """
    if distance == 0:
        return 1.0
    groups = sorted((size * number, size, number) for size, number in enumerate(counts, start=1) if number)
    *others, (reach, size, number) = groups
    first = np.ones(1)
    for _, other, times in others:
        first = _spread(first, other, times)
    last = np.zeros(2 * reach + 1)
    last[:: 2 * size] = fair(number)
    tails = np.append(np.cumsum(last[::-1])[::-1], 0.0)
    half = len(first) // 2
    places = distance - np.arange(-half, half + 1) + reach
    return min(1.0, 2.0 * float(first @ tails[np.clip(places, 0, 2 * reach + 1)]))


def _spread(values: NDArray[np.float64], size: int, number: int) -> NDArray[np.float64]:
    """The distribution with so many more clusters of a size; both are around 0."""
    terms = fair(number)
    if number >= _FEW:
        spaced = np.zeros(2 * size * number + 1)
        spaced[:: 2 * size] = terms
        return np.convolve(values, spaced)
    result = np.zeros(len(values) + 2 * size * number)
    for at, term in enumerate(terms.tolist()):
        result[2 * size * at : 2 * size * at + len(values)] += term * values
    return result


@lru_cache(maxsize=1024)
def fair(number: int) -> NDArray[np.float64]:
    """The binomial distribution of `number` fair throws, (number + 1,)."""
    return np.array([math.comb(number, heads) / 2**number for heads in range(number + 1)])
