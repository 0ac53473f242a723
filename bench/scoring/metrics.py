"""Records -> numbers. Every rate comes with the count behind it."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from numbers import Real
from pathlib import Path
from typing import Any, cast

from bench.config import Strict
from bench.errors import BenchError, first_line
from bench.inputs.task import MetricName
from bench.scoring.record import ParseStatus, Record
from bench.stats.intervals import wilson
from bench.types import LETTERS, ViewName

UNREAD = -1
"""What a metric of the evaluate library is given for an item without an answer."""
Loaded = Mapping[MetricName, Callable[[Sequence[int], Sequence[int]], float]]
"""Metrics of the evaluate library: (predictions, references) as option indices -> value."""


class Rate(Strict):
    """A share of items, with Wilson's 95 % interval; all in [0, 1]."""

    correct: int
    total: int
    value: float
    low: float
    high: float


class Estimate(Strict):
    """A metric with its 95 % bootstrap interval; None where there is none, or it could not be computed."""

    value: float | None
    low: float | None = None
    high: float | None = None


class Group(Strict):
    accuracy: Rate
    values: dict[MetricName, Estimate]


class Disagreement(Strict):
    """On how many items two views give different answers."""

    views: tuple[ViewName, ViewName]
    items: int


class Metrics(Strict):
    """`values` holds the metrics that the task names, by name; the rest every cell has.

    `chosen` and `truth` count letters; an item without an answer is wrong and in `unread`, and
    `statuses` says why. `views` has the accuracy that each view would give.
    """

    accuracy: Rate
    values: dict[MetricName, Estimate]
    groups: dict[str, Group]
    chosen: dict[str, int]
    truth: dict[str, int]
    unread: int
    statuses: dict[ParseStatus, int]
    views: dict[ViewName, Rate]
    disagreements: tuple[Disagreement, ...]


def measure(records: Sequence[Record], names: Sequence[MetricName], loaded: Loaded | None = None) -> Metrics:
    """The metrics of a cell; `records` may not be empty, and an `evaluate:` metric must be `loaded`."""
    groups = sorted({record.group for record in records if record.group})
    chosen = Counter(record.model_output.final_answer or "" for record in records)
    truth = Counter(record.answer_gt for record in records)
    unread = chosen.pop("", 0)
    answers = _answers(records)
    statuses: Counter[ParseStatus] = Counter(record.parse_status for record in records)
    values = {name: _estimate(records, name, loaded or {}) for name in names}
    return Metrics(
        accuracy=_accuracy(records),
        values=values,
        groups={
            group: _group([r for r in records if r.group == group], names, loaded or {}) for group in groups
        },
        chosen=dict(sorted(chosen.items())),
        truth=dict(sorted(truth.items())),
        unread=unread,
        statuses={status: statuses[status] for status in sorted(statuses)},
        views={view: _rate(_right(records, given), len(records)) for view, given in answers.items()},
        disagreements=tuple(
            Disagreement(views=pair, items=_differ(answers[pair[0]], answers[pair[1]]))
            for pair in combinations(answers, 2)
        ),
    )


def own_names(metrics: Metrics) -> list[MetricName]:
    """The metrics that need no code but ours."""
    return [name for name in metrics.values if not name.startswith("evaluate:")]


def _group(records: Sequence[Record], names: Sequence[MetricName], loaded: Loaded) -> Group:
    values = {name: _estimate(records, name, loaded) for name in names}
    return Group(accuracy=_accuracy(records), values=values)


def _accuracy(records: Sequence[Record]) -> Rate:
    return _rate(sum(record.is_correct for record in records), len(records))


def _rate(correct: int, total: int) -> Rate:
    interval = wilson(correct, total)
    return Rate(correct=correct, total=total, value=correct / total, low=interval.low, high=interval.high)


def _answers(records: Sequence[Record]) -> dict[ViewName, list[str | None]]:
    """Every record's answer by each view that any of them has; None where it was not scored."""
    views: dict[ViewName, None] = {view: None for record in records for view in record.scores}
    return {view: [record.answer_by(view) for record in records] for view in views}


def _right(records: Sequence[Record], answers: Sequence[str | None]) -> int:
    return sum(record.answer_gt == answer for record, answer in zip(records, answers, strict=True))


def _differ(one: Sequence[str | None], other: Sequence[str | None]) -> int:
    return sum(a != b for a, b in zip(one, other, strict=True))


def _estimate(records: Sequence[Record], name: MetricName, loaded: Loaded) -> Estimate:
    if name == "accuracy":
        rate = _accuracy(records)
        return Estimate(value=rate.value, low=rate.low, high=rate.high)
    if name in ("balanced_accuracy", "macro_f1"):
        return _of_classes(records, name)
    truth = [LETTERS.index(record.answer_gt) for record in records]
    given = [_index(record.model_output.final_answer) for record in records]
    try:
        value = loaded[name](given, truth)
    except Exception:  # noqa: BLE001 (a stranger's code; the answers are kept whatever it does)
        value = None
    return Estimate(value=value)


def _index(answer: str | None) -> int:
    return UNREAD if answer is None else LETTERS.index(answer)


def _of_classes(records: Sequence[Record], name: MetricName) -> Estimate:
    """A metric that is an average over the letters that are right answers, with its bootstrap interval."""
    # Here, not at the top: the CLI must start without numpy. Not scikit-learn's, which is checked to
    # be the same: its import takes a second, and every cell is a process of its own.
    from bench.stats import bootstrap

    statistic = bootstrap.balanced_accuracy if name == "balanced_accuracy" else bootstrap.macro_f1
    counts = bootstrap.confusion(
        [record.answer_gt for record in records], [record.model_output.final_answer for record in records]
    )
    interval = bootstrap.bootstrap(counts, statistic)
    return Estimate(value=float(statistic(counts)), low=interval.low, high=interval.high)


def load_metrics(names: Sequence[MetricName], folder: Path) -> Loaded:
    """Load the `evaluate:` metrics and try each, before anything is scored.

    They are Python code, so the caller has asked whether they may run. A relative path starts at
    `folder`, the task file's. Raises a BenchError where one cannot be had or gives no single number.
    """
    return {name: _load(name, folder) for name in names if name.startswith("evaluate:")}


def _load(name: MetricName, folder: Path) -> Callable[[Sequence[int], Sequence[int]], float]:
    import evaluate

    source = name.removeprefix("evaluate:")
    local = folder / source
    try:
        metric = evaluate.load(str(local) if local.exists() else source)
    except Exception as error:  # whatever the library, the network or the metric's code raises
        raise BenchError(f"metric {name} cannot be loaded: {first_line(error)}") from error

    def compute(predictions: Sequence[int], references: Sequence[int]) -> float:
        found = cast("dict[str, Any]", metric.compute(predictions=predictions, references=references))
        numbers = [float(value) for value in found.values() if isinstance(value, Real)]
        if len(numbers) != 1:
            raise BenchError(
                f"metric {name} gives {len(numbers)} numbers ({', '.join(found)}), one is wanted"
            )
        return numbers[0]

    try:
        compute([0, 1, 1], [0, 1, 0])
    except BenchError:
        raise
    except Exception as error:
        raise BenchError(f"metric {name} fails on integers: {first_line(error)}") from error
    return compute
