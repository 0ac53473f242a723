"""The metrics, one row each: right letters and answers of all questions -> one number.

Another package adds a metric as an entry point of the group `bench.metrics`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator

from bench.config import Strict
from bench.errors import BenchError
from bench.numbers import Real
from bench.plugins import Registry
from bench.stats.intervals import share_interval

if TYPE_CHECKING:  # the command line must start without numpy
    import numpy as np
    from numpy.typing import NDArray

    from bench.stats.bootstrap import Counts
    from bench.stats.clusters import Clusters

EVALUATE = "evaluate:"
"""Prefix of a metric that is not a row here: a path or an id for the evaluate library follows it."""


def _or_none(value: object) -> object:
    return value if not isinstance(value, float) or math.isfinite(value) else None


MaybeReal = Annotated[Real | None, BeforeValidator(_or_none)]
"""A number; None is unknown, as what is not finite is: a metric of few questions may be 0 by 0."""


class Estimate(Strict):
    """A value with its 95 % interval; `value` is None where it could not be computed."""

    value: MaybeReal
    low: MaybeReal = None
    high: MaybeReal = None


Compute = Callable[[Sequence[str], Sequence[str | None]], Estimate]
"""(right letters, answers) -> estimate. Both are (questions,), with at least one question.

An answer is a letter, or None where none could be read.
"""
Clustered = Callable[[Sequence[str], Sequence[str | None], "Clusters | None"], Estimate]
"""The same of questions that come in clusters; None where each is alone."""


@dataclass(frozen=True, slots=True)
class Metric:
    """`title` is what people read; `bounds` are the lowest and the highest possible value.

    `interval` is `bootstrap` where `compute` takes its interval from `bootstrapped`. `clustered` gives the
    interval of questions that come in clusters; without it there is none, because that of `compute` is for
    independent questions.
    """

    name: str
    title: str
    compute: Compute
    bounds: tuple[float, float] = (0.0, 1.0)
    lower_is_better: bool = False
    interval: Literal["bootstrap", "other"] = "other"
    clustered: Clustered | None = None

    def estimate(
        self, truth: Sequence[str], answers: Sequence[str | None], clusters: "Clusters | None"
    ) -> Estimate:
        """The value, and an interval where there is one for such questions."""
        if self.clustered:
            return self.clustered(truth, answers, clusters)
        estimate = self.compute(truth, answers)
        return estimate if clusters is None else Estimate(value=estimate.value)


def bootstrapped(
    truth: Sequence[str],
    answers: Sequence[str | None],
    statistic: "Callable[[Counts], NDArray[np.float64]]",
    clusters: "Clusters | None" = None,
) -> Estimate:
    """A statistic of the confusion matrix with its 95 % bootstrap interval.

    `truth` and `answers` are (questions,) each. `statistic` maps confusion matrices
    (..., classes, classes + 1) to (...,): see `bench.stats.bootstrap`. Of questions in `clusters`, whole
    clusters are resampled.
    """
    from bench.stats.bootstrap import bootstrap, cluster_bootstrap, cluster_confusion, confusion

    counts = confusion(truth, answers)
    value = float(statistic(counts))
    if clusters is None:
        interval = bootstrap(counts, statistic)
    else:
        interval = cluster_bootstrap(cluster_confusion(truth, answers, clusters), statistic)
    return Estimate(value=value, low=interval.low, high=interval.high) if interval else Estimate(value=value)


def accuracy(
    truth: Sequence[str], answers: Sequence[str | None], clusters: "Clusters | None" = None
) -> Estimate:
    """The share of questions answered right, in [0, 1], with Wilson's interval (`bench.stats.intervals`).

    `truth` and `answers` are (questions,) each, as for every metric here.
    """
    is_right = [right == answer for right, answer in zip(truth, answers, strict=True)]
    interval = share_interval(is_right, clusters=clusters)
    return Estimate(value=sum(is_right) / len(truth), low=interval.low, high=interval.high)


# Not computed by scikit-learn, although tests compare with it: importing it takes a second, and every
# cell is a process of its own.
def balanced_accuracy(
    truth: Sequence[str], answers: Sequence[str | None], clusters: "Clusters | None" = None
) -> Estimate:
    """The mean recall over the letters in `truth`: see `bench.stats.bootstrap.balanced_accuracy`."""
    from bench.stats import bootstrap

    return bootstrapped(truth, answers, bootstrap.balanced_accuracy, clusters)


def macro_f1(
    truth: Sequence[str], answers: Sequence[str | None], clusters: "Clusters | None" = None
) -> Estimate:
    """The mean F1 over the letters in `truth`: see `bench.stats.bootstrap.macro_f1`."""
    from bench.stats import bootstrap

    return bootstrapped(truth, answers, bootstrap.macro_f1, clusters)


ACCURACY = Metric("accuracy", "Accuracy", accuracy, clustered=accuracy)
_OWN = (
    ACCURACY,
    Metric(
        "balanced_accuracy",
        "Balanced accuracy",
        balanced_accuracy,
        interval="bootstrap",
        clustered=balanced_accuracy,
    ),
    Metric("macro_f1", "Macro F1", macro_f1, interval="bootstrap", clustered=macro_f1),
)
METRICS = Registry("bench.metrics", "metric", Metric, {metric.name: metric for metric in _OWN})


def find_metric(name: str) -> Metric | None:
    """The metric of that name; None where its package is not installed or cannot be loaded."""
    try:
        return METRICS.get(name)
    except BenchError:
        return None


def metric_title(name: str) -> str:
    """The title of a metric for display. Of one that is not installed here, it is made from the name.

    >>> [metric_title(name) for name in ("macro_f1", "cohen_kappa", "evaluate:ORG/brier.py")]
    ['Macro F1', 'Cohen kappa', 'brier.py']
    """
    if name.startswith(EVALUATE):
        return name.removeprefix(EVALUATE).rpartition("/")[2]
    metric = find_metric(name)
    return metric.title if metric else name.replace("_", " ").capitalize()
