"""A model's runs side by side, task by task: what its page shows. Pure."""

from dataclasses import dataclass

from bench.inputs.model_card import ModelCard
from bench.runs.compare import Change
from bench.scoring.metrics import Rate
from bench.types import ViewName
from leaderboard.board import Board, Row, TaskBoard


@dataclass(frozen=True, slots=True)
class OnTask:
    """A model's rows of a table, those set apart last, and what quantising or tuning did to it there."""

    table: TaskBoard
    rows: tuple[Row, ...]
    changes: tuple[tuple[Change, str], ...]

    @property
    def groups(self) -> list[tuple[str, list[Rate | None]]]:
        """Each group with every row's accuracy in it."""
        names = sorted({name for row in self.rows for name in row.result.metrics.groups})
        found = [(name, [row.result.metrics.groups.get(name) for row in self.rows]) for name in names]
        return [(name, [one.accuracy if one else None for one in each]) for name, each in found]

    @property
    def views(self) -> list[tuple[ViewName, list[Rate | None]]]:
        """Each view with every row's accuracy by it; empty where there is one view alone."""
        found: dict[ViewName, None] = {view: None for row in self.rows for view in row.result.metrics.views}
        names = list(found)
        if len(names) < 2:
            return []
        return [(name, [row.result.metrics.views.get(name) for row in self.rows]) for name in names]

    @property
    def letters(self) -> list[tuple[str, float, list[float]]]:
        """Each letter: how often it is right in the first row's questions, and chosen in each row."""
        metrics = [row.result.metrics for row in self.rows]
        names = sorted({name for one in metrics for name in (*one.truth, *one.chosen)})
        return [
            (
                name,
                metrics[0].truth.get(name, 0) / metrics[0].accuracy.total,
                [one.chosen.get(name, 0) / one.accuracy.total for one in metrics],
            )
            for name in names
        ]


@dataclass(frozen=True, slots=True)
class ModelPage:
    """`page` is relative to the site."""

    card: ModelCard
    page: str
    tasks: tuple[OnTask, ...]


def page_of_model(name: str) -> str:
    return f"models/{name}.html"


def model_pages(board: Board) -> list[ModelPage]:
    """A page for every model that has a finished run, by name."""
    tasks: dict[str, list[OnTask]] = {}
    cards: dict[str, ModelCard] = {}
    for table in board.tasks:
        rows: dict[str, list[Row]] = {}
        for row in (*table.rows, *table.apart):
            rows.setdefault(row.result.cell.model.name, []).append(row)
        for name, found in rows.items():
            tasks.setdefault(name, []).append(OnTask(table, tuple(found), _changes_of(table, name)))
            cards.setdefault(name, found[0].result.cell.model)
    return [ModelPage(cards[name], page_of_model(name), tuple(tasks[name])) for name in sorted(cards)]


def _changes_of(table: TaskBoard, name: str) -> tuple[tuple[Change, str], ...]:
    return tuple(pair for pair in table.changes if pair[0].after.cell.model.name == name)
