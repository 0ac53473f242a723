"""Models by subject: the accuracy of each model in each group of a task's questions. Pure."""

from dataclasses import dataclass

from bench.board.board import Row, TaskBoard
from bench.board.facts import names_of
from bench.board.shades import shade
from bench.scoring.metrics import Rate
from bench.stats.ranking import chance_corrected
from bench.wording import percent

FEW = 20
"""An accuracy over fewer questions than these is shown in grey: its interval is as wide as the scale."""
MOST_MODELS = 60
"""Rows of the heat map; further models have their subjects on their own pages."""


@dataclass(frozen=True, slots=True)
class SubjectCell:
    """`shade` is "l0" (guessing) to "l4" (nearly all right), "few" or "none"; `title` has the interval."""

    text: str
    shade: str
    title: str


@dataclass(frozen=True, slots=True)
class SubjectRow:
    """A model's best row, and a cell for each subject."""

    row: Row
    name: str
    cells: tuple[SubjectCell, ...]


@dataclass(frozen=True, slots=True)
class Subjects:
    """`heads` are the subjects, each with its number of questions; `left_out` counts models without a row."""

    heads: tuple[tuple[str, int], ...]
    rows: tuple[SubjectRow, ...]
    left_out: int


def subjects(table: TaskBoard) -> Subjects | None:
    """The first row of each model, in the table's order; None where the task has fewer than two groups."""
    totals: dict[str, int] = {}
    first: dict[str, Row] = {}
    for row in table.rows:
        first.setdefault(row.result.cell.model.name, row)
        totals |= {name: group.accuracy.total for name, group in row.result.metrics.groups.items()}
    if len(totals) < 2:
        return None
    heads = tuple(sorted(totals.items()))
    shown = list(first.values())[:MOST_MODELS]
    names = names_of([row.result.cell for row in shown])
    rows = tuple(
        SubjectRow(row, name, tuple(_cell(row, subject, table.chance) for subject, _ in heads))
        for row, name in zip(shown, names, strict=True)
    )
    return Subjects(heads, rows, len(first) - len(shown))


def _cell(row: Row, subject: str, chance: float) -> SubjectCell:
    group = row.result.metrics.groups.get(subject)
    if group is None:
        return SubjectCell("", "none", "not asked")
    rate = group.accuracy
    return SubjectCell(f"{100 * rate.value:.0f}", _shade(rate, chance), _title(rate))


def _shade(rate: Rate, chance: float) -> str:
    return "few" if rate.total < FEW else shade(chance_corrected(rate.value, chance))


def _title(rate: Rate) -> str:
    interval = f"{percent(rate.value)}, 95 % interval {percent(rate.low)} – {percent(rate.high)}"
    return f"{interval}: {rate.correct:,} of {rate.total:,} right"
