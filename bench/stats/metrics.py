"""Metrics: the right letters and the answered letters of all questions -> one number. One row each.

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
"""Names of metrics that begin with it are no rows: a local path or an id of the evaluate library follows."""


class Estimate(Strict):
    """A value with its 95 % interval; `value` is None where it could not be computed."""

    value: float | None
    low: float | None = None
    high: float | None = None


Compute = Callable[[Sequence[str], Sequence[str | None]], Estimate]
"""(right letters, answered letters) -> estimate: one of each for every question, at least one question.

An answer is None where the model gave none that could be read.
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
    """A statistic of the confusion matrix with its bootstrap interval (`bench.stats.bootstrap`)."""
    from bench.stats.bootstrap import bootstrap, confusion

    counts = confusion(truth, answers)
    interval = bootstrap(counts, statistic)
    return Estimate(value=float(statistic(counts)), low=interval.low, high=interval.high)


def accuracy(truth: Sequence[str], answers: Sequence[str | None]) -> Estimate:
    """The share of questions that are answered right, with Wilson's interval."""
    correct = sum(right == answer for right, answer in zip(truth, answers, strict=True))
    interval = wilson(correct, len(truth))
    return Estimate(value=correct / len(truth), low=interval.low, high=interval.high)


# The two below are not scikit-learn's, which they are tested to equal: importing it takes a second,
# and every cell is a process of its own.
def balanced_accuracy(truth: Sequence[str], answers: Sequence[str | None]) -> Estimate:
    """The mean recall over the letters that are right answers."""
    from bench.stats import bootstrap

    return bootstrapped(truth, answers, bootstrap.balanced_accuracy)


def macro_f1(truth: Sequence[str], answers: Sequence[str | None]) -> Estimate:
    """The mean F1 over the letters that are right answers."""
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
    """The row of that name; None where its package is not installed or is broken."""
    try:
        return METRICS.get(name)
    except BenchError:
        return None


def metric_title(name: str) -> str:
    """What people read for a metric: its row's title; without a row, the name in words.

    >>> [metric_title(name) for name in ("macro_f1", "cohen_kappa", "evaluate:ORG/brier.py")]
    ['Macro F1', 'Cohen kappa', 'brier.py']
    """
    if name.startswith(EVALUATE):
        return name.removeprefix(EVALUATE).rpartition("/")[2]
    metric = find_metric(name)
    return metric.title if metric else name.replace("_", " ").capitalize()
