"""Two models on the questions of several tasks, some of which come in clusters."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.stats.clusters import FEWEST, Clusters, cluster_variance, worst_effect
from bench.stats.margin import Pairs
from bench.stats.signs import Counts, count_sizes, sum_of_squares

_NOTHING = 1e9
"""The design effect of a single cluster, from which nothing follows for others, by question."""


@dataclass(frozen=True, slots=True)
class Strata:
    """`pairs` has the counts of questions; `sizes`, for each task in clusters, the `count_sizes`, else None.

    `effective` are the pairs with each task's counts divided by its design effect, so that tests for
    independent questions hold (Rao and Scott 1992). `variance` is that of the difference, `null` the same if
    both models were equally good, and `effect` how many times as large `null` is as of independent questions.
    """

    pairs: Pairs
    effective: Pairs
    sizes: tuple[Counts | None, ...]
    variance: float
    null: float
    effect: float


def strata_of(
    first: Sequence[NDArray[np.bool_]],
    second: Sequence[NDArray[np.bool_]],
    each: NDArray[np.float64],
    *,
    clusters: Sequence[Clusters | None],
) -> Strata:
    """The first model less the second, by which questions of each task they have right.

    `each`, (tasks,), is what a right answer is worth, and `clusters` are each task's.
    """
    both = list(zip(first, second, strict=True))
    won, lost = (np.array([[float(np.sum(a & ~b)) for a, b in pair]]) for pair in (both, _swapped(both)))
    questions = np.array([len(own) for own in first], dtype=np.float64)
    pairs = Pairs(won, lost, questions, each)
    if not any(clusters):
        null = float(((won + lost) @ each**2)[0])
        return Strata(pairs, pairs, (None,) * len(both), float(pairs.variance[0]), null, 1.0)
    sizes = tuple(_sizes(*pair, own) if own else None for pair, own in zip(both, clusters, strict=True))
    plain = (won + lost - (won - lost) ** 2 / questions)[0]
    spread, null, effects = plain.copy(), (won + lost)[0], np.ones(len(both))
    for task, (own, counts) in enumerate(zip(clusters, sizes, strict=True)):
        if own and counts is not None:
            spread[task] = cluster_variance(np.array(both[task]), own)[0, 1]
            null[task] = sum_of_squares(counts)[0]
            effects[task] = _effect(plain[task], spread[task], own)
    independent = float((won + lost)[0] @ each**2)
    at_null = float(null @ each**2)
    return Strata(
        pairs,
        Pairs(won / effects, lost / effects, questions / effects, each * effects),
        sizes,
        variance=float(spread @ each**2),
        null=at_null,
        effect=max(1.0, at_null / independent) if independent else 1.0,
    )


def _swapped(
    both: Sequence[tuple[NDArray[np.bool_], NDArray[np.bool_]]],
) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    return [(second, first) for first, second in both]


def _sizes(first: NDArray[np.bool_], second: NDArray[np.bool_], clusters: Clusters) -> Counts:
    return count_sizes(clusters.sums(first.astype(np.int64) - second)[None])


def _effect(plain: float, spread: float, clusters: Clusters) -> float:
    """The design effect of a difference; the worst where the answers do not show it."""
    if clusters.number < FEWEST:
        return _NOTHING * len(clusters.codes)
    return max(1.0, spread / plain) if plain > 0.0 else worst_effect(clusters)
