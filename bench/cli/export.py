"""`bench export FORMAT`: a table of the board on stdout, or runs as files that other programs read."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import options
from bench.errors import BenchError, UsageError

if TYPE_CHECKING:
    from bench.board.board import TaskBoard
    from bench.results.answers import AnyRun
    from bench.sharing.export import Export
    from bench.sharing.formats import ExportFormat, Files, Printed, PrintedRows

_task = click.option("--task", metavar="NAME", help="Export this task only. Default: every task.")
_model = click.option(
    "--model", metavar="NAME", help="Export the runs of this model only. Default: every model."
)
_out = click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="Output folder: new, empty, or an earlier export in the same format.",
)
_by = click.option("--by", default="", metavar="NAME", help="Who publishes the runs. Default: not named.")
_url = options.url("Where the runs are published. Default: none.")


class _Formats(click.Group):
    """A command for each export format: the project's own and those of installed packages."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        from bench.sharing.formats import EXPORTS

        return EXPORTS.names()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:  # noqa: ARG002
        from bench.sharing.formats import EXPORTS

        try:
            return _command(EXPORTS.get(cmd_name))
        except UsageError:  # there is no such format
            raise
        except BenchError as error:
            return _broken(cmd_name, error)


@click.group(cls=_Formats, options_metavar="FORMAT", subcommand_metavar="[OPTIONS]")
def export() -> None:
    """Print the board as a table, or write runs as files for other programs."""


def _command(row: "ExportFormat") -> click.Command:
    from bench.sharing.formats import Files, Printed, PrintedRows

    match row.output:
        case Printed() | PrintedRows():
            return _print_command(row, row.output)
        case Files():
            return _write_command(row, row.output)


def _broken(name: str, error: BenchError) -> click.Command:
    """Stands in for a format whose package cannot be loaded, so that the other formats still work."""

    def fail() -> None:
        raise error

    return click.Command(name, callback=fail, help=str(error), short_help="Cannot be loaded.")


def _print_command(row: "ExportFormat", output: "Printed | PrintedRows") -> click.Command:
    @click.command(row.name, help=row.help)
    @_task
    @options.results
    def command(*, task: str | None, results: Path) -> None:
        _, tables = _read(results, task)
        text = _text(row.name, output, tables)
        if not any(table.rows for table in tables):
            raise UsageError("no complete run to export; partial runs are left out (bench results list)")
        click.echo(text, nl=False)

    return command


def _text(name: str, output: "Printed | PrintedRows", tables: "list[TaskBoard]") -> str:
    from bench.sharing.formats import PrintedRows

    if isinstance(output, PrintedRows):
        return output.render([row for table in tables for row in table.rows])
    if not output.several and len(tables) > 1:
        names = ", ".join(table.task.name for table in tables)
        raise UsageError(f"{name} exports one task; choose it with --task ({names})")
    return "".join(map(output.render, tables))


def _write_command(row: "ExportFormat", output: "Files") -> click.Command:
    @click.command(row.name, help=row.help)
    @_task
    @_model
    @_out
    @_publisher(output)
    @options.results
    def command(
        *, task: str | None, model: str | None, out: Path, results: Path, by: str = "", url: str = ""
    ) -> None:
        from bench.sharing.export import write_export

        made = _make(output, results, task, model, (by, url))
        write_export(made, out, row.name)
        click.echo(f"{len(made.files)} {'file' if len(made.files) == 1 else 'files'} in {out}")

    return command


def _publisher(output: "Files") -> Callable[[Callable[..., None]], Callable[..., None]]:
    """`--by` and `--url`, for a format that can store them."""
    return (lambda command: _by(_url(command))) if output.publisher else (lambda command: command)


def _make(
    output: "Files", results: Path, task: str | None, model: str | None, publisher: tuple[str, str]
) -> "Export":
    """The files of the chosen runs; reports on stderr what is left out."""
    from bench.results.store import read_run
    from bench.sharing.export import Publisher, finished
    from bench.sharing.formats import Selected

    answered, tables = _read(results, task)
    if model is not None:
        tables = _of_model(tables, model)
    names = {table.task.name for table in tables}
    runs = [
        read_run(results, results / run.folder / "result.json")
        for run in answered
        if run.result.task.name in names and model in (None, run.result.model_name)
    ]
    made = output.make(Selected(tuple(tables), tuple(finished(runs)), Publisher(*publisher)))
    undated = (run.folder for run in runs if not run.result.provenance.finished)
    notes = (f"left out: {folder}: it has no date" for folder in undated)
    for note in (*notes, *made.notes):
        click.echo(note, err=True)
    if not made.files:
        raise UsageError("no finished run to export; nothing was written (bench results list)")
    return made


def _read(results: Path, task: str | None) -> "tuple[list[AnyRun], list[TaskBoard]]":
    """The runs of the board, and its tables: the task's, or all."""
    from bench.board.reading import read_board

    board, runs = read_board(results, [])
    tables = [table for table in board.tasks if task in (None, table.task.name)]
    if not tables:
        names = ", ".join(table.task.name for table in board.tasks) or "none"
        where = f" on task '{task}'" if task else ""
        raise UsageError(f"there are no runs{where} (tasks with runs: {names})")
    for text in board.damaged:
        click.echo(f"left out: {text}", err=True)
    return runs, tables


def _of_model(tables: "list[TaskBoard]", model: str) -> "list[TaskBoard]":
    """The tables with only that model's rows; tables without any are left out."""
    chosen = [
        replace(
            table,
            rows=tuple(row for row in table.rows if row.result.cell.model.name == model),
            apart=tuple(row for row in table.apart if row.result.cell.model.name == model),
        )
        for table in tables
    ]
    chosen = [table for table in chosen if table.rows or table.apart]
    if not chosen:
        models = {row.result.cell.model.name for table in tables for row in table.every_row}
        names = ", ".join(sorted(models)) or "none"
        raise UsageError(f"there is no finished run of model '{model}' (models with runs: {names})")
    return chosen
