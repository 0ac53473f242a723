"""`bench verify`: scores and speed, compared with lm-evaluation-harness."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import options
from bench.cli.choices import ChoiceCommand, choice_flags
from bench.errors import UsageError
from bench.wording import percent, size

if TYPE_CHECKING:
    from bench.cells.cell import Cell
    from bench.inputs.choices import Choices
    from bench.lm_eval.verify import Verification


@click.command(cls=ChoiceCommand)
@click.option("--model", "-m", required=True, metavar="NAME", help="Model to score.")
@click.option("--task", "-t", required=True, metavar="NAME", help="Task to score it on.")
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=128,
    show_default=True,
    metavar="N",
    help="Number of items: the first N.",
)
@choice_flags("exemplars", "dtype")
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    metavar="N",
    help="Measurements of each program; the medians are compared.",
)
@click.option(
    "--reference-batch",
    type=click.IntRange(1),
    default=4,
    show_default=True,
    metavar="N",
    help="Batch size of lm-evaluation-harness; on two cores 4 is fastest.",
)
@options.data_dir
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("results/verify"),
    show_default=True,
    metavar="DIR",
    help="Folder for the comparison.",
)
@options.as_json
def verify(
    *,
    model: str,
    task: str,
    limit: int,
    choices: "Choices",
    rounds: int,
    reference_batch: int,
    data_dir: Path | None,
    out: Path,
    as_json: bool,
) -> None:
    """Compare scores and speed with lm-evaluation-harness.

    Both score the same plain prompts of the first items, in turns in this process. Needs lm-eval.
    """
    from bench.results.store import check_writable

    check_writable(out)
    cell = _cell(model, task, limit, choices, data_dir)
    result = _verification(cell, rounds, reference_batch)
    from bench.lm_eval.verify import save

    path = save(result, out)
    _show(result, as_json=as_json)
    click.echo(f"saved in {path}", err=True)


def _verification(cell: "Cell", rounds: int, reference_batch: int) -> "Verification":
    from bench.engines.kinds import prepare
    from bench.lm_eval.task import not_installed

    try:
        from bench.lm_eval.verify import verify
    except ModuleNotFoundError as error:
        raise not_installed() from error
    weights = prepare(cell.opening.card, cell.weights)
    if weights is None:
        raise UsageError(f"{cell.opening.card.name} has no weights to compare")
    return verify(
        cell.opening,
        weights,
        cell.asking,
        cell.items,
        rounds=rounds,
        reference_batch=reference_batch,
        report=lambda text: click.echo(text, err=True),
    )


def _cell(model: str, task: str, limit: int, choices: "Choices", data_dir: Path | None) -> "Cell":
    from bench.cells.wish import Settings
    from bench.cli.single_cell import plan_single_cell

    plain = choices.model_copy(update={"prompt": "plain"})
    settings = Settings(limit=limit, limit_order="file")
    return plan_single_cell(model, task, plain, settings, data_dir, offline=False).cell


def _show(result: "Verification", *, as_json: bool) -> None:
    if as_json:
        click.echo(result.model_dump_json(indent=1))
    else:
        _show_tables(result)


def _show_tables(result: "Verification") -> None:
    from rich.table import Table

    from bench.cli.console import stdout

    console = stdout()
    shots = f", {result.exemplars} exemplars" if result.exemplars else ""
    asked = f"{result.items:,} of {result.task}{shots}"
    console.print(f"{result.model} on {asked}, {result.dtype}, {result.path}")
    views = Table("view", "largest difference", "same answer", box=None, header_style="bold")
    for view, check in result.views.items():
        views.add_row(view, f"{check.max_difference:.2g}", f"{check.agree:,}/{check.items:,}")
    console.print(views)
    work = Table(box=None, header_style="bold")
    for name in ("work", "ours", "lm-eval", "times as fast"):
        work.add_column(name, justify="left" if name == "work" else "right")
    for name, timing in result.work.items():
        seconds = timing.median_ours, timing.median_reference
        work.add_row(name, *(f"{value:.2f} s" for value in seconds), f"{timing.ratio:.2f}")
    console.print(work)
    console.print(f"peak memory: {size(result.peak_ours)}, lm-eval's {size(result.peak_reference)}")
    console.print(f"all views take {result.all_views_to_letters:.2f} times the letters alone")
    console.print(
        f"matrix products: {result.matmul_flops / 1e9:,.0f} GFLOP/s on this machine, "
        f"{percent(result.rate_share, 0)} of that in the letters' linear layers"
    )
