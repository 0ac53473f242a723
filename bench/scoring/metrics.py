"""Records -> numbers. Every rate comes with the count behind it."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import cast

from bench.config import Strict
from bench.inputs.task import MetricName
from bench.scoring.record import Record
from bench.stats.intervals import wilson


class Rate(Strict):
    """A share of items, with Wilson's 95 % interval; all in [0, 1]."""

    correct: int
    total: int
    value: float
    low: float
    high: float


class Metrics(Strict):
    """`values` holds the metrics that the task names, by name; the rest every cell has.

    `chosen` and `truth` count letters; an item without an answer is wrong and in `unread`.
    """

    accuracy: Rate
    values: dict[MetricName, float]
    groups: dict[str, Rate]
    chosen: dict[str, int]
    truth: dict[str, int]
    unread: int


def measure(records: Sequence[Record], names: Sequence[MetricName]) -> Metrics:
    """The metrics of a cell; `records` may not be empty."""
    groups = sorted({record.group for record in records if record.group})
    chosen = Counter(record.model_output.final_answer or "" for record in records)
    truth = Counter(record.answer_gt for record in records)
    unread = chosen.pop("", 0)
    return Metrics(
        accuracy=_rate(records),
        values={name: _METRICS[name](records) for name in names},
        groups={group: _rate([r for r in records if r.group == group]) for group in groups},
        chosen=dict(sorted(chosen.items())),
        truth=dict(sorted(truth.items())),
        unread=unread,
    )


def _rate(records: Sequence[Record]) -> Rate:
    correct, total = sum(record.is_correct for record in records), len(records)
    interval = wilson(correct, total)
    return Rate(correct=correct, total=total, value=correct / total, low=interval.low, high=interval.high)


def _macro_f1(records: Sequence[Record]) -> float:
    # Here, not at the top: the CLI must start without scikit-learn.
    from sklearn.metrics import f1_score

    truth = [record.answer_gt for record in records]
    chosen = [record.model_output.final_answer or "" for record in records]
    return float(
        f1_score(truth, chosen, labels=sorted(set(truth)), average="macro", zero_division=cast("str", 0))
    )


_METRICS: dict[MetricName, Callable[[Sequence[Record]], float]] = {
    "accuracy": lambda records: _rate(records).value,
    "macro_f1": _macro_f1,
}
