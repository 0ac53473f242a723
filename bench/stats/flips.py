"""Many models at once, by flipping signs: which pairs differ, and which models may be the best.

If two models are equally good, their difference on a question is as likely as its negative. A flip negates
the differences of a random half of the questions, those of all pairs alike, so it keeps how models depend on
each other, and the largest difference of all pairs over many flips says what chance alone reaches. Questions
in clusters are flipped by cluster. A difference is counted in its own standard errors: the square root of the
sum of its squares over the units.

Pairs: the step-down method of Westfall and Young 1993 ("Resampling-Based Multiple Testing", algorithm 4.1;
Romano and Wolf 2005, Econometrica 73, 1237-1282). The best: the one-sided comparisons of Hsu 1984
("Constrained simultaneous confidence intervals for multiple comparisons with the best", Annals of Statistics
12, 1136-1144), with the same flips in place of normal quantiles.

The differences of one pair are symmetric if its models are equal, so a pair alone is tested exactly. Those of
more models together are so only approximately, the better the more questions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.stats.clusters import Clusters

FLIPS = 2000
"""So many, the first of which flips nothing; a p is a share of them."""
_BLOCK = 250
_SEED = 19
_ROUNDING = 1e-5
"""Statistics that differ by less, relative to them, are equal."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Flipped:
    """What flips say of n models.

    `adjusted`, (n, n), is the p of each pair, adjusted for all pairs; 1 on the diagonal. `best`, (n,), is the
    p that a model is the best, from its comparisons with all others: small where another is clearly ahead.
    `largest`, (flips - 1,), is the largest difference of all pairs in each flip, in standard errors, ordered.
    """

    adjusted: Floats
    best: Floats
    largest: Floats

    def needed(self, alpha: float) -> float:
        """How many standard errors a difference needs at the first step, to be significant at `alpha`."""
        return float(self.largest[-1 - int(alpha * len(self.largest))]) if len(self.largest) else 0.0


def by_unit(right: NDArray[np.bool_], clusters: Clusters | None) -> NDArray[np.int64]:
    """How many questions each model has right in each cluster, or question: (models, units)."""
    counts = right.astype(np.int64)
    return clusters.sums(counts) if clusters else counts


def compare_all(units: Sequence[NDArray[np.int64]], worth: Sequence[float], exact: Floats) -> Flipped:
    """Compare models by how many questions each has right in each unit: for each task (models, units).

    A unit is a question, or a cluster of them, and `worth` has what a right answer of each task adds to the
    score. `exact`, (models, models), is the two-sided p of each pair alone: no adjusted p is below it. Right
    answers are added up as whole numbers, which float32 holds up to 16 million, and signs come from a bit
    generator whose numbers are fixed: equal answers give equal bytes on every machine.
    """
    scale = _scale(units, worth)
    models = len(scale)
    sums = np.empty((models, FLIPS), dtype=np.float32)
    ahead = np.empty((models, FLIPS), dtype=np.float32)
    signs = [_Signs(place) for place in range(len(units))]
    for start in range(0, FLIPS, _BLOCK):
        part = slice(start, start + _BLOCK)
        sums[:, part] = _sums(units, worth, signs, is_first=start == 0)
        for model in range(models):
            lead: NDArray[np.float32] = (sums[:, part] - sums[model, part]) * scale[model][:, None]
            ahead[model, part] = lead.max(axis=0)
    largest = ahead.max(axis=0)
    return Flipped(
        adjusted=_adjusted(sums, scale, largest, exact),
        best=_best(ahead, sums[:, 0], exact),
        largest=np.sort(largest[1:]).astype(np.float64),
    )


def _scale(units: Sequence[NDArray[np.int64]], worth: Sequence[float]) -> NDArray[np.float32]:
    """1 / the standard error of each pair, (models, models); 0 where the two have the same right."""
    squares = np.zeros((len(units[0]), len(units[0])))
    for counts, value in zip(units, worth, strict=True):
        products = counts.astype(np.float64) @ counts.T.astype(np.float64)  # exact, as whole numbers
        own = np.diag(products)
        squares += value * value * (own[:, None] + own - 2.0 * products)
    some = squares > 0.0
    return np.where(some, 1.0 / np.sqrt(np.where(some, squares, 1.0)), 0.0).astype(np.float32)


class _Signs:
    """The signs of a task's units, block by block."""

    def __init__(self, task: int) -> None:
        self._bits = np.random.PCG64([_SEED, task])

    def draw(self, number: int) -> NDArray[np.float32]:
        """For a block of flips, (_BLOCK, number): 1 or -1."""
        raw = self._bits.random_raw(-(-_BLOCK * number // 64)).astype("<u8")
        bits = np.unpackbits(raw.view(np.uint8), count=_BLOCK * number)
        return 1.0 - 2.0 * bits.reshape(_BLOCK, number).astype(np.float32)


def _sums(
    units: Sequence[NDArray[np.int64]], worth: Sequence[float], signs: Sequence[_Signs], *, is_first: bool
) -> NDArray[np.float32]:
    """The models' scores after each flip of a block, (models, _BLOCK); the first flips nothing."""
    total = np.zeros((len(units[0]), _BLOCK), dtype=np.float32)
    for counts, value, source in zip(units, worth, signs, strict=True):
        flips = source.draw(counts.shape[1])
        if is_first:
            flips[0] = 1.0
        total += np.float32(value) * (counts.astype(np.float32) @ flips.T)
    return total


def _adjusted(
    sums: NDArray[np.float32], scale: NDArray[np.float32], largest: NDArray[np.float32], exact: Floats
) -> Floats:
    """Step-down: the p of a pair is the share of flips in which any pair, of it and those that differ less,
    differs as much; and at least that of each pair that differs more."""
    rows, columns = np.triu_indices(len(sums), 1)
    factors = scale[rows, columns]
    observed = np.abs(sums[rows, 0] - sums[columns, 0]) * factors
    least = observed * np.float32(1.0 - _ROUNDING)
    counts = np.asarray(FLIPS - np.searchsorted(np.sort(largest), least), dtype=np.int64)
    order = np.argsort(observed, kind="stable")
    open_pairs = order[counts[order] > 1]  # others differ more than any pair does in any flip
    running, differs = np.zeros(FLIPS, dtype=np.float32), np.empty(FLIPS, dtype=np.float32)
    for at, row, column in zip(open_pairs.tolist(), rows[open_pairs].tolist(), columns[open_pairs].tolist(),
                               strict=True):  # fmt: skip
        np.subtract(sums[row], sums[column], out=differs)
        np.abs(differs, out=differs)
        differs *= factors[at]
        np.maximum(running, differs, out=running)
        counts[at] = np.count_nonzero(running >= least[at])
    adjusted = np.ones_like(exact)
    p: Floats = np.maximum(counts.astype(np.float64) / FLIPS, exact[rows, columns])
    p[order[::-1]] = np.maximum.accumulate(p[order[::-1]])
    adjusted[rows, columns] = adjusted[columns, rows] = p
    return adjusted


def _best(ahead: NDArray[np.float32], observed: NDArray[np.float32], exact: Floats) -> Floats:
    """The share of flips in which some model is as far ahead of each as one is, (models,).

    At least the exact p of the clearest of these comparisons alone, one-sided.
    """
    least: NDArray[np.float32] = ahead[:, [0]] * np.float32(1.0 - _ROUNDING)
    shares: Floats = np.count_nonzero(ahead >= least, axis=1) / FLIPS
    alone: Floats = np.where(observed > observed[:, None], exact / 2.0, 1.0).min(axis=1)
    return np.maximum(shares, alone)
