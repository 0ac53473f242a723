"""Accuracy against cost: which models no other beats on both, and where each is in a drawing. Pure."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from bench.board.board import Row, TaskBoard
from bench.board.standing import memory
from bench.results.result import DoneResult
from bench.wording import count, latency, percent, size

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 14, 44
LABELLED = 20
"""With more points than these, only the efficient ones are labelled."""
DIGIT, HIGH = 7.5, 10
"""The width and height of a digit in a label."""
MARGIN = 0.04
"""The share of the axis that is left free on either side of the points."""


@dataclass(frozen=True, slots=True)
class Point:
    """A row in the drawing, in its units; `number` is in the caption and, at `label`, beside the point."""

    row: Row
    number: int
    x: float
    y: float
    low: float
    high: float
    cost: str
    efficient: bool
    label: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Frontier:
    """`path` joins the efficient points; `chance` is the height of the accuracy of guessing.

    `machine` is what the drawn rows ran on, where others ran elsewhere.
    """

    title: str
    axis: str
    points: tuple[Point, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    path: str
    chance: float
    machine: str = ""

    @property
    def efficient(self) -> tuple[Point, ...]:
        return tuple(point for point in self.points if point.efficient)


def frontiers(table: TaskBoard) -> list[Frontier]:
    """A drawing for each cost that two models or more have; baselines are left out.

    Costs that depend on the machine are drawn of the rows on one: where there are several, the one with most.
    """
    models = [row for row in table.rows if not row.result.cell.model.is_baseline]
    costs: tuple[tuple[str, str, Callable[[DoneResult], float | None], Callable[[float], str]], ...] = (
        ("memory", "peak memory", memory, lambda v: size(int(v))),
        ("time", "seconds per batched question", _seconds, latency),
        ("latency", "seconds per single question", lambda r: r.cost.alone and r.cost.alone.p50, latency),
        ("size", "parameters", lambda r: r.cell.model.parameters, lambda v: count(int(v))),
    )
    drawings: list[Frontier] = []
    ran_on = Counter(row.result.provenance.machine for row in models)
    machine = "" if table.machine or not ran_on else ran_on.most_common(1)[0][0]
    for name, axis, cost, text in costs:
        one = "" if name == "size" else machine
        drawn = [row for row in models if not one or row.result.provenance.machine == one]
        known = [(row, value) for row in drawn if (value := cost(row.result))]
        if len({value for _, value in known}) > 1:
            drawing = _frontier(f"Accuracy against {name}", axis, known, table.chance, text)
            drawings.append(replace(drawing, machine=one))
    return drawings


def _seconds(result: DoneResult) -> float | None:
    return 1 / result.cost.items_per_second if result.cost.items_per_second else None


def _frontier(
    title: str,
    axis: str,
    known: Sequence[tuple[Row, float]],
    chance: float,
    text: Callable[[float], str],
) -> Frontier:
    across, up, (first, last, bottom, top) = _axes(known, chance)
    best = efficient([(value, row.result.metrics.accuracy.value) for row, value in known])
    points = [
        Point(
            row=row,
            number=number,
            x=across(value),
            y=up(row.result.metrics.accuracy.value),
            low=up(row.result.metrics.accuracy.low),
            high=up(row.result.metrics.accuracy.high),
            cost=text(value),
            efficient=is_best,
        )
        for number, ((row, value), is_best) in enumerate(zip(known, best, strict=True), start=1)
    ]
    line = sorted((point for point in points if point.efficient), key=lambda point: point.x)
    return Frontier(
        title=title,
        axis=axis,
        points=_labelled(points),
        across=tuple(Tick(across(value), text(value)) for value in round_numbers(first, last)),
        up=tuple(Tick(up(share), percent(share, 0)) for share in _shares(bottom, top)),
        path=" ".join(f"{point.x},{point.y}" for point in line),
        chance=up(chance),
    )


Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


def _labelled(points: Sequence[Point]) -> tuple[Point, ...]:
    """The points with places for their numbers: beside each, where they overlap least."""
    shown = [point for point in points if point.efficient or len(points) <= LABELLED]
    taken: list[Box] = [(p.x - 7, p.y - 7, p.x + 7, p.y + 7) for p in points]
    taken += [(p.x - 1, p.high, p.x + 1, p.low) for p in points]
    places: dict[int, tuple[float, float]] = {}
    for point in sorted(shown, key=lambda point: not point.efficient):
        box = min(_beside(point), key=lambda box: sum(_overlap(box, other) for other in taken))
        taken.append(box)
        places[point.number] = round(box[0], 1), round(box[3], 1)
    return tuple(replace(point, label=places.get(point.number)) for point in points)


def _beside(point: Point) -> Iterator[Box]:
    """Boxes for a point's number that are in the drawing, the nearest first."""
    wide = DIGIT * len(str(point.number))
    for away in (8, 16, 28, 40):
        for down in (0, -10, 10, -20, 20, -32, 32):
            for left in (point.x + away, point.x - away - wide):
                top = point.y - HIGH / 2 + down
                if left >= LEFT and left + wide <= WIDTH and top >= 0 and top + HIGH <= HEIGHT - BOTTOM:
                    yield left, top, left + wide, top + HIGH


