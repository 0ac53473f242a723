"""Runs -> the board: which rows stand side by side, in which order, and what is set apart. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from bench.inputs.model_card import ModelCard
from bench.runs.result import CellFacts, DoneResult, FailedResult, TaskFacts
from bench.runs.store import Run

ONE_LETTER = 0.9
"""From this share of answers on, the board says that a model hardly looks beyond one letter."""


@dataclass(frozen=True, slots=True)
class Row:
    """A finished run. `apart` says why it may not be compared with the others, "" when it may."""

    run: Run
    result: DoneResult
    page: str
    apart: str

    @property
    def one_letter(self) -> tuple[str, float] | None:
        """The letter that nearly all answers are, and its share; None where there is no such."""
        chosen = self.result.metrics.chosen
        if not chosen or self.result.cell.model.architecture == "baseline":
            return None
        letter = max(sorted(chosen), key=lambda name: chosen[name])
        share = chosen[letter] / self.result.metrics.accuracy.total
        return (letter, share) if share >= ONE_LETTER else None


@dataclass(frozen=True, slots=True)
class Failure:
    result: FailedResult
    page: str


@dataclass(frozen=True, slots=True)
class TaskBoard:
    """One task's table. `chance` is the accuracy of guessing, `spread` the options' numbers."""

    task: TaskFacts
    items: int
    data_source: str
    data_sha256: str
    chance: float
    spread: str
    rows: tuple[Row, ...]
    apart: tuple[Row, ...]
    failures: tuple[Failure, ...]
    unmeasured: tuple[ModelCard, ...]


@dataclass(frozen=True, slots=True)
class Board:
    tasks: tuple[TaskBoard, ...]
    damaged: tuple[str, ...]


def make_board(runs: Sequence[Run], cards: Sequence[ModelCard], damaged: Sequence[str]) -> Board:
    """A table for every task that has runs, sorted by the task's name."""
    names = sorted({run.result.cell.task.name for run in runs})
    tables = [
        _task_board([run for run in runs if run.result.cell.task.name == name], cards) for name in names
    ]
    return Board(tasks=tuple(tables), damaged=tuple(damaged))


def page_of(run: Run) -> str:
    """The run's page, relative to the site: its folder's path, so a link lasts."""
    return str(PurePosixPath("runs", *run.folder.parts)) + ".html"


def _task_board(runs: Sequence[Run], cards: Sequence[ModelCard]) -> TaskBoard:
    main = _main(runs)
    rows = [_row(run, run.result, main) for run in runs if isinstance(run.result, DoneResult)]
    failures = [Failure(run.result, page_of(run)) for run in runs if isinstance(run.result, FailedResult)]
    shown = {row.result.cell.model.name for row in rows if not row.apart}
    shown |= {failure.result.cell.model.name for failure in failures}
    test = main.data["test"]
    options = _option_counts([row for row in rows if not row.apart] or rows)
    return TaskBoard(
        task=main.task,
        items=test.rows,
        data_source=test.source,
        data_sha256=test.sha256,
        chance=_chance(options),
        spread=" or ".join(str(count) for count in sorted(options)),
        rows=tuple(sorted((row for row in rows if not row.apart), key=_order)),
        apart=tuple(sorted((row for row in rows if row.apart), key=_order)),
        failures=tuple(sorted(failures, key=lambda failure: failure.page)),
        unmeasured=tuple(card for card in cards if card.name not in shown),
    )


def _comparable(cell: CellFacts) -> tuple[int, str, str]:
    """Runs are compared only where this is equal, and only if they are whole."""
    return cell.task.version, cell.task.sha256, cell.data["test"].sha256


def _main(runs: Sequence[Run]) -> CellFacts:
    """The cell that stands for the table: of the newest version, the kind with most whole runs."""
    whole = Counter(
        _comparable(run.result.cell)
        for run in runs
        if run.result.cell.limit is None and isinstance(run.result, DoneResult)
    )
    return max(
        (run.result.cell for run in runs),
        key=lambda cell: (cell.task.version, whole[_comparable(cell)], cell.task.sha256, cell.id),
    )


def _row(run: Run, result: DoneResult, main: CellFacts) -> Row:
    return Row(run=run, result=result, page=page_of(run), apart=_apart(result.cell, main))


def _apart(cell: CellFacts, main: CellFacts) -> str:
    if cell.limit is not None:
        return f"partial run: the first {cell.limit} of {cell.data['test'].rows} questions"
    if cell.task.version != main.task.version:
        return f"version {cell.task.version} of the task; the table shows version {main.task.version}"
    if cell.task.sha256 != main.task.sha256:
        return "the task file was different, though its version was the same"
    if cell.data["test"].sha256 != main.data["test"].sha256:
        return "other test data"
    return ""


def _order(row: Row) -> tuple[float, str, str]:
    return -row.result.metrics.accuracy.value, row.result.cell.model.name, row.page


def _option_counts(rows: Sequence[Row]) -> Counter[int]:
    """How many questions have how many options."""
    return Counter(len(record.options) for record in rows[0].run.records) if rows else Counter()


def _chance(options: Counter[int]) -> float:
    total = sum(options.values())
    return sum(count / number for number, count in options.items()) / total if total else 0.0
