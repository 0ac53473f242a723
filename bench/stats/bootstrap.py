"""Statistics of a confusion matrix and their bootstrap intervals."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bench.stats.clusters import FEWEST, Clusters
from bench.stats.intervals import Interval

Counts = NDArray[np.int64]
"""(..., classes, classes + 1): `[..., i, j]` items of class i were answered with class j.

The last column counts all other answers, and items without one. Leading axes are matrices of their own.
"""
RESAMPLES = 2000
_AT_ONCE = 2**22
"""Numbers that are drawn at once."""


def confusion(truth: Sequence[str], answers: Sequence[str | None]) -> Counts:
    """The confusion matrix, (classes, classes + 1): the classes are the labels in `truth`, sorted.

    `truth` and `answers` are (items,) each; an answer that is None or no class counts in the last column.
    """
    labels = {label: at for at, label in enumerate(sorted(set(truth)))}
    counts = np.zeros((len(labels), len(labels) + 1), dtype=np.int64)
    for right, answer in zip(truth, answers, strict=True):
        column = len(labels) if answer is None else labels.get(answer, len(labels))
        counts[labels[right], column] += 1
    return counts


def bootstrap(
    counts: Counts, statistic: Callable[[Counts], NDArray[np.float64]], confidence: float = 0.95
) -> Interval:
    """The percentile interval (Efron 1979) of a statistic when the items are resampled.

    `counts` is one confusion matrix, (classes, classes + 1), of at least one item. `statistic` maps
    (resamples, classes, classes + 1) to (resamples,). Resampling items with replacement makes the cells
    of their matrix multinomial, so matrices are drawn instead of items. The seed is fixed: equal counts
    give equal intervals.
    """
    total = int(counts.sum())
    shares = (counts / total).ravel()
    drawn = np.random.default_rng(0).multinomial(total, shares, size=RESAMPLES)
    values = statistic(drawn.reshape(RESAMPLES, *counts.shape))
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return Interval(float(low), float(high))


def cluster_confusion(truth: Sequence[str], answers: Sequence[str | None], clusters: Clusters) -> Counts:
    """The confusion matrices of the clusters, (clusters, classes, classes + 1), as by `confusion`."""
    labels = {label: at for at, label in enumerate(sorted(set(truth)))}
    counts = np.zeros((clusters.number, len(labels), len(labels) + 1), dtype=np.int64)
    rows = [labels[right] for right in truth]
    columns = [len(labels) if answer is None else labels.get(answer, len(labels)) for answer in answers]
    np.add.at(counts, (clusters.codes, np.array(rows), np.array(columns)), 1)
    return counts


def cluster_bootstrap(
    counts: Counts, statistic: Callable[[Counts], NDArray[np.float64]], confidence: float = 0.95
) -> Interval | None:
    """As `bootstrap`, but whole clusters are resampled (Davison and Hinkley 1997, section 3.8).

    `counts` are those of `cluster_confusion`. None with fewer than `FEWEST` clusters.
    """
    number, *shape = counts.shape
    if number < FEWEST:
        return None
    flat = counts.reshape(number, -1).astype(np.float64)
    drawn = (np.rint(times.astype(np.float64) @ flat).astype(np.int64) for times in _times(number))
    values = [statistic(each.reshape(len(each), *shape)) for each in drawn]
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.concatenate(values), [tail, 1 - tail])
    return Interval(float(low), float(high))


def balanced_accuracy(counts: Counts) -> NDArray[np.float64]:
    """The mean recall over the classes that occur, (...,) in [0, 1].

    Equal to scikit-learn's `balanced_accuracy_score` (Brodersen et al. 2010).
    """
    items = counts.sum(axis=-1)
    recall = _diagonal(counts) / np.maximum(items, 1)
    return (recall * (items > 0)).sum(axis=-1) / np.maximum((items > 0).sum(axis=-1), 1)


def macro_f1(counts: Counts) -> NDArray[np.float64]:
    """The mean over the classes of 2 x right / (items + answers), (...,) in [0, 1].

    Equal to scikit-learn's `f1_score` with `average="macro"` and `zero_division=0`: a class without items
    and answers, which a resample may have, counts as 0.
    """
    classes = counts.shape[-2]
    right = _diagonal(counts)
    items_and_answers = counts.sum(axis=-1) + counts[..., :classes].sum(axis=-2)
    return (2 * right / np.maximum(items_and_answers, 1)).mean(axis=-1)


def _diagonal(counts: Counts) -> NDArray[np.float64]:
    return np.diagonal(counts, axis1=-2, axis2=-1).astype(np.float64)


def resampled(questions: int, clusters: Clusters | None) -> Iterator[NDArray[np.float64]]:
    """How often each question is drawn when questions are resampled: parts of (RESAMPLES, questions).

    With clusters, whole clusters are. The seed is fixed.
    """
    number = clusters.number if clusters else questions
    for times in _times(number):
        yield (times[:, clusters.codes] if clusters else times).astype(np.float64)


def _times(number: int) -> Iterator[NDArray[np.int64]]:
    """How often each of so many units is drawn, in parts that fit into memory."""
    if RESAMPLES * number <= _AT_ONCE:
        yield _all_times(number)
        return
    generator, left = np.random.default_rng(0), RESAMPLES
    while left:
        size = min(left, max(1, _AT_ONCE // number))
        yield _drawn(generator, number, size)
        left -= size


@lru_cache(maxsize=1)
def _all_times(number: int) -> NDArray[np.int64]:
    """All draws of few units, kept for the next model on the same questions: they take most of the time."""
    times = _drawn(np.random.default_rng(0), number, RESAMPLES)
    times.setflags(write=False)
    return times


def _drawn(generator: np.random.Generator, number: int, size: int) -> NDArray[np.int64]:
    return generator.multinomial(number, np.full(number, 1.0 / number), size=size)
