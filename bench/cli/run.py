"""`bench run`: plan a sweep, run it, say what came out."""

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import options
from bench.errors import BenchError
from bench.types import Dtype

if TYPE_CHECKING:
    from bench.inputs.model_card import CardFile
    from bench.inputs.task import TaskFile
    from bench.runs.plan import Cell

NOTHING_COULD_RUN = 5


def _dtype(_context: click.Context, _parameter: click.Parameter, value: str) -> str | None:
    return None if value == "auto" else value


@click.command()
@click.option(
    "--models",
    "-m",
    multiple=True,
    required=True,
    metavar="SELECTION",
    help="all, available, names, globs, family:qwen, 'params<1B'; several with commas.",
)
@click.option(
    "--tasks",
    "-t",
    multiple=True,
    metavar="NAMES",
    help="Task names or YAML files, with commas; every task of the registry when left out.",
)
@click.option(
    "--dtype",
    type=click.Choice(["auto", "float32", "bfloat16", "float16"]),
    default="auto",
    show_default=True,
    callback=_dtype,
    help="auto is bfloat16 where the device multiplies it natively, else float32.",
)
@click.option(
    "--exemplars",
    type=click.IntRange(0, 100),
    metavar="K",
    help="Solved examples in the prompt; the task's own number when left out.",
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the first N items: a partial run.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="For exemplars and baselines.",
)
@options.data_dir
@options.results
@click.option("--fresh", is_flag=True, help="Run cells again that are done.")
@options.offline
@click.option("--strict", is_flag=True, help="What is not on this machine is an error.")
@click.option("--dry-run", is_flag=True, help="Print the plan and stop.")
@options.as_json
def run(
    *,
    models: tuple[str, ...],
    tasks: tuple[str, ...],
    dtype: Dtype | None,
    exemplars: int | None,
    limit: int | None,
    seed: int,
    data_dir: Path | None,
    results: Path,
    fresh: bool,
    offline: bool,
    strict: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Score models on tasks and keep every answer.

    \b
    Exit codes: 0 done, 1 a cell failed, 2 usage, 3 a file is wrong, 5 nothing could run.
    """  # noqa: D301 (click reads the backspace as "keep these lines")
    from bench.cli import report
    from bench.cli.network import settle_offline
    from bench.inputs.data import data_folder
    from bench.runs.plan import Wish, plan

    files, cards = _selected(tasks, models)
    folder = data_folder(data_dir)
    offline = settle_offline(files, cards, folder, offline=offline)
    wish = Wish(dtype=dtype, exemplars=exemplars, limit=limit, seed=seed)
    cells, missing = plan(files, cards, wish, data_dir=folder, offline=offline)
    report.show_missing(missing)
    if strict and missing:
        raise BenchError(f"--strict was given, and not everything is on this machine (cells: {len(missing)})")
    if dry_run:
        report.show_plan(cells, results, as_json=as_json)
    else:
        raise SystemExit(_sweep(cells, results, fresh=fresh, as_json=as_json))


def _sweep(cells: "Sequence[Cell]", results: Path, *, fresh: bool, as_json: bool) -> int:
    """Run the cells and report; returns the exit code."""
    from bench.cli import report
    from bench.runs.store import check_writable

    check_writable(results)
    # Being told to end is as being interrupted: the running worker ends too, what is done is kept.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        finished = report.run_with_progress(cells, results, fresh=fresh)
    except KeyboardInterrupt:
        click.echo(
            "finished cells are kept; the same command goes on, the stopped one from its start", err=True
        )
        raise
    report.show_results(finished, results, as_json=as_json)
    if not finished:
        return NOTHING_COULD_RUN
    return 1 if any(result.status == "failed" for result in finished) else 0


def _selected(tasks: Sequence[str], models: Sequence[str]) -> "tuple[list[TaskFile], list[CardFile]]":
    from bench.inputs.model_card import find_cards
    from bench.inputs.task import find_tasks
    from bench.inputs.weights import on_this_machine

    names = [name.strip() for term in tasks for name in term.split(",") if name.strip()]
    return find_tasks(names), find_cards(",".join(models), on_this_machine)
