"""Runs -> the board: which rows are compared, in which order, and which runs are not comparable. Pure."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.board.changes import Change, changes
from bench.board.comparable import format_of, in_format_words, main_cell, why_apart
from bench.board.descent import LEAK, described, leak
from bench.board.sensitivity import Sensitivity, Wordings, sensitivity
from bench.board.standing import Standing, preference_note, standings
from bench.board.tags import machine_of, tags_of
from bench.inputs.model_card import ModelCard
from bench.results.answers import Answered, Answers, AnyRun, Unanswered
from bench.results.result import DoneResult, TaskFacts, Unsuccessful
from bench.types import ViewName

ONE_LETTER = 0.9
"""From this share of equal answers on, the board warns that a model nearly always gives one letter."""


@dataclass(frozen=True, slots=True)
class Row:
    """A finished run.

    `apart` is why it is not comparable with the table, "" where it is; `tags` tell it from similar rows.
    """

    run: Answered
    apart: str
    tags: tuple[str, ...] = ()
    standing: Standing | None = None
    """None where the row is not comparable."""
    wording: Wordings | None = None
    """The model in several formats of the prompt; None where it ran in one."""

    @property
    def result(self) -> DoneResult:
        return self.run.result

    @property
    def answers(self) -> Answers:
        return self.run.answers

    @property
    def measured(self) -> tuple[DoneResult, ...]:
        """The run, and those of the same cell on other machines: each has costs of its own."""
        return self.run.result, *self.run.elsewhere

    @property
    def leak(self) -> str:
        """How the model had practice for the task that others had not, in words; "" where none is known."""
        return leak(self.result.cell)

    @property
    def dominant_letter(self) -> tuple[str, float] | None:
        """The letter that nearly all answers are, with its share; None where there is none."""
        chosen = self.result.metrics.chosen
        if not chosen or self.result.cell.model.is_baseline:
            return None
        letter = max(sorted(chosen), key=lambda name: chosen[name])
        share = chosen[letter] / self.result.metrics.accuracy.total
        return (letter, share) if share >= ONE_LETTER else None

    @property
    def parse_rate(self) -> float:
        """The share of written replies in which an answer could be read."""
        metrics = self.result.metrics
        return metrics.statuses.get("parsed", 0) / metrics.accuracy.total


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed run; `folder` is relative to the results folder."""

    result: Unsuccessful
    folder: Path


@dataclass(frozen=True, slots=True)
class TaskBoard:
    """One task's table.

    `chance` is the accuracy of guessing, `option_counts` how many options its questions have ("4 or 5"),
    `machine` what all rows ran on, "" where that is not one machine: then each row has it as a tag.
    """

    task: TaskFacts
    items: int
    data_source: str
    data_sha256: str
    chance: float
    option_counts: str
    machine: str
    rows: tuple[Row, ...]
    apart: tuple[Row, ...]
    failures: tuple[Failure, ...]
    unmeasured: tuple[ModelCard, ...]
    headline: str = ""
    """The table's result in a sentence."""
    detectable: float = 1.0
    """The smallest difference of two rows that so many questions show with 80 % power."""
    by_view: Mapping[ViewName, tuple[Standing, ...]] = field(default_factory=dict)
    """The rows' standings if answers were read by that view; empty where there is one view only."""
    headlines: Mapping[ViewName, str] = field(default_factory=dict)
    """The headline if answers were read by that view; empty where there is one view only."""
    data_warnings: tuple[str, ...] = ()
    """What a reader should know about the questions' rows, a sentence each."""
    formatted: tuple[Row, ...] = ()
    """Runs in other formats of the prompt, which are not ranked; on the same questions as the table's."""
    wording: Sensitivity | None = None
    """How much the wording of the prompt matters; None where no model ran in several formats."""
    preference_note: str = ""
    """Why ranks without letter preference are not given, where some run has that probe."""
    changes: tuple[tuple[Change, Path], ...] = ()
    """What quantising or tuning did to a model, with the folder of the changed run; of all finished runs."""

    def is_ranked(self, result: DoneResult) -> bool:
        """Whether the run is a row of the table."""
        return any(row.result.cell.id == result.cell.id for row in self.rows)

    @property
    def every_row(self) -> tuple[Row, ...]:
        """All finished runs: the table's, those set apart, and those in other formats."""
        return (*self.rows, *self.apart, *self.formatted)

    @property
    def places(self) -> int:
        """The last place that a row may have."""
        return max((row.standing.worst for row in self.rows if row.standing), default=0)

    @property
    def scale(self) -> int:
        """Where the accuracy axis ends, in percent: a multiple of 20 that the intervals of all views fit."""
        rows = (*self.rows, *self.apart)
        highs = [rate.high for row in rows for rate in row.result.metrics.views.values()]
        highs += [row.result.metrics.accuracy.high for row in rows]
        return 20 * math.ceil(5 * max([self.chance, *highs]))


@dataclass(frozen=True, slots=True)
class Board:
    """`damaged` has a sentence on each run that is not read: damaged, unfinished or a copy.

    `weights` say how much each task counts in a score across tasks, by name; `title` is "" where none was
    given.
    """

    tasks: tuple[TaskBoard, ...]
    damaged: tuple[str, ...]
    weights: Mapping[str, float]
    title: str = ""

    @property
    def measured(self) -> dict[str, float]:
        """The weights of the tasks that have a row."""
        return {table.task.name: self.weights[table.task.name] for table in self.tasks if table.rows}


