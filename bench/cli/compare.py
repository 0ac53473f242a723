"""`bench compare`: two runs on the same questions, in the words that the page has."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import options
from bench.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from bench.runs.answers import Answered
    from bench.stats.paired import Paired

SHOWN = 10


@click.command()
@click.argument("first")
@click.argument("second")
@click.option("--task", metavar="NAME", help="On this task alone.")
@options.results
def compare(*, first: str, second: str, task: str | None, results: Path) -> None:
    """Compare two finished runs on every task that both answered.

    FIRST and SECOND are models' names, models with variants (MODEL/VARIANT), or beginnings of run ids.
    """
    from bench.runs.answers import Answered, read_answered

    runs = [run for run in read_answered(results) if isinstance(run, Answered)]
    one, other = ([run for run in runs if _is(run, word, task)] for word in (first, second))
    for word, chosen in ((first, one), (second, other)):
        if not chosen:
            raise UsageError(
                f"no finished run is '{word}'{f' on {task}' if task else ''} (bench results list)"
            )
    tasks = sorted({run.result.cell.task.name for run in one} & {run.result.cell.task.name for run in other})
    if not tasks:
        raise UsageError("the two have no task in common")
    for name in tasks:
        _compare(_only(one, first, name), _only(other, second, name), runs)


def _is(run: "Answered", word: str, task: str | None) -> bool:
    cell = run.result.cell
    names = {cell.model.name, f"{cell.model.name}/{cell.variant.slug}"}
    return (word in names or cell.id.startswith(word)) and task in (None, cell.task.name)


def _only(runs: "Sequence[Answered]", word: str, task: str) -> "Answered":
    found = [run for run in runs if run.result.cell.task.name == task]
    if len(found) > 1:
        choices = ", ".join(f"{run.result.cell.id[:8]} ({run.folder.name})" for run in found)
        raise UsageError(f"'{word}' has several runs on {task}: {choices}; give the id of one")
    return found[0]


def _compare(first: "Answered", second: "Answered", runs: "Sequence[Answered]") -> None:
    from bench.cli.console import stdout
    from bench.stats.paired import paired
    from leaderboard.comparing import why_not, words
    from leaderboard.formats import names_of

    cells = first.result.cell, second.result.cell
    click.echo(f"{cells[0].task.title}")
    if reason := why_not(first, second):
        raise UsageError(f"these two may not be compared: {reason}")
    found = paired(first.right, second.right)
    alike = [run.result.cell for run in runs if not why_not(first, run)]
    called = dict(zip((cell.id for cell in alike), names_of(alike), strict=True))
    names = [called[cell.id] for cell in cells]
    click.echo(words(names[0], names[1], found))
    stdout().print(_agreement(names[0], names[1], found))
    for name, alone in ((names[0], first.right & ~second.right), (names[1], second.right & ~first.right)):
        ids = [
            record.question_id for record, is_so in zip(first.answers.records(), alone, strict=True) if is_so
        ]
        more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
        click.echo(f"only {name}: {', '.join(ids[:SHOWN]) or 'none'}{more}")


def _agreement(first: str, second: str, found: "Paired") -> "Table":
    """How often both, one alone and neither were right."""
    from rich.table import Table

    drawn = Table("", f"{second}: right", "wrong", box=None, header_style="bold")
    drawn.add_row(f"{first}: right", str(found.both), str(found.only_first))
    drawn.add_row("wrong", str(found.only_second), str(found.neither))
    return drawn
