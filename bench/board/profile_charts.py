"""The drawings of a model's profile: its tasks, its groups of questions and its letters. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.board.board import Row, TaskBoard
from bench.board.candidates import Candidate
from bench.board.row_chart import ChartRow, Mark, RowChart, Tick, places, shares_axis, steps
from bench.wording import counted, percent

FEW = 20
"""A subject with fewer questions is drawn in grey."""


@dataclass(frozen=True, slots=True)
class Levels:
    """What the models of a task's table reach, each by its best run; baselines are left out.

    `groups` has the median by group of questions. All are shares in [0, 1].
    """

    best: float
    median: float
    groups: Mapping[str, float]


NO_LEVELS = Levels(0.0, 0.0, {})
"""Of a task without a comparable run."""


def strip_chart(lead: Candidate, tables: Sequence[TaskBoard], levels_of: Mapping[str, Levels]) -> RowChart:
    """Its accuracy on each task, with the board's best and median."""
    tables = [table for table in tables if table.task.name in lead.rows]
    own = [lead.rows[table.task.name].result.metrics.accuracy for table in tables]
    levels = [levels_of[table.task.name] for table in tables]
    low, high = shares_axis([rate.high for rate in own] + [level.best for level in levels])
    place = places(low, high)
    rows = tuple(
        ChartRow(
            name=table.task.title,
            text=percent(rate.value),
            at=place(rate.value),
            low=place(rate.low),
            high=place(rate.high),
            marks=(
                Mark(place(table.chance), "chance"),
                Mark(place(level.median), "median"),
                Mark(place(level.best), "best"),
            ),
            strong=True,
        )
        for table, rate, level in zip(tables, own, levels, strict=True)
    )
    model = lead.first.cell.model
    title = f"{model.title} on each task, with the board's best and median"
    return RowChart(f"tasks-{model.name}", title, "accuracy", rows, axis_ticks(low, high))


def subjects_chart(row: Row, levels: Levels) -> RowChart | None:
    """Its accuracy by group of questions, sorted by the difference to the board's median.

    None where the task has no groups.
    """
    groups = {name: group.accuracy for name, group in row.result.metrics.groups.items()}
    if not groups:
        return None
    order = sorted(groups, key=lambda name: (levels.groups.get(name, 0.0) - groups[name].value, name))
    low, high = shares_axis([rate.high for rate in groups.values()] + list(levels.groups.values()))
    place = places(low, high)
    rows = tuple(
        ChartRow(
            name=f"{name} ({counted(groups[name].total, 'question')})",
            text=percent(groups[name].value),
            at=place(groups[name].value),
            low=place(groups[name].low),
            high=place(groups[name].high),
            marks=(Mark(place(levels.groups[name]), "median"),) if name in levels.groups else (),
            strong=groups[name].total >= FEW,
            soft=groups[name].total < FEW,
        )
        for name in order
    )
    cell = row.result.cell
    title = f"{cell.model.title} by group of {cell.task.title}, with the board's median"
    return RowChart(
        f"groups-{cell.model.name}-{cell.task.name}", title, "accuracy", rows, axis_ticks(low, high)
    )


def letters_chart(row: Row) -> RowChart:
    """How often it chose each letter, as bars, and how often each is right, as ticks."""
    metrics, cell = row.result.metrics, row.result.cell
    total = metrics.accuracy.total
    letters = sorted({*metrics.truth, *metrics.chosen})
    chosen = {letter: metrics.chosen.get(letter, 0) / total for letter in letters}
    truth = {letter: metrics.truth.get(letter, 0) / total for letter in letters}
    low, high = shares_axis([*chosen.values(), *truth.values()])
    place = places(low, high)
    rows = tuple(
        ChartRow(
            name=f"{letter}, right in {percent(truth[letter])}",
            text=percent(chosen[letter]),
            at=place(chosen[letter]),
            bar_from=place(0.0),
            marks=(Mark(place(truth[letter]), "truth"),),
        )
        for letter in letters
    )
    title = f"Letters that {cell.model.title} chose on {cell.task.title}, and how often each is right"
    name = f"letters-{cell.model.name}-{cell.task.name}"
    return RowChart(name, title, "share of the questions", rows, axis_ticks(low, high))


def axis_ticks(low: float, high: float) -> tuple[Tick, ...]:
    """The ticks of an axis of shares."""
    place = places(low, high)
    return tuple(Tick(place(value), percent(value, 0)) for value in steps(low, high))