def make_board(runs: Sequence[AnyRun], cards: Sequence[ModelCard], damaged: Sequence[str]) -> Board:
    """A table for every task that has runs, by task name; all tasks have equal weights."""
    board = unranked(runs, cards, damaged)
    return replace(board, tasks=tuple(_ranked(table) for table in board.tasks))


def unranked(runs: Sequence[AnyRun], cards: Sequence[ModelCard], damaged: Sequence[str]) -> Board:
    """The board without what takes long: standings, headlines, what can be detected, and changes."""
    groups: dict[str, list[AnyRun]] = {}
    for run in described(runs, cards):
        groups.setdefault(run.result.task.name, []).append(run)
    tables = tuple(_task_board(groups[name], cards) for name in sorted(groups))
    return Board(tables, tuple(damaged), weights=dict.fromkeys(sorted(groups), 1.0))


def _task_board(runs: Sequence[AnyRun], cards: Sequence[ModelCard]) -> TaskBoard:
    main = main_cell([run for run in runs if not format_of(run)]) or main_cell(runs)
    task, test = (main.task, main.data["test"]) if main else (runs[0].result.task, runs[0].result.test)
    answered = [run for run in runs if isinstance(run, Answered)]
    rows = [Row(run, why_apart(run.result.cell, main)) for run in answered] if main else []
    failures = [Failure(run.result, run.folder) for run in runs if isinstance(run, Unanswered)]
    table = [row for row in rows if not row.apart]
    machines = {machine_of(row.result.provenance) for row in table or rows}
    table = _tagged(table, machines)
    options = _option_counts(table or rows)
    shown = {row.result.cell.model.name for row in table}
    shown |= {failure.result.model_name for failure in failures}
    return TaskBoard(
        task=task,
        items=test.rows,
        data_source=test.source,
        data_sha256=test.sha256,
        data_warnings=tuple(test.warnings()),
        chance=_chance(options),
        option_counts=" or ".join(str(count) for count in sorted(options)),
        machine=machines.pop() if len(machines) == 1 else "",
        rows=tuple(sorted(table, key=_order)),
        apart=tuple(sorted((row for row in rows if row.apart and not _is_formatted(row)), key=_order)),
        formatted=tuple(sorted((row for row in rows if _is_formatted(row)), key=_order)),
        failures=tuple(sorted(failures, key=lambda failure: failure.folder.as_posix())),
        unmeasured=tuple(card for card in cards if card.name not in shown),
    )


def _ranked(table: TaskBoard) -> TaskBoard:
    """The table with its standings, where it has a row, and with the changes of all its finished runs."""
    runs = sorted((row.run for row in (*table.rows, *table.apart)), key=lambda run: run.folder)
    folders = {run.result.cell.id: run.folder for run in runs}
    made = tuple((change, folders[change.after.cell.id]) for change in changes(runs))
    complete = [row.run for row in table.formatted if row.result.cell.limit is None]
    wording = sensitivity([*(row.run for row in table.rows), *complete]) if complete else None
    formatted = tuple(_with_wording(table.formatted, wording))
    table = replace(table, changes=made, wording=wording, formatted=formatted)
    if not table.rows:
        return table
    rows = list(_with_wording(table.rows, wording))
    ranked = standings([row.result for row in rows], [row.answers for row in rows], table.chance)
    pairs = zip(rows, ranked.rows, strict=True)
    return replace(
        table,
        rows=tuple(replace(row, standing=standing) for row, standing in pairs),
        headline=ranked.headline + _leaks(rows),
        detectable=ranked.detectable,
        preference_note=preference_note([row.result for row in rows]),
        by_view=ranked.by_view,
        headlines={view: text + _leaks(rows) for view, text in ranked.headlines.items()},
    )


def _with_wording(rows: Sequence[Row], wording: Sensitivity | None) -> Iterator[Row]:
    """The rows, each with its model in several formats."""
    yield from (replace(row, wording=wording and wording.of(row.result)) for row in rows)


def _leaks(table: Sequence[Row]) -> str:
    """A sentence on the models that had practice for the task; "" where none is known."""
    titles = sorted({row.result.cell.model.title for row in table if row.leak})
    return f" {LEAK.capitalize()}: {', '.join(titles)}." if titles else ""


def _is_formatted(row: Row) -> bool:
    return row.apart == in_format_words(row.result.cell)


def _tagged(table: Sequence[Row], machines: set[str]) -> list[Row]:
    """The rows with their tags."""
    models: dict[str, list[DoneResult]] = {}
    for row in table:
        models.setdefault(row.result.cell.model.name, []).append(row.result)
    return [
        replace(row, tags=tags_of(row.result, models[row.result.cell.model.name], machines)) for row in table
    ]


def _order(row: Row) -> tuple[float, str, str]:
    return -row.result.metrics.accuracy.value, row.result.cell.model.name, row.run.folder.as_posix()


def _option_counts(rows: Sequence[Row]) -> Counter[int]:
    """How many questions have how many options."""
    return Counter(rows[0].answers.options) if rows else Counter()


def _chance(options: Counter[int]) -> float:
    total = sum(options.values())
    return sum(count / number for number, count in options.items()) / total if total else 0.0
