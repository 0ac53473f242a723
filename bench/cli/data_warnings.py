"""What a reader of the numbers should know about the questions of a sweep, before it runs."""

from collections.abc import Sequence

import click

from bench.cells.cell import CannotRun, Cell, NeedsTuning, Planned
from bench.inputs.draw import one_letter


def show_data_warnings(planned: Sequence[Planned]) -> None:
    """Print what is odd about the rows of each split, and which tasks have one answer letter only."""
    cells = [cell for cell in map(_runnable, planned) if cell]
    odd = {
        f"{cell.task.name}, {split.split} split: {text}"
        for cell in cells
        for split in cell.facts.data.values()
        for text in split.warnings()
    }
    for line in sorted(odd):
        click.echo(f"warning: task {line}", err=True)
    asked = {
        (cell.task.name, letter, len(cell.items), cell.facts.part)
        for cell in cells
        if (letter := one_letter(cell.items))
    }
    for task, letter, count, part in sorted(asked):
        remedy = "; ask more, or other ones (--limit, --limit-order)" if part else ""
        text = f"all {count} questions have the answer {letter}, so a model that always gives it scores 100 %"
        click.echo(f"warning: task {task}: {text}{remedy}", err=True)


def _runnable(planned: Planned) -> Cell | None:
    match planned:
        case CannotRun():
            return None
        case NeedsTuning(cell=cell) | (Cell() as cell):
            return cell
