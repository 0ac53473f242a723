"""Records -> the metrics of a cell. Every rate has its counts."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import Field

from bench.config import Strict
from bench.errors import BenchError, named_line, one_line
from bench.numbers import Count, Share
from bench.scoring.record import ParseStatus, Record
from bench.stats.intervals import share_interval
from bench.stats.metrics import EVALUATE, METRICS, Clustered, Estimate, Metric, find_metric
from bench.types import LETTERS, ViewName

if TYPE_CHECKING:  # the command line must start without numpy
    from bench.stats.clusters import Clusters

UNREAD = -1
"""The prediction that a metric of the evaluate library gets for an item without an answer."""


class Rate(Strict):
    """A share of items, `value`, and the ends of its 95 % interval (`share_interval`); all in [0, 1]."""

    correct: Count
    total: Count
    value: Share
    low: Share
    high: Share


class Group(Strict):
    """The metrics of the items of one group, by the names that the task gives."""

    accuracy: Rate
    values: dict[str, Estimate]


class Disagreement(Strict):
    """The number of items on which two views give different answers."""

    views: tuple[ViewName, ViewName]
    items: Count


class Metrics(Strict):
    """`values` has the metrics that the task names, by name; every cell has the other fields. A named metric
    need not be installed here.

    `chosen` and `truth` count the letters of answers and of right answers. An item without an answer is
    wrong and counts in `unread`; `statuses` says why. `views` has the accuracy by each view. `clusters` is in
    how many clusters the items come; None, and not in the file, where each is alone.
    """

    accuracy: Rate
    values: dict[str, Estimate]
    groups: dict[str, Group]
    chosen: dict[str, Count]
    truth: dict[str, Count]
    unread: Count
    statuses: dict[ParseStatus, Count]
    views: dict[ViewName, Rate]
    disagreements: tuple[Disagreement, ...]
    clusters: Count | None = Field(default=None, exclude_if=lambda number: number is None)


def measure(records: Sequence[Record], metrics: Mapping[str, Clustered]) -> Metrics:
    """The metrics of a cell, with the given ones by name. There must be at least one record."""
    groups = sorted({record.group for record in records if record.group})
    chosen = Counter(record.model_output.final_answer or "" for record in records)
    truth = Counter(record.answer_gt for record in records)
    unread = chosen.pop("", 0)
    answers = _answers(records)
    statuses: Counter[ParseStatus] = Counter(record.parse_status for record in records)
    overall = _group(records, metrics)
    clusters = _clusters(records)
    return Metrics(
        accuracy=overall.accuracy,
        values=overall.values,
        groups={group: _group([r for r in records if r.group == group], metrics) for group in groups},
        chosen=dict(sorted(chosen.items())),
        truth=dict(sorted(truth.items())),
        unread=unread,
        statuses={status: statuses[status] for status in sorted(statuses)},
        views={view: rate(_are_right(records, given), clusters) for view, given in answers.items()},
        disagreements=tuple(
            Disagreement(views=pair, items=_count_different(answers[pair[0]], answers[pair[1]]))
            for pair in combinations(answers, 2)
        ),
        clusters=clusters.number if clusters else None,
    )


def _clusters(records: Sequence[Record]) -> "Clusters | None":
    if not any(record.cluster for record in records):
        return None
    from bench.stats.clusters import clusters_of

    return clusters_of([record.cluster for record in records])


def _group(records: Sequence[Record], metrics: Mapping[str, Clustered]) -> Group:
    truth = [record.answer_gt for record in records]
    answers = [record.model_output.final_answer for record in records]
    clusters = _clusters(records)
    values = {name: compute(truth, answers, clusters) for name, compute in metrics.items()}
    return Group(accuracy=rate([record.is_correct for record in records], clusters), values=values)


def rate(right: Sequence[bool], clusters: "Clusters | None") -> Rate:
    """The share of right ones with its interval."""
    correct, total = sum(right), len(right)
    interval = share_interval(right, clusters=clusters)
    return Rate(correct=correct, total=total, value=correct / total, low=interval.low, high=interval.high)


def _answers(records: Sequence[Record]) -> dict[ViewName, list[str | None]]:
    """For each view in any record, the answers of all records; None where a record has no such scores."""
    views: dict[ViewName, None] = {view: None for record in records for view in record.scores}
    return {view: [record.answer_by(view) for record in records] for view in views}


def _are_right(records: Sequence[Record], answers: Sequence[str | None]) -> list[bool]:
    return [record.answer_gt == answer for record, answer in zip(records, answers, strict=True)]


def _count_different(first: Sequence[str | None], second: Sequence[str | None]) -> int:
    return sum(a != b for a, b in zip(first, second, strict=True))


def load_metrics(names: Iterable[str], folder: Path) -> dict[str, Clustered]:
    """The functions of the named metrics. Code from outside this package is tested on a small example first;
    where it fails later, the metric's value is None.

    An `evaluate:` metric is Python code: the caller must have permission to run it. Its path may be
    relative to `folder`, the task file's. Raises a BenchError where a metric cannot be loaded or fails.
    """
    return {name: _load(name, folder) for name in names}


def installed_metrics(names: Iterable[str]) -> dict[str, Clustered]:
    """The functions of those named metrics that are part of this package or of an installed one."""
    rows = {name: find_metric(name) for name in names if not name.startswith(EVALUATE)}
    return {
        name: row.estimate if name in METRICS.own else _guarded(row.estimate)
        for name, row in rows.items()
        if row
    }


def _load(name: str, folder: Path) -> Clustered:
    if name in METRICS.own:
        return METRICS.own[name].estimate
    if name.startswith(EVALUATE):
        metric = _load_evaluate(name, folder)
        _test_run(name, metric, ("A", "B", "B"))
    else:
        metric = METRICS.get(name)
        _test_run(f"{name} of {METRICS.package(name)}", metric, ("A", "B", None))
    return _guarded(metric.estimate)


def _test_run(name: str, metric: Metric, answers: Sequence[str | None]) -> None:
    try:
        _finite(metric.compute(("A", "B", "A"), answers))
    except BenchError:
        raise
    except Exception as error:  # code from outside may raise anything
        raise BenchError(f"metric {name} fails on a small example: {named_line(error)}") from error


def _guarded(compute: Clustered) -> Clustered:
    """The same function, but an error makes this one value None and loses no answers."""

    def guarded(truth: Sequence[str], answers: Sequence[str | None], clusters: "Clusters | None") -> Estimate:
        try:
            return _finite(compute(truth, answers, clusters))
        except Exception:  # noqa: BLE001 (code from outside)
            return Estimate(value=None)

    return guarded


def _finite(estimate: Estimate) -> Estimate:
    """Replace what is infinite or NaN by None, as JSON has neither: the value, or the whole interval."""
    if estimate.value is None or not math.isfinite(estimate.value):
        return Estimate(value=None)
    ends = (estimate.low, estimate.high)
    has_interval = all(end is not None and math.isfinite(end) for end in ends)
    return estimate if has_interval else Estimate(value=estimate.value)


def _load_evaluate(name: str, folder: Path) -> Metric:
    """A metric of the evaluate library, which takes option indices as predictions and references."""
    import evaluate

    source = name.removeprefix(EVALUATE)
    local = folder / source
    try:
        metric = evaluate.load(str(local) if local.exists() else source)
    except Exception as error:  # the library, the network and the metric's code may raise anything
        raise BenchError(f"metric {name} cannot be loaded: {one_line(error)}") from error

    def compute(truth: Sequence[str], answers: Sequence[str | None]) -> Estimate:
        references = [LETTERS.index(letter) for letter in truth]
        predictions = [UNREAD if letter is None else LETTERS.index(letter) for letter in answers]
        result = cast("dict[str, Any]", metric.compute(predictions=predictions, references=references))
        numbers = [float(value) for value in result.values() if isinstance(value, Real)]
        if len(numbers) != 1:
            text = f"metric {name} gives {len(numbers)} numbers ({', '.join(result)}); it must give one"
            raise BenchError(text)
        return Estimate(value=numbers[0])

    return Metric(name, name, compute)
