"""Questions that share a case or a source are not independent: how much less they say than so many others.

The variance is that of a ratio estimator whose sampled units are the clusters (Rao and Scott 1992, "A simple
method for the analysis of clustered binary data", Biometrics 48; for language models Miller 2024, "Adding
Error Bars to Evals"). It makes no assumption about how questions of a cluster depend on each other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bench.stats.intervals import Interval, wilson

Number = TypeVar("Number", np.int64, np.float64)
Floats = NDArray[np.float64]

_TAIL = 0.975
_CONFIDENT = NormalDist().inv_cdf(_TAIL)
FEWEST = 2
"""With fewer clusters, nothing is known of how different others would be."""


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """Which questions belong together: `codes`, (questions,), has their clusters, from 0 to `number` - 1.

    Where every question is alone, there is None instead of this, and all statistics are those of independent
    questions.
    """

    codes: NDArray[np.int64]
    number: int

    @property
    def sizes(self) -> NDArray[np.int64]:
        """How many questions each has, (number,)."""
        return np.bincount(self.codes, minlength=self.number)

    def sums(self, values: NDArray[Number]) -> NDArray[Number]:
        """The sum of each cluster's values: (..., questions) -> (..., number)."""
        order = np.argsort(self.codes, kind="stable")
        starts = np.searchsorted(self.codes[order], np.arange(self.number))
        return np.add.reduceat(values[..., order], starts, axis=-1)


def clusters_of(names: Sequence[str]) -> Clusters | None:
    """The clusters with these names, by question; a question without one is a cluster of its own.

    None where every question is alone.
    """
    places: dict[str, int] = {}
    codes = [places.setdefault(name or f"\n{at}", len(places)) for at, name in enumerate(names)]
    return Clusters(np.array(codes, dtype=np.int64), len(places)) if len(places) < len(codes) else None


def shared_clusters(each: Iterable[Clusters | None]) -> Clusters | None:
    """The clusters by which runs are compared that were asked the same questions.

    Runs made before a task named its clusters have none. Those of any other run hold for them, and of
    several the fewest.
    """
    return min((one for one in each if one), key=lambda one: one.number, default=None)


def widened(number: int) -> float:
    """By how much a variance that is estimated from so many clusters is made larger.

    By n / (n - 1), and so that 1.96 standard errors become as many as Student's distribution with n - 1
    degrees of freedom asks for (Korn and Graubard 1998). About 1 for many clusters; at least `FEWEST`.
    """
    from scipy.special import stdtrit

    return number / (number - 1) * (float(stdtrit(number - 1, _TAIL)) / _CONFIDENT) ** 2


def worst_effect(clusters: Clusters) -> float:
    """The design effect if all questions of a cluster were always answered alike, by Kish 1965."""
    return float(np.sum(clusters.sizes**2)) / len(clusters.codes) * widened(clusters.number)


def effective_questions(right: NDArray[np.bool_], *, clusters: Clusters | None) -> float:
    """How many independent questions say as much on the share of right ones, at most their number.

    The number divided by the design effect. Where all or none are right, it cannot be estimated, and is the
    worst one. 0 with fewer than `FEWEST` clusters. Without clusters, the number itself, as an int.
    """
    questions = len(right)
    if clusters is None:
        return questions
    if clusters.number < FEWEST:
        return 0.0
    share = float(right.mean())
    if share in (0.0, 1.0):
        return questions / worst_effect(clusters)
    residuals = clusters.sums(right.astype(np.int64)) - share * clusters.sizes
    variance = widened(clusters.number) * float(residuals @ residuals) / questions
    return questions / max(1.0, variance / (share * (1.0 - share)))


def counted_right(right: NDArray[np.bool_], *, clusters: Clusters | None) -> tuple[float, float]:
    """How many are right of how many: whole numbers, or in clusters as many as say as much independently."""
    questions = effective_questions(right, clusters=clusters)
    return (float(right.mean()) * questions if clusters else int(right.sum())), questions


def cluster_variance(right: NDArray[np.bool_], clusters: Clusters) -> NDArray[np.float64]:
    """The variance of how many more questions model i has right than model j, (models, models).

    `right` is (models, questions). With fewer than `FEWEST` clusters it is so large that 1.96 standard errors
    are more than any difference.
    """
    questions = right.shape[1]
    if clusters.number < FEWEST:
        return (1.0 - np.eye(len(right))) * (2.0 * questions) ** 2
    sums, sizes = clusters.sums(right.astype(np.int64)).astype(np.float64), clusters.sizes.astype(np.float64)
    products, weighted, correct = sums @ sums.T, sums @ sizes, sums.sum(axis=1)
    own = np.diag(products)
    squares = own[:, None] + own - 2.0 * products
    difference = (correct[:, None] - correct) / questions
    moved = 2.0 * difference * (weighted[:, None] - weighted) - difference**2 * float(sizes @ sizes)
    return widened(clusters.number) * np.maximum(0.0, squares - moved)


def ratio_interval(differences: NDArray[np.int64], clusters: Clusters) -> Interval:
    """The 95 % interval of a difference in accuracy, in [-1, 1], by Student's distribution.

    `differences`, (number,), is how many more questions the second model has right in each cluster. With
    fewer than `FEWEST` clusters it is all of [-1, 1].
    """
    if clusters.number < FEWEST:
        return Interval(-1.0, 1.0)
    difference = float(differences.sum()) / len(clusters.codes)
    half = _half_width(differences - difference * clusters.sizes, clusters)
    return Interval(max(-1.0, difference - half), min(1.0, difference + half))


def mean_interval(values: Floats, *, clusters: Clusters | None) -> Interval:
    """The 95 % interval of a mean over questions of values in [0, 1], by Student's distribution.

    `values` are (questions,). Where all questions or clusters are alike it is Wilson's, and with fewer than
    `FEWEST` it is all of [0, 1].
    """
    units = clusters or Clusters(np.arange(len(values)), len(values))
    if units.number < FEWEST:
        return Interval(0.0, 1.0)
    mean = float(values.mean())
    residuals = units.sums(values) - mean * units.sizes
    if np.allclose(residuals, 0.0):
        return wilson(mean * units.number, units.number)
    half = _half_width(residuals, units)
    return Interval(max(0.0, mean - half), min(1.0, mean + half))


def _half_width(residuals: Floats, clusters: Clusters) -> float:
    """Of the 95 % interval of a mean over questions, from what clusters have more than its share."""
    variance = widened(clusters.number) * float(residuals @ residuals)
    return _CONFIDENT * float(np.sqrt(variance)) / len(clusters.codes)
