"""The metrics, one row each: right letters and answers of all questions -> one number.

Another package adds a metric as an entry point of the group `bench.metrics`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bench.config import Strict
from bench.errors import BenchError
from bench.plugins import Registry
from bench.stats.intervals import wilson

if TYPE_CHECKING:  # the command line must start without numpy
    import numpy as np
    from numpy.typing import NDArray

    from bench.stats.bootstrap import Counts

EVALUATE = "evaluate:"
"""Prefix of a metric that is not a row here: a path or an id for the evaluate library follows it."""


class Estimate(Strict):
    """A value with its 95 % interval; `value` is None where it could not be computed."""

    value: float | None
    low: float | None = None
    high: float | None = None


Compute = Callable[[Sequence[str], Sequence[str | None]], Estimate]
"""(right letters, answers) -> estimate. Both are (questions,), with at least one question.

An answer is a letter, or None where none could be read.
"""


@dataclass(frozen=True, slots=True)
class Metric:
    """`title` is what people read; `bounds` are the lowest and the highest possible value.

    `interval` is `bootstrap` where `compute` takes its interval from `bootstrapped`.
    """

    name: str
    title: str
    compute: Compute
    bounds: tuple[float, float] = (0.0, 1.0)
    lower_is_better: bool = False
    interval: Literal["bootstrap", "other"] = "other"


def bootstrapped(
    truth: Sequence[str],
    answers: Sequence[str | None],
    statistic: "Callable[[Counts], NDArray[np.float64]]",
) -> Estimate:
    """A statistic of the confusion matrix with its 95 % bootstrap interval.

    `truth` and `answers` are (questions,) each. `statistic` maps confusion matrices
    (..., classes, classes + 1) to (...,): see `bench.stats.bootstrap`.
    """
    from bench.stats.bootstrap import bootstrap, confusion

    counts = confusion(truth, answers)
    interval = bootstrap(counts, statistic)
    return Estimate(value=float(statistic(counts)), low=interval.low, high=interval.high)


def accuracy(truth: Sequence[str], answers: Sequence[str | None]) -> Estimate:
    """The share of questions answered right, in [0, 1], with Wilson's interval (`bench.stats.intervals`).

    `truth` and `answers` are (questions,) each, as for every metric here.
    """
    correct = sum(right == answer for right, answer in zip(truth, answers, strict=True))
    interval = wilson(correct, len(truth))
    return Estimate(value=correct / len(truth), low=interval.low, high=interval.high)


# Not computed by scikit-learn, although tests compare with it: importing it takes a second, and every
# cell is a process of its own.
def balanced_accuracy(truth: Sequence[str], answers: Sequence[str | None]) -> Estimate:
    """The mean recall over the letters in `truth`: see `bench.stats.bootstrap.balanced_accuracy`."""
    from bench.stats import bootstrap

    return bootstrapped(truth, answers, bootstrap.balanced_accuracy)


def macro_f1(truth: Sequence[str], answers: Sequence[str | None]) -> Estimate:
    """The mean F1 over the letters in `truth`: see `bench.stats.bootstrap.macro_f1`."""
    from bench.stats import bootstrap

    return bootstrapped(truth, answers, bootstrap.macro_f1)


ACCURACY = Metric("accuracy", "Accuracy", accuracy)
_OWN = (
    ACCURACY,
    Metric("balanced_accuracy", "Balanced accuracy", balanced_accuracy, interval="bootstrap"),
    Metric("macro_f1", "Macro F1", macro_f1, interval="bootstrap"),
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
