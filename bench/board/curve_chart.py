"""A drawing of curves in a square, on axes of shares. Pure.

Places are in the units of a drawing of WIDTH by HEIGHT, from its upper left corner.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.board.row_chart import Numbers, Tick
from bench.wording import percent

WIDTH, HEIGHT = 360, 282
LEFT, RIGHT, TOP, BOTTOM = 44, 342, 26, 202
"""The ends of the square with the curves."""
STRIP = 34
"""The height below it of the bars that count answers."""
Points = Sequence[tuple[float, float]]
LineKind = Literal["chance", "curve", "rescaled"]


@dataclass(frozen=True, slots=True)
class Line:
    """`path` is an SVG path; `ends` are marked by circles, so that a short line is seen."""

    kind: LineKind
    path: str
    ends: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Interval:
    """An upright line between two heights."""

    x: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class CurveChart:
    """`title` begins its caption, `whole_title` says of which run it is too."""

    name: str
    title: str
    whole_title: str
    caption: str
    x: str
    y: str
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    lines: tuple[Line, ...]
    numbers: Numbers
    intervals: tuple[Interval, ...] = ()
    bars: tuple[Bar, ...] = ()

    @property
    def foot(self) -> int:
        """Where the grid ends, above the ticks."""
        return BOTTOM + (STRIP if self.bars else 0)

    @property
    def height(self) -> int:
        return self.foot + HEIGHT - BOTTOM - STRIP


@dataclass(frozen=True, slots=True)
class Axis:
    """Round ends, and the round step between its ticks."""

    low: float
    high: float
    step: float

    def places(self, start: float, end: float) -> Callable[[float], float]:
        """From a share to its place, where the axis is drawn from `start` to `end`."""
        return lambda value: round(start + (end - start) * (value - self.low) / (self.high - self.low), 2)

    def ticks(self, place: Callable[[float], float]) -> tuple[Tick, ...]:
        return tuple(Tick(place(value), self.text(value)) for value in self.marks)

    @property
    def marks(self) -> list[float]:
        count = round((self.high - self.low) / self.step)
        return [round(self.low + self.step * at, 10) for at in range(count + 1)]

    def text(self, value: float, parts: int = 1) -> str:
        """A share with as many digits as places have that are a step, or such a part of it, apart."""
        return percent(value, max(0, -math.floor(math.log10(self.step / parts) + 1e-9) - 2))


def axis_of(values: Sequence[float], least: float) -> Axis:
    """An axis that shows these shares, and a part of [0, 1] at least so wide."""
    low, high = min(values), max(values)
    lacking = max(0.0, least - (high - low)) / 2
    low, high = max(0.0, low - lacking), min(1.0, high + lacking)
    power = 10.0 ** math.floor(math.log10((high - low) / 5))
    step = next(size * power for size in (1, 2, 5, 10) if (high - low) / (size * power) <= 5 + 1e-9)
    ends = step * math.floor(low / step + 1e-9), step * math.ceil(high / step - 1e-9)
    return Axis(round(max(0.0, ends[0]), 10), round(min(1.0, ends[1]), 10), step)


def path_of(points: Points, x: Callable[[float], float], y: Callable[[float], float]) -> str:
    return "M" + "L".join(f"{x(across)} {y(up)}" for across, up in points)
