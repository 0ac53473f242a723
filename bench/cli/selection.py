"""The one model and the one task that a command works on."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import BenchError, UsageError

if TYPE_CHECKING:
    from bench.cells.cell import Cell
    from bench.cells.wish import Settings
    from bench.inputs.choices import Choices
    from bench.inputs.task import TaskFile


@dataclass(frozen=True, slots=True)
class Selected:
    """`folder` holds mirror files; `offline` may have turned out on the way."""

    cell: "Cell"
    task: "TaskFile"
    folder: Path | None
    offline: bool


def one_cell(
    model: str, task: str, choices: "Choices", settings: "Settings", data_dir: Path | None, *, offline: bool
) -> Selected:
    """Plan one model on one task; raises where that is not one, or is not to be had here."""
    from bench.cells.cell import CannotRun, Cell
    from bench.cells.plan import plan
    from bench.cells.wish import Wish
    from bench.cli.network import settle_offline
    from bench.inputs.cards import find_cards
    from bench.inputs.data import data_folder
    from bench.inputs.engine_rules import TRANSFORMERS
    from bench.inputs.task import find_tasks
    from bench.inputs.weights import on_this_machine

    files, cards = find_tasks([task]), find_cards(model, on_this_machine)
    if len(cards) != 1 or cards[0].card.engine != TRANSFORMERS:
        raise UsageError(f"name one model of the engine {TRANSFORMERS} (bench models list)")
    folder = data_folder(data_dir)
    offline = settle_offline(files, cards, folder, offline=offline)
    cells, missing = plan(files, cards, [Wish(choices)], settings, data_dir=folder, offline=offline)
    match cells:
        case [Cell() as cell]:
            return Selected(cell, files[0], folder, offline)
        case [CannotRun(reason=reason)]:
            raise BenchError(f"model {model}: {reason}")
        case _:
            raise BenchError(f"{missing[0].what}: {missing[0].reason}; {missing[0].remedy}")
