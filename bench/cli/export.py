"""`bench export`: the board's tables in other forms, on stdout."""

from pathlib import Path

import click

from bench.cli import options
from bench.errors import UsageError

FORMS = ("csv", "json", "markdown", "latex")


@click.command()
@click.argument("form", type=click.Choice(FORMS))
@click.option("--task", metavar="NAME", help="This task's table alone.")
@options.results
def export(*, form: str, task: str | None, results: Path) -> None:
    """Print the board as csv, json, markdown or latex: the rows that the page compares.

    csv and json hold one task's table, so --task is needed where there are several.
    """
    from leaderboard.build import read_board
    from leaderboard.exporting import as_latex, as_markdown
    from leaderboard.listing import as_csv, as_json

    board, _ = read_board(results, [])
    tables = [table for table in board.tasks if task in (None, table.task.name)]
    if not tables:
        names = ", ".join(table.task.name for table in board.tasks) or "none"
        raise UsageError(f"there are no runs of task '{task}' (there are: {names})")
    if form in ("csv", "json") and len(tables) > 1:
        names = ", ".join(table.task.name for table in tables)
        raise UsageError(f"{form} holds one table: choose with --task ({names})")
    if not any(table.rows for table in tables):
        raise UsageError("no run is whole yet, and partial ones are not compared (bench results list)")
    for table in tables:
        match form:
            case "csv":
                text = as_csv(table.rows)
            case "json":
                text = as_json(table.rows)
            case "markdown":
                text = as_markdown(table)
            case _:
                text = as_latex(table)
        click.echo(text, nl=False)
