"""Records -> numbers. Every rate comes with the count behind it."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from numbers import Real
from pathlib import Path
from typing import Any, cast

from bench.config import Strict
from bench.errors import BenchError, first_line
from bench.scoring.record import ParseStatus, Record
from bench.stats.intervals import wilson
from bench.stats.metrics import EVALUATE, METRICS, Compute, Estimate, find_metric
from bench.types import LETTERS, ViewName

UNREAD = -1
"""What a metric of the evaluate library is given for an item without an answer."""


class Rate(Strict):
    """A share of items, with Wilson's 95 % interval; all in [0, 1]."""

    correct: int
    total: int
    value: float
    low: float
    high: float


class Group(Strict):
    accuracy: Rate
    values: dict[str, Estimate]


class Disagreement(Strict):
    """On how many items two views give different answers."""

    views: tuple[ViewName, ViewName]
    items: int


class Metrics(Strict):
    """`values` holds the metrics that the task names, by name; the rest every cell has. A name may be
    that of a metric whose package is not installed here.

    `chosen` and `truth` count letters; an item without an answer is wrong and in `unread`, and
    `statuses` says why. `views` has the accuracy that each view would give.
    """

    accuracy: Rate
    values: dict[str, Estimate]
    groups: dict[str, Group]
    chosen: dict[str, int]
    truth: dict[str, int]
    unread: int
    statuses: dict[ParseStatus, int]
    views: dict[ViewName, Rate]
    disagreements: tuple[Disagreement, ...]


def measure(records: Sequence[Record], metrics: Mapping[str, Compute]) -> Metrics:
    """The metrics of a cell, those in `metrics` among them; `records` may not be empty."""
    groups = sorted({record.group for record in records if record.group})
    chosen = Counter(record.model_output.final_answer or "" for record in records)
    truth = Counter(record.answer_gt for record in records)
    unread = chosen.pop("", 0)
    answers = _answers(records)
    statuses: Counter[ParseStatus] = Counter(record.parse_status for record in records)
    whole = _group(records, metrics)
    return Metrics(
        accuracy=whole.accuracy,
        values=whole.values,
        groups={group: _group([r for r in records if r.group == group], metrics) for group in groups},
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


def _group(records: Sequence[Record], metrics: Mapping[str, Compute]) -> Group:
    truth = [record.answer_gt for record in records]
    answers = [record.model_output.final_answer for record in records]
    values = {name: compute(truth, answers) for name, compute in metrics.items()}
    return Group(accuracy=_rate(sum(record.is_correct for record in records), len(records)), values=values)


def _rate(correct: int, total: int) -> Rate:
    interval = wilson(correct, total)
    return Rate(correct=correct, total=total, value=correct / total, low=interval.low, high=interval.high)


def _answers(records: Sequence[Record]) -> dict[ViewName, list[str | None]]:
    """Every record's answer by each view that any of them has; None where it was not scored."""
    views: dict[ViewName, None] = {view: None for record in records for view in record.scores}
    return {view: [record.answer_by(view) for record in records] for view in views}


def _right(records: Sequence[Record], answers: Sequence[str | None]) -> int:
    return sum(record.answer_gt == answer for record, answer in zip(records, answers, strict=True))


def _differ(first: Sequence[str | None], second: Sequence[str | None]) -> int:
    return sum(a != b for a, b in zip(first, second, strict=True))


def load_metrics(names: Iterable[str], folder: Path) -> dict[str, Compute]:
    """What computes each metric. Code that is not ours is tried on a small example, before anything is
    scored; later, an error of it is a value of None.

    An `evaluate:` metric is Python code that the caller must have allowed to run; a relative path
    starts at `folder`, the task file's. Raises a BenchError where a metric cannot be loaded or fails.
    """
    return {name: _load(name, folder) for name in names}


def installed_metrics(names: Iterable[str]) -> dict[str, Compute]:
    """The metrics among these that can be computed again: ours and those of installed packages."""
    rows = {name: find_metric(name) for name in names if not name.startswith(EVALUATE)}
    return {
        name: row.compute if name in METRICS.own else _guarded(row.compute)
        for name, row in rows.items()
        if row
    }


def _load(name: str, folder: Path) -> Compute:
    if name in METRICS.own:
        return METRICS.own[name].compute
    if name.startswith(EVALUATE):
        compute = _load_evaluate(name, folder)
        _try(name, compute, ("A", "B", "B"))
    else:
        compute = METRICS.get(name).compute
        _try(f"{name} of {METRICS.package(name)}", compute, ("A", "B", None))
    return _guarded(compute)


def _try(name: str, compute: Compute, answers: Sequence[str | None]) -> None:
    try:
        _finite(compute(("A", "B", "A"), answers))
    except BenchError:
        raise
    except Exception as error:  # the code of others: whatever it raises
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise BenchError(f"metric {name} fails on a small example: {reason}") from error


def _guarded(compute: Compute) -> Compute:
    """The same, but an error costs this one value, and no answer."""

    def guarded(truth: Sequence[str], answers: Sequence[str | None]) -> Estimate:
        try:
            return _finite(compute(truth, answers))
        except Exception:  # noqa: BLE001 (the code of others)
            return Estimate(value=None)

    return guarded


def _finite(estimate: Estimate) -> Estimate:
    """JSON holds no infinity and no NaN: such a value is none, and an interval with such an end is none."""
    if estimate.value is None or not math.isfinite(estimate.value):
        return Estimate(value=None)
    ends = (estimate.low, estimate.high)
    bounded = all(end is not None and math.isfinite(end) for end in ends)
    return estimate if bounded else Estimate(value=estimate.value)


def _load_evaluate(name: str, folder: Path) -> Compute:
    """A metric of the evaluate library, which takes option indices as predictions and references."""
    import evaluate

    source = name.removeprefix(EVALUATE)
    local = folder / source
    try:
        metric = evaluate.load(str(local) if local.exists() else source)
    except Exception as error:  # whatever the library, the network or the metric's code raises
        raise BenchError(f"metric {name} cannot be loaded: {first_line(error)}") from error

    def compute(truth: Sequence[str], answers: Sequence[str | None]) -> Estimate:
        references = [LETTERS.index(letter) for letter in truth]
        predictions = [UNREAD if letter is None else LETTERS.index(letter) for letter in answers]
        result = cast("dict[str, Any]", metric.compute(predictions=predictions, references=references))
        numbers = [float(value) for value in result.values() if isinstance(value, Real)]
        if len(numbers) != 1:
            text = f"metric {name} gives {len(numbers)} numbers ({', '.join(result)}); it must give one"
            raise BenchError(text)
        return Estimate(value=numbers[0])

    return compute
