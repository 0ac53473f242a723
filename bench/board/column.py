"""One column of a board's tables, and what it is made from."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from bench.board.standing import Standing
from bench.results.result import DoneResult
from bench.wording import DASH, or_dash, percent

Value = str | int | float | None
TableKind = Literal["export", "terminal", "sweep", "paper", "page", "variants", "filters"]
"""A table: `export` is CSV and JSON, `terminal` what `bench leaderboard show` prints, `sweep` the one at the
end of a sweep and that of partial runs, `paper` Markdown and LaTeX, `page` the site's table of a task,
`variants` that of a model. `filters` are what rows of the site's table can be chosen by.
"""


class Measured(Protocol):
    """What columns are made from: a finished run, and its rank where it has one."""

    @property
    def result(self) -> DoneResult: ...
    @property
    def standing(self) -> Standing | None: ...


@dataclass(frozen=True, slots=True)
class Unranked:
    """A finished run that stands on no board."""

    result: DoneResult
    standing: None = None


@dataclass(frozen=True, slots=True)
class Column:
    """`name` is the column's key in CSV and JSON, `title` its head.

    `value` is for programs and for sorting: shares in [0, 1], sizes in bytes, None where unknown. `text` is
    for people; left out, it is the value. `short_title` and `short_text` are the terminal's, where they
    differ. In the page's addresses the column is called `sort_key`, or its name; pressing its head sorts
    with the highest first if `highest_first`. An `optional` column is left out where no row has a value.
    The page shows an `extra` column where the reader chooses it.
    """

    name: str
    title: str
    value: Callable[[Measured], Value]
    text: Callable[[Measured], str] | None = None
    number: bool = False
    short_title: str = ""
    short_text: Callable[[Measured], str] | None = None
    sortable: bool = True
    sort_key: str = ""
    highest_first: bool = False
    optional: bool = False
    extra: bool = False

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.name):
            raise ValueError(f"a column's name has lowercase letters, digits and _, not '{self.name}'")

    @property
    def terminal_title(self) -> str:
        return self.short_title or self.title.lower()

    @property
    def key(self) -> str:
        """What an address of the page says to sort by it, "" where that is not possible."""
        return (self.sort_key or self.name) if self.sortable else ""

    def format(self, row: Measured) -> str:
        return self.text(row) if self.text else or_dash(rounded(self.value(row)))

    def format_short(self, row: Measured) -> str:
        return self.short_text(row) if self.short_text else self.format(row)


def share_column(
    name: str, title: str, short_title: str, value: Callable[[Measured], Value], digits: int = 1
) -> Column:
    """A share that the page shows where the reader chooses it, and that is left out where no row has it."""

    def text(row: Measured) -> str:
        share = value(row)
        return percent(share, digits) if isinstance(share, (int, float)) else DASH

    return Column(name, title, value, text, number=True, short_title=short_title, optional=True, extra=True)


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of one package, and the tables at whose end they stand."""

    columns: tuple[Column, ...]
    tables: tuple[TableKind, ...] = ("export", "terminal", "page")


def rounded(value: Value) -> Value:
    """Four decimals, and whole numbers as such: the same digits in every program."""
    if not isinstance(value, float):
        return value
    return int(value) if value.is_integer() else round(value, 4)