def _overlap(first: Box, second: Box) -> float:
    """The area that two boxes share."""
    wide = min(first[2], second[2]) - max(first[0], second[0])
    high = min(first[3], second[3]) - max(first[1], second[1])
    return max(0.0, wide) * max(0.0, high)


Axis = Callable[[float], float]


def _axes(
    known: Sequence[tuple[Row, float]], chance: float
) -> tuple[Axis, Axis, tuple[float, float, float, float]]:
    """Functions from a cost and an accuracy to the drawing's units, and the ends of both axes."""
    costs = [math.log10(value) for _, value in known]
    first, last = min(costs), max(costs)
    first, last = (first - 0.15, last + 0.15) if last - first < 0.3 else (first, last)
    highs = [row.result.metrics.accuracy.high for row, _ in known]
    lows = [row.result.metrics.accuracy.low for row, _ in known]
    bottom, top = max(0.0, min([*lows, chance]) - MARGIN), min(1.0, max([*highs, chance]) + MARGIN)

    def across(cost: float) -> float:
        share = (math.log10(cost) - first) / (last - first)
        return round(LEFT + (MARGIN + share * (1 - 2 * MARGIN)) * (WIDTH - LEFT - RIGHT), 1)

    def up(accuracy: float) -> float:
        return round(TOP + (top - accuracy) / (top - bottom) * (HEIGHT - TOP - BOTTOM), 1)

    return across, up, (10**first, 10**last, bottom, top)


def efficient(known: Sequence[tuple[float, float]]) -> list[bool]:
    """For each (cost, accuracy): whether no other is better in one of both and as good in the other."""
    return [
        not any(
            other_cost <= cost and other >= value and (other_cost, other) != (cost, value)
            for other_cost, other in known
        )
        for cost, value in known
    ]


def round_numbers(low: float, high: float) -> list[float]:
    """Round numbers in the range, at most about eight: even steps where it is narrow, else 1, 2, 5, 10 …"""
    if high < 5 * low:
        power = 10.0 ** math.floor(math.log10(high - low))
        step = power * next(part for part in (0.1, 0.2, 0.5, 1, 2) if (high - low) / (part * power) <= 6)
        return [step * n for n in range(math.ceil(low / step), math.floor(high / step) + 1)]
    numbers: list[float] = []
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        numbers = [
            step * 10.0**power for power in powers for step in steps if low <= step * 10.0**power <= high
        ]
        if len(numbers) <= 8:
            return numbers
    return numbers


def _shares(low: float, high: float) -> list[float]:
    step = next(step for step in (0.05, 0.1, 0.2) if (high - low) / step <= 8)
    first = math.ceil(low / step)
    return [round(step * n, 2) for n in range(first, math.floor(high / step) + 1)]
