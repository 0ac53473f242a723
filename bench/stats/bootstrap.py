"""Bootstrap intervals of what is computed from a confusion matrix."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.stats.intervals import Interval

Counts = NDArray[np.int64]
"""(..., classes, answers): how often each class was answered how."""
RESAMPLES = 2000


def confusion(truth: Sequence[str], given: Sequence[str | None]) -> Counts:
    """A row for each label that occurs in `truth`, sorted; a column for each, and one for the rest."""
    labels = {label: at for at, label in enumerate(sorted(set(truth)))}
    counts = np.zeros((len(labels), len(labels) + 1), dtype=np.int64)
    for right, answer in zip(truth, given, strict=True):
        counts[labels[right], len(labels) if answer is None else labels.get(answer, len(labels))] += 1
    return counts


def bootstrap(
    counts: Counts, statistic: Callable[[Counts], NDArray[np.float64]], confidence: float = 0.95
) -> Interval:
    """The percentile interval (Efron 1979) of a statistic under resampling of the items.

    Items drawn with replacement fall into the cells of their confusion matrix multinomially, so the
    matrices are drawn themselves. `statistic` maps (resamples, classes, answers) to (resamples,).
    The draw is seeded: equal counts give equal intervals.
    """
    total = int(counts.sum())
    shares = (counts / total).ravel()
    drawn = np.random.default_rng(0).multinomial(total, shares, size=RESAMPLES)
    values = statistic(drawn.reshape(RESAMPLES, *counts.shape))
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return Interval(float(low), float(high))


def balanced_accuracy(counts: Counts) -> NDArray[np.float64]:
    """Mean recall over the classes that occur: as scikit-learn's `balanced_accuracy_score`."""
    own = counts.sum(axis=-1)
    recall = _diagonal(counts) / np.maximum(own, 1)
    return (recall * (own > 0)).sum(axis=-1) / np.maximum((own > 0).sum(axis=-1), 1)


def macro_f1(counts: Counts) -> NDArray[np.float64]:
    """Mean F1 over the classes, 0 for one never met and never answered: as scikit-learn's `f1_score`."""
    classes = counts.shape[-2]
    right = _diagonal(counts)
    both = counts.sum(axis=-1) + counts[..., :classes].sum(axis=-2)
    return (2 * right / np.maximum(both, 1)).mean(axis=-1)


def _diagonal(counts: Counts) -> NDArray[np.float64]:
    return np.diagonal(counts, axis1=-2, axis2=-1).astype(np.float64)
