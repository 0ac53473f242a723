"""One model on one task, for the commands that work on a single cell."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import BenchError, UsageError

if TYPE_CHECKING:
    from bench.cells.cell import Cell
    from bench.cells.wish import Settings
    from bench.inputs.cards import CardFile
    from bench.inputs.choices import Choices
    from bench.inputs.task import TaskFile


@dataclass(frozen=True, slots=True)
class SingleCell:
    """`folder` holds mirror files; `offline` is also true if the hub did not answer."""

    cell: "Cell"
    task: "TaskFile"
    folder: Path | None
    offline: bool


def plan_single_cell(
    model: str, task: str, choices: "Choices", settings: "Settings", data_dir: Path | None, *, offline: bool
) -> SingleCell:
    """Plan one model on one task.

    Raises a UsageError if `model` does not name exactly one model of the engine `transformers`, and a
    BenchError if the cell cannot run on this machine.
    """
    from bench.inputs.engine_rules import TRANSFORMERS
    from bench.inputs.tasks import find_task

    card = one_card(model, TRANSFORMERS)
    return plan_one(card, find_task(task), choices, settings, data_dir, offline=offline)


def one_card(model: str, engine: str | None = None) -> "CardFile":
    """The one model of that name; raises a UsageError where it names several, or one of another engine."""
    from bench.inputs.cards import find_cards
    from bench.inputs.weights import on_this_machine

    cards = find_cards(model, on_this_machine)
    if len(cards) != 1 or engine not in (None, cards[0].card.engine):
        of_engine = f" of the engine {engine}" if engine else ""
        raise UsageError(f"--model {model} must name one model{of_engine} (bench models list)")
    return cards[0]


def plan_one(
    card: "CardFile",
    file: "TaskFile",
    choices: "Choices",
    settings: "Settings",
    data_dir: Path | None,
    *,
    offline: bool,
) -> SingleCell:
    """Plan one model on one task; raises a BenchError if the cell cannot run on this machine."""
    from bench.cells.cell import CannotRun, Cell
    from bench.cells.plan import plan
    from bench.cells.wish import wishes_of
    from bench.cli.network import decide_offline
    from bench.inputs.data import data_folder

    folder = data_folder(data_dir)
    offline = decide_offline([file], [card], folder, offline=offline)
    wishes = wishes_of([choices], offline=offline)
    cells, missing = plan([file], [card], wishes, settings, data_dir=folder, offline=offline)
    match cells:
        case [Cell() as cell]:
            return SingleCell(cell, file, folder, offline)
        case [CannotRun(reason=reason)]:
            raise BenchError(f"model {card.card.name}: {reason}")
        case _:
            raise BenchError(f"{missing[0].what}: {missing[0].reason}; {missing[0].remedy}")
