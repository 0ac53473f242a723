"""The drawings of when a run is right: how sure it is against how often it is right, and coverage. Pure."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.board.curve_chart import (
    BOTTOM,
    LEFT,
    RIGHT,
    STRIP,
    TOP,
    Axis,
    Bar,
    CurveChart,
    Interval,
    Line,
    Points,
    axis_of,
    path_of,
)
from bench.board.plain import drawing_names
from bench.board.row_chart import Numbers
from bench.board.when_right import when_right
from bench.results.answers import Answered
from bench.stats.confidence import Confidence, Floats, calibrated_confidence, risks
from bench.stats.intervals import wilson
from bench.wording import counted, percent

POINTS = 100
"""Points of a drawn curve at most."""
OUTERMOST = 0.01
"""The share of the answers at either end of the confidences that a line leaves out: there, a few answers
would take it to 0 or to 100 %."""


def confidence_charts(run: Answered) -> tuple[CurveChart, ...]:
    """Reliability, and accuracy against coverage; none where `when_right` has no numbers."""
    known = when_right(run)
    if known is None:
        return ()
    of, name = drawing_names(run.result.cell)
    return reliability(known.numbers, of, name), coverage(known.numbers, of, name)


@dataclass(frozen=True, slots=True)
class Group:
    """Answers of a range of confidence: `right` of `answers`, whose mean confidence is `mean`."""

    low: float
    high: float
    answers: int
    right: int
    mean: float

    @property
    def share(self) -> float:
        return self.right / self.answers


def groups_of(confidence: Floats, numbers: Confidence, axis: Axis) -> list[Group]:
    """The answers by confidence, in ranges of half a step of the axis; those without answers are left out."""
    ends = np.linspace(axis.low, axis.high, 2 * (len(axis.marks) - 1) + 1)
    place = np.clip(np.searchsorted(ends, confidence, side="right") - 1, 0, len(ends) - 2)
    return [
        Group(
            low=float(ends[at]),
            high=float(ends[at + 1]),
            answers=int((place == at).sum()),
            right=int(numbers.right[place == at].sum()),
            mean=float(confidence[place == at].mean()),
        )
        for at in np.unique(place).tolist()
    ]


def reliability(numbers: Confidence, of: str, name: str) -> CurveChart:
    """How sure the model is, as it is and rescaled, and how often it is right."""
    own, fitted = _calibrated(numbers.confidence, numbers), _calibrated(numbers.fitted, numbers)
    across = axis_of([*numbers.confidence.tolist(), *numbers.fitted.tolist()], 0.01)
    groups = groups_of(numbers.confidence, numbers, across)
    ends = [_ends(group) for group in groups] if numbers.clusters is None else []
    shares = [y for _, y in (*own, *fitted)] + [value for pair in ends for value in pair]
    up = axis_of([*shares, across.low, across.high], 0.1)
    x, y = across.places(LEFT, RIGHT), up.places(BOTTOM, TOP)
    most = max(group.answers for group in groups)
    diagonal = [(value, value) for value in (across.low, across.high)]
    title = "Reliability: how sure the model is, and how often it is right"
    return CurveChart(
        name=f"reliability-{name}",
        title=title,
        whole_title=f"{title} – {of}",
        caption=_reliability_caption(most, has_intervals=bool(ends)),
        x="confidence, and below it the number of answers",
        y="share that is right",
        across=across.ticks(x),
        up=up.ticks(y),
        lines=(
            Line("chance", path_of(diagonal, x, y)),
            Line("rescaled", path_of(fitted, x, y), tuple((x(a), y(b)) for a, b in (fitted[0], fitted[-1]))),
            Line("curve", path_of(own, x, y)),
        ),
        numbers=_reliability_numbers(numbers, groups, across),
        intervals=tuple(
            Interval(x(group.mean), y(low), y(high)) for group, (low, high) in zip(groups, ends, strict=False)
        ),
        bars=tuple(_bar(group, most, x) for group in groups),
    )


def _calibrated(confidence: Floats, numbers: Confidence) -> list[tuple[float, float]]:
    """Confidences with how often answers of such a confidence are right."""
    order = np.argsort(confidence, kind="stable")
    across, up = confidence[order], calibrated_confidence(confidence, numbers.right)[order]
    kept = slice(int(OUTERMOST * len(order)), len(order) - int(OUTERMOST * len(order)))
    across, up = across[kept], up[kept]
    is_step = up[1:] != up[:-1]
    corners = np.flatnonzero(np.append(True, is_step) | np.append(is_step, True))
    return _thinned([(float(across[at]), float(up[at])) for at in corners])


def _ends(group: Group) -> tuple[float, float]:
    interval = wilson(group.right, group.answers)
    return interval.low, interval.high


def _bar(group: Group, most: int, x: Callable[[float], float]) -> Bar:
    """A bar that is seen even where there is one answer."""
    left, right = x(group.low), x(group.high)
    height = max(1.0, (STRIP - 6) * group.answers / most)
    y = round(BOTTOM + STRIP - height, 2)
    return Bar(round(left + 0.5, 2), y, round(right - left - 1, 2), round(height, 2))


def _reliability_caption(most: int, *, has_intervals: bool) -> str:
    uprights = " Upright lines: 95\u202f% intervals of ranges of confidence." if has_intervals else ""
    return (
        "Solid: its confidence as it is. Dash-dotted between circles: after rescaling. Both leave out "
        "1\u202f% of the answers at either end. Dotted: where it would be as sure as it is right."
        f"{uprights} Bars: how many answers have that confidence as it is, at most {most:,}."
    )


def _reliability_numbers(numbers: Confidence, groups: list[Group], across: Axis) -> Numbers:
    rescaled = axis_of(numbers.fitted.tolist(), 0.01)
    parts = (
        ("as it is", groups, across),
        ("rescaled", groups_of(numbers.fitted, numbers, rescaled), rescaled),
    )
    words = "; ".join(
        f"{percent(group.share)} of {counted(group.answers, 'answer')} at {across.text(group.mean, 2)}"
        for group in groups
    )
    low, high = (rescaled.text(float(value)) for value in (numbers.fitted.min(), numbers.fitted.max()))
    head = "Confidence", "From", "To", "Answers", "Right"
    rows = [
        (
            *(scale, axis.text(group.low, 2), axis.text(group.high, 2)),
            *(f"{group.answers:,}", percent(group.share), *_interval(group, numbers)),
        )
        for scale, some, axis in parts
        for group in some
    ]
    return Numbers(
        f"Right by confidence: {words}. After rescaling its confidences are {low} to {high}.",
        head if numbers.clusters is not None else (*head, "95\u202f% interval"),
        tuple(rows),
    )


def _interval(group: Group, numbers: Confidence) -> tuple[str, ...]:
    if numbers.clusters is not None:
        return ()
    low, high = _ends(group)
    return (f"{percent(low)} to {percent(high)}",)


def coverage(numbers: Confidence, of: str, name: str) -> CurveChart:
    """Accuracy of the answers that it is surest of, by the share of the questions that it answers."""
    shares: list[float] = (1 - risks(numbers.confidence, numbers.right)).tolist()
    count = numbers.questions
    values = [((at + 1) / count, share) for at, share in enumerate(shares)]
    points = _thinned(values[count // POINTS :])  # the first few answers alone say nothing
    across, up = Axis(0.0, 1.0, 0.2), axis_of([share for _, share in points], 0.1)
    x, y = across.places(LEFT, RIGHT), up.places(BOTTOM, TOP)
    tenths = [(at / 10, shares[math.ceil(count * at / 10) - 1]) for at in range(1, 11)]
    title = "Coverage: accuracy when it answers only the questions that it is surest of"
    words = "; ".join(f"{percent(share)} at {percent(part, 0)}" for part, share in tenths)
    return CurveChart(
        name=f"coverage-{name}",
        title=title,
        whole_title=f"{title} – {of}",
        caption="Solid: the answers that it is surest of. Dotted: all questions. Risk is 1 − accuracy.",
        x="share of the questions that it answers",
        y="accuracy",
        across=across.ticks(x),
        up=up.ticks(y),
        lines=(
            Line("chance", path_of([(0.0, numbers.accuracy), (1.0, numbers.accuracy)], x, y)),
            Line("curve", path_of(points, x, y)),
        ),
        numbers=Numbers(
            f"Accuracy by the share of the questions that it answers: {words}.",
            ("Answered", "Accuracy", "Risk"),
            tuple((percent(part, 0), percent(share), percent(1 - share)) for part, share in tenths),
        ),
    )


def _thinned(points: Points) -> list[tuple[float, float]]:
    """At most POINTS of the points, with the first and the last."""
    kept = np.linspace(0, len(points) - 1, min(POINTS, len(points))).astype(np.int64)
    return [points[at] for at in np.unique(kept).tolist()]
