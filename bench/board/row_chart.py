"""A drawing of named rows on one axis: a mark, an interval or a bar in each. Pure.

Places across are in percent of the drawing's width, so that it can be drawn at any width with text of one
size. `static/compare.js` draws the same.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

START, END = 2.0, 80.0
"""The part of the width that the axis takes, in percent; the numbers stand to its right."""
ROW = 34
"""The height of a row, in pixels: the name above, the mark below."""
FOOT = 40
"""The height below the rows, in pixels, for the axis and its name."""
LONGEST = 44
"""Characters of a name that are shown; of a longer one, its `FIRST` and its last."""
FIRST = 11

MarkKind = Literal["best", "median", "chance", "truth"]
GuideKind = Literal["zero"]


@dataclass(frozen=True, slots=True)
class Mark:
    """A tick that the row's value is seen beside."""

    at: float
    kind: MarkKind


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on the axis, and its text."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Guide:
    """A line through all rows."""

    at: float
    kind: GuideKind


@dataclass(frozen=True, slots=True)
class ChartRow:
    """`low` and `high` are the ends of its interval, `text` its number in words.

    `bar_from` is where a bar to `at` begins, None where a point is drawn. A `strong` point is filled; a
    `soft` row is drawn in grey.
    """

    name: str
    text: str
    at: float
    low: float | None = None
    high: float | None = None
    bar_from: float | None = None
    marks: tuple[Mark, ...] = ()
    strong: bool = False
    soft: bool = False

    @property
    def label(self) -> str:
        """The name as it is drawn."""
        if len(self.name) <= LONGEST:
            return self.name
        return f"{self.name[:FIRST]}…{self.name[FIRST + 1 - LONGEST :]}"


@dataclass(frozen=True, slots=True)
class RowChart:
    """`name` is that of its files; `axis` says what is drawn across."""

    name: str
    title: str
    axis: str
    rows: tuple[ChartRow, ...]
    ticks: tuple[Tick, ...]
    guides: tuple[Guide, ...] = ()

    @property
    def height(self) -> int:
        return ROW * len(self.rows) + FOOT


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a drawing shows, for readers who do not see it: in one sentence, and as a table."""

    words: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def places(low: float, high: float) -> Callable[[float], float]:
    """From a value to its place across, where the axis shows `low` to `high`, which differ."""

    def place(value: float) -> float:
        return round(START + (END - START) * (value - low) / (high - low), 2)

    return place


def steps(low: float, high: float) -> list[float]:
    """At most six round numbers in the range, which is wider than 0: 1, 2 or 5 times a power of ten apart."""
    power = 10.0 ** math.floor(math.log10((high - low) / 6))
    step = next(size * power for size in (1, 2, 5, 10, 20) if (high - low) / (size * power) < 6)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(step * number, 10) for number in range(first, last + 1)]


def shares_axis(values: Sequence[float]) -> tuple[float, float]:
    """The ends of an axis from 0 that shows all of these shares: a multiple of 20 %, at most 100 %."""
    return 0.0, max(0.2, min(1.0, 0.2 * math.ceil(5 * max(values, default=1.0) - 1e-9)))
