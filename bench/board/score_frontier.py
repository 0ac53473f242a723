"""Score across tasks against peak memory: where each model is in a drawing of 360 units. Pure."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bench.board.choice import Scored
from bench.board.frontier import Tick, efficient, round_numbers
from bench.wording import size

WIDTH, HEIGHT = 360, 330
LEFT, RIGHT, TOP, BOTTOM = 36, 14, 14, 46
LETTER, LINE = 7.8, 13
"""The width of a letter and the height of a line of a name, at 12.5 units."""


@dataclass(frozen=True, slots=True)
class ScorePoint:
    """A model in the drawing; `label` is where its name begins, None where it has no room."""

    scored: Scored
    name: str
    x: float
    y: float
    efficient: bool
    label: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class ScoreFrontier:
    """`path` joins the efficient points; `guessing` is the height of the score 0."""

    points: tuple[ScorePoint, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    path: str
    guessing: float


def score_frontier(models: Sequence[Scored], names: Sequence[str]) -> ScoreFrontier | None:
    """With a short name for each; None unless the memory of two models is known."""
    named = zip(models, names, strict=True)
    known = [(each, name, memory) for each, name in named if (memory := each.candidate.needs.memory)]
    if len(known) < 2:
        return None
    costs = [math.log10(memory) for _, _, memory in known]
    first, last = min(costs) - 0.08, max(costs) + 0.08
    low = min(0.0, *(each.score for each, _, _ in known)) - 0.03
    high = min(1.0, max(each.score for each, _, _ in known) + 0.06)

    def across(memory: float) -> float:
        share = (math.log10(memory) - first) / (last - first)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def up(score: float) -> float:
        return round(TOP + (high - score) / (high - low) * (HEIGHT - TOP - BOTTOM), 1)

    best = efficient([(memory, each.score) for each, _, memory in known])
    points = [
        ScorePoint(each, name, across(memory), up(each.score), is_best)
        for (each, name, memory), is_best in zip(known, best, strict=True)
    ]
    step = 0.2 if high - low > 0.5 else 0.1 if high - low > 0.2 else 0.05
    marks = [step * n for n in range(math.ceil(low / step), math.floor(high / step) + 1)]
    line = sorted((point for point in points if point.efficient), key=lambda point: (point.x, point.y))
    return ScoreFrontier(
        points=_labelled(points),
        across=tuple(Tick(across(value), size(round(value))) for value in _spread(first, last)),
        up=tuple(Tick(up(mark), f"{100 * mark:.0f}".replace("-", "\u2212")) for mark in marks),
        path=" ".join(f"{point.x},{point.y}" for point in line),
        guessing=up(0.0),
    )


def _spread(first: float, last: float) -> list[float]:
    """At most five round numbers between two powers of ten."""
    numbers = round_numbers(10**first, 10**last)
    return numbers[:: math.ceil(len(numbers) / 5)]


def _labelled(points: Sequence[ScorePoint]) -> tuple[ScorePoint, ...]:
    """The efficient points with their names where these cover nothing else."""
    taken = [(point.x - 6, point.y - 6, point.x + 6, point.y + 6) for point in points]
    labelled: list[ScorePoint] = []
    for point in points:
        boxes = _beside(point) if point.efficient else iter(())
        free = (box for box in boxes if not any(_overlaps(box, other) for other in taken))
        if (box := next(free, None)) is not None:
            taken.append(box)
        label = None if box is None else (round(box[0], 1), round(box[3] - 3, 1))
        labelled.append(replace(point, label=label))
    return tuple(labelled)


def _beside(point: ScorePoint) -> Iterator[tuple[float, float, float, float]]:
    """Boxes (left, top, right, bottom) for its name that are in the drawing, the nearest first."""
    wide = LETTER * len(point.name)
    for up in (0, -12, 12, -24, 24):
        for left in (point.x + 8, point.x - 8 - wide, point.x - wide / 2):
            box = left, point.y - LINE / 2 + up, left + wide, point.y + LINE / 2 + up
            if left >= LEFT and left + wide <= WIDTH - 2 and box[1] >= 0 and box[3] <= HEIGHT - BOTTOM:
                yield box


def _overlaps(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    return min(first[2], second[2]) > max(first[0], second[0]) and min(first[3], second[3]) > max(
        first[1], second[1]
    )
