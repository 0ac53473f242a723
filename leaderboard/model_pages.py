"""A model's runs on each task: what its page shows. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.board.board import Board, Row, TaskBoard
from bench.board.changes import Change
from bench.board.descent import is_base
from bench.board.plain import variant_name
from bench.board.profile import Profile, profile_of, standings_of
from bench.board.profile_charts import NO_LEVELS, Levels, letters_chart, subjects_chart
from bench.board.row_chart import RowChart
from bench.inputs.model_card import ModelCard
from bench.scoring.metrics import Rate
from bench.types import ViewName


@dataclass(frozen=True, slots=True)
class ModelOnTask:
    """A model's rows of a table, the comparable ones first, and what quantising or tuning did to it there."""

    table: TaskBoard
    rows: tuple[Row, ...]
    changes: tuple[tuple[Change, Path], ...]
    levels: Levels

    @property
    def lead(self) -> Row:
        """The model's best comparable row on the task, else its first."""
        return self.rows[0]

    @property
    def names(self) -> list[str]:
        """How each row was run, in plain words; by its slug where words are the same or there are none."""
        variants = [row.result.cell.variant for row in self.rows]
        words = [variant_name(variant) for variant in variants]
        return [
            text if words.count(text) == 1 else variant.slug
            for text, variant in zip(words, variants, strict=True)
        ]

    @property
    def probed(self) -> tuple[str, Row] | None:
        """The first of its rows that changed questions were asked of, with how it was run."""
        for name, row in zip(self.names, self.rows, strict=True):
            if row.result.probes and not row.result.probes.inapplicable:
                return name, row
        return None

    @property
    def letters_chart(self) -> RowChart:
        return letters_chart(self.lead)

    @property
    def subjects_chart(self) -> RowChart | None:
        return subjects_chart(self.lead, self.levels)

    @property
    def groups(self) -> list[tuple[str, list[Rate | None]]]:
        """Each group of questions, with every row's accuracy in it."""
        names = sorted({name for row in self.rows for name in row.result.metrics.groups})
        return [(name, [_accuracy_in(name, row) for row in self.rows]) for name in names]

    @property
    def views(self) -> list[tuple[ViewName, list[Rate | None]]]:
        """Each view with every row's accuracy by it; empty where there is one view only."""
        views: dict[ViewName, None] = {view: None for row in self.rows for view in row.result.metrics.views}
        if len(views) < 2:
            return []
        return [(view, [row.result.metrics.views.get(view) for row in self.rows]) for view in views]

    @property
    def letters(self) -> list[tuple[str, float, list[float]]]:
        """Per letter, how often it is right in the first row's questions, and how often each row chose it."""
        metrics = [row.result.metrics for row in self.rows]
        letters = sorted({letter for each in metrics for letter in (*each.truth, *each.chosen)})
        return [
            (
                letter,
                metrics[0].truth.get(letter, 0) / metrics[0].accuracy.total,
                [each.chosen.get(letter, 0) / each.accuracy.total for each in metrics],
            )
            for letter in letters
        ]


def _accuracy_in(group: str, row: Row) -> Rate | None:
    measured = row.result.metrics.groups.get(group)
    return measured.accuracy if measured else None


@dataclass(frozen=True, slots=True)
class ModelPage:
    """`page` is relative to the site; `base` and `tuned` are models that have pages too."""

    card: ModelCard
    page: str
    profile: Profile
    tasks: tuple[ModelOnTask, ...]
    base: ModelCard | None
    tuned: tuple[ModelCard, ...]


def page_of_model(name: str) -> str:
    return f"models/{name}.html"


def model_pages(board: Board) -> list[ModelPage]:
    """A page for every model that has a finished run, by name."""
    standings = standings_of(board.tasks, board.weights)
    tasks: dict[str, list[ModelOnTask]] = {}
    cards: dict[str, ModelCard] = {}
    for table in board.tasks:
        rows_of: dict[str, list[Row]] = {}
        for row in table.every_row:
            rows_of.setdefault(row.result.cell.model.name, []).append(row)
        for name, rows in rows_of.items():
            levels = standings.levels.get(table.task.name, NO_LEVELS)
            on_task = ModelOnTask(table, tuple(rows), _changes_of(table, name), levels)
            tasks.setdefault(name, []).append(on_task)
            cards.setdefault(name, rows[0].result.cell.model)
    tuned = [cards[name] for name in sorted(cards) if cards[name].base]
    return [
        ModelPage(
            card=cards[name],
            page=page_of_model(name),
            profile=profile_of(name, standings),
            tasks=tuple(tasks[name]),
            base=_base(cards[name], cards.values()),
            tuned=tuple(card for card in tuned if is_base(cards[name], card)),
        )
        for name in sorted(cards)
    ]


def _base(card: ModelCard, others: Iterable[ModelCard]) -> ModelCard | None:
    return next((other for other in others if is_base(other, card)), None) if card.base else None


def _changes_of(table: TaskBoard, name: str) -> tuple[tuple[Change, Path], ...]:
    return tuple(
        pair for pair in table.changes if name in {pair[0].before.model_name, pair[0].after.model_name}
    )
