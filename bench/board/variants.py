"""A task's rows by model: the best variant first, the others with their difference to it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.board.board import Row, TaskBoard
from bench.board.plain import plain_words
from bench.board.standing import right_by
from bench.stats.clusters import shared_clusters
from bench.stats.paired import Paired, paired
from bench.types import ViewName
from bench.wording import points


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A row of a model. `words` are how it was run, in plain words; `place` is that in the table, from 0.

    `differences` are to the model's first row, on the same questions, by view; empty for the first row.
    """

    row: Row
    words: str
    place: int
    differences: Mapping[ViewName, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelRows:
    """The rows of one model, the best by the task's own view first."""

    rows: tuple[ShownRow, ...]


def rows_by_model(table: TaskBoard) -> list[ModelRows]:
    """The table's rows in the order of each model's best."""
    groups: dict[str, list[tuple[int, Row]]] = {}
    for place, row in enumerate(table.rows):
        groups.setdefault(row.result.cell.model.name, []).append((place, row))
    views = list(table.by_view) or [table.task.view]
    return [ModelRows(tuple(_shown_rows(rows, views))) for rows in groups.values()]


def rows_apart(table: TaskBoard) -> list[ModelRows]:
    """The rows that are not comparable, each on its own."""
    return [ModelRows((ShownRow(row, _words(row), place),)) for place, row in enumerate(table.apart)]


def _shown_rows(rows: Sequence[tuple[int, Row]], views: Sequence[ViewName]) -> list[ShownRow]:
    (place, first), *others = rows
    return [
        ShownRow(first, _words(first), place),
        *(
            ShownRow(row, _words(row), place, {view: _difference(view, first, row) for view in views})
            for place, row in others
        ),
    ]


def _words(row: Row) -> str:
    return ", ".join(plain_words(row.result.cell.variant))


def _difference(view: ViewName, first: Row, row: Row) -> str:
    """ "−1.2 points (−3.0 to +0.5)", "" where a row cannot be read by that view."""
    right = right_by(view, first.result, first.answers), right_by(view, row.result, row.answers)
    if right[0] is None or right[1] is None:
        return ""
    clusters = shared_clusters([first.answers.clusters, row.answers.clusters])
    return difference_words(paired(right[0], right[1], clusters=clusters))


def difference_words(pair: Paired) -> str:
    """The difference in points with its 95 % interval."""
    low, high = points(pair.interval.low), points(pair.interval.high)
    return f"{points(pair.difference)} points ({low} to {high})"
