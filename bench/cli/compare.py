"""`bench compare`: two runs on the same questions, in the words of the page."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import options
from bench.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from bench.results.answers import Answered
    from bench.stats.paired import Paired

SHOWN = 10
ID_LENGTH = 8
"""As many characters of a run's id as errors show; `static/compare.js` also asks for so many."""


@click.command()
@click.argument("first")
@click.argument("second")
@click.option(
    "--task", metavar="NAME", help="Compare on this task only. Default: every task that both answered."
)
@options.results
def compare(*, first: str, second: str, task: str | None, results: Path) -> None:
    """Compare two finished runs on every task that both answered.

    FIRST and SECOND are each a model name, MODEL/VARIANT, or a run id or its first 8 or more characters.
    """
    from bench.results.answers import Answered, read_answered

    read = (run for run in read_answered(results) if isinstance(run, Answered))
    runs = list(
        {run.result.cell.id: run for run in read}.values()
    )  # a copy, or another machine's, is no other
    runs_of_first, runs_of_second = (_matches(runs, name, task) for name in (first, second))
    tasks = sorted(
        {run.result.cell.task.name for run in runs_of_first}
        & {run.result.cell.task.name for run in runs_of_second}
    )
    if not tasks:
        raise UsageError(f"'{first}' and '{second}' have no task in common")
    for name in tasks:
        _compare(_only_run(runs_of_first, first, name), _only_run(runs_of_second, second, name), runs)


def _matches(runs: "Sequence[Answered]", name: str, task: str | None) -> "list[Answered]":
    """The runs with this name; raises a UsageError if there are none."""
    matches = [run for run in runs if _is_named(run, name) and task in (None, run.result.cell.task.name)]
    if not matches:
        where = f" on {task}" if task else ""
        raise UsageError(f"no finished run matches '{name}'{where} (bench results list)")
    return matches


def _is_named(run: "Answered", name: str) -> bool:
    cell = run.result.cell
    is_id = len(name) >= ID_LENGTH and cell.id.startswith(name)
    return is_id or name in (cell.model.name, f"{cell.model.name}/{cell.variant.slug}")


def _only_run(runs: "Sequence[Answered]", name: str, task: str) -> "Answered":
    matches = [run for run in runs if run.result.cell.task.name == task]
    if len(matches) > 1:
        choices = ", ".join(f"{run.result.cell.id[:ID_LENGTH]} ({run.folder.name})" for run in matches)
        raise UsageError(f"'{name}' has several runs on {task}: {choices}; give a run id instead")
    return matches[0]


def _compare(first: "Answered", second: "Answered", runs: "Sequence[Answered]") -> None:
    from bench.board.clustered import in_clusters
    from bench.board.facts import names_of
    from bench.board.pairs import describe_detectable, describe_pair, reason_not_comparable
    from bench.cli.console import stdout

    cells = first.result.cell, second.result.cell
    click.echo(f"{cells[0].task.title}")
    if reason := reason_not_comparable(first, second):
        raise UsageError(f"these two cannot be compared: {reason}")
    pair = first.compared_with(second)
    comparable = [run.result.cell for run in runs if not reason_not_comparable(first, run)]
    names = dict(zip((cell.id for cell in comparable), names_of(comparable), strict=True))
    name_of_first, name_of_second = (names[cell.id] for cell in cells)
    click.echo(describe_pair(name_of_first, name_of_second, pair))
    click.echo(describe_detectable(pair))
    if pair.clusters is not None:
        click.echo(in_clusters(pair.clusters))
    stdout().print(_agreement(name_of_first, name_of_second, pair))
    ids = [record.question_id for record in first.answers.records()]
    for name, alone in (
        (name_of_first, first.right & ~second.right),
        (name_of_second, second.right & ~first.right),
    ):
        only = [question_id for question_id, is_alone in zip(ids, alone, strict=True) if is_alone]
        more = f" and {len(only) - SHOWN} more" if len(only) > SHOWN else ""
        click.echo(f"only {name}: {', '.join(only[:SHOWN]) or 'none'}{more}")


def _agreement(first: str, second: str, pair: "Paired") -> "Table":
    """How many questions both, only one and neither answered right."""
    from rich.table import Table

    table = Table("", f"{second}: right", "wrong", box=None, header_style="bold")
    table.add_row(f"{first}: right", str(pair.both), str(pair.only_first))
    table.add_row("wrong", str(pair.only_second), str(pair.neither))
    return table
