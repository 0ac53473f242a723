"""`bench export`: the board's tables in other forms on stdout, or runs in files that other programs read."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import options
from bench.errors import UsageError

if TYPE_CHECKING:
    from bench.board.board import TaskBoard
    from bench.interop.sharing import Export, Publisher
    from bench.runs.store import Run

PRINTED = ("csv", "json", "markdown", "latex")
FILES = ("hub", "every-eval-ever", "lm-eval")


@click.command()
@click.argument("form", type=click.Choice(PRINTED + FILES))
@click.option("--task", metavar="NAME", help="This task's table, or its runs, alone.")
@click.option("--model", metavar="NAME", help="This model's runs alone, in files.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="The folder of the files.")
@click.option("--by", default="", metavar="NAME", help="Who publishes the runs, for hub and every-eval-ever.")
@options.url("Where they can be read, for the same.")
@options.results
def export(
    *, form: str, task: str | None, model: str | None, out: Path | None, by: str, url: str, results: Path
) -> None:
    """Print the board as csv, json, markdown or latex: the rows that the page compares.

    csv and json hold one task's table, so --task is needed where there are several.

    Or write finished runs into the folder --out, as other programs read them: hub is what a model's
    repository on the Hugging Face hub says of its results, of the rows that the page compares;
    every-eval-ever is that project's schema, and lm-eval what lm-evaluation-harness writes with its
    samples, of every finished run.
    """
    from bench.board.reading import read_board

    _check(form, out=out, model=model, by=by, url=url)
    board, runs = read_board(results, [])
    tables = [table for table in board.tasks if task in (None, table.task.name)]
    if not tables:
        names = ", ".join(table.task.name for table in board.tasks) or "none"
        asked = f" of task '{task}'" if task else ""
        raise UsageError(f"there are no runs{asked} (there are: {names})")
    for text in board.damaged:
        click.echo(f"left out: {text}", err=True)
    if out is None:
        _print(form, tables)
        return
    if model is not None:
        tables = _of_model(tables, model)
    names = {table.task.name for table in tables}
    paths = [
        results / run.folder / "result.json"
        for run in runs
        if run.result.task.name in names and model in (None, run.result.model_name)
    ]
    from bench.runs.store import read_run

    _write(form, tables, [read_run(results, path) for path in paths], out, (by, url))


def _write(
    form: str, tables: "list[TaskBoard]", runs: "list[Run]", out: Path, publisher: tuple[str, str]
) -> None:
    """Write the runs' files, and say what is in none."""
    from bench.interop.sharing import Publisher, write_export

    made = _export(form, tables, runs, Publisher(*publisher))
    undated = (run.folder for run in runs if not run.result.provenance.finished)
    notes = (f"left out: {folder}: it does not say when it was made" for folder in undated)
    for note in (*notes, *made.notes):
        click.echo(note, err=True)
    if not made.files:
        raise UsageError("no finished run is left to export, so nothing was written (bench results list)")
    write_export(made, out, form)
    click.echo(f"{len(made.files)} {'file' if len(made.files) == 1 else 'files'} in {out}")


def _check(form: str, *, out: Path | None, model: str | None, by: str, url: str) -> None:
    if form in PRINTED and (out or model or by or url):
        raise UsageError(f"{form} is printed: --out, --model, --by and --url go with {', '.join(FILES)}")
    if form in FILES and out is None:
        raise UsageError(f"{form} is written into a folder: name it with --out DIR")
    if form == "lm-eval" and (by or url):
        raise UsageError("lm-eval's files have no place for --by and --url")
    if form == "hub" and by and not url:
        raise UsageError("the hub takes a source's name only with its address: give --url too")


def _of_model(tables: "list[TaskBoard]", model: str) -> "list[TaskBoard]":
    """The tables with that model's rows alone; those without one are left out."""
    found = [
        replace(
            table,
            rows=tuple(row for row in table.rows if row.result.cell.model.name == model),
            apart=tuple(row for row in table.apart if row.result.cell.model.name == model),
        )
        for table in tables
    ]
    found = [table for table in found if table.rows or table.apart]
    if not found:
        known = {row.result.cell.model.name for table in tables for row in (*table.rows, *table.apart)}
        names = ", ".join(sorted(known)) or "none"
        raise UsageError(f"there is no finished run of model '{model}' (there are: {names})")
    return found


def _print(form: str, tables: "list[TaskBoard]") -> None:
    from bench.board.exporting import as_csv, as_json, as_latex, as_markdown

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


def _export(form: str, tables: "list[TaskBoard]", runs: "list[Run]", publisher: "Publisher") -> "Export":
    from bench.interop.sharing import finished

    match form:
        case "hub":
            from bench.interop.hub_results import hub_export

            return hub_export(tables, publisher)
        case "every-eval-ever":
            from bench.interop.every_eval_ever import every_eval_ever_export

            return every_eval_ever_export(finished(runs), publisher)
        case _:
            from bench.interop.lm_eval_export import lm_eval_export

            return lm_eval_export(finished(runs))
