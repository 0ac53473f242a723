"""What a sweep came to: a table for each task, or JSON, on stdout."""

import json
import shlex
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import click
from rich.table import Table

from bench.cli import options
from bench.cli.console import stdout
from bench.runs.answers import Answered, read_answered
from bench.runs.compare import changes, told
from bench.runs.result import DoneResult, FailedResult, Result, Variant
from leaderboard import formats


def show_results(ended: Sequence[Result], results: Path, *, as_json: bool) -> None:
    """Everything the sweep ended with, best first within a task; failures have a row and a reason."""
    if as_json:
        click.echo(json.dumps([result.model_dump(mode="json") for result in ended], indent=1))
        return
    for task, group in groupby(ended, key=lambda result: result.task.name):
        rows = list(group)
        stdout().print(_table(task, sorted(rows, key=_rank)))
        for line in (*_failures(rows), *_changes(task, rows, results)):
            click.echo(line)
        if notice := rows[0].task.notice:
            click.echo(f"Note: {notice}")
        click.echo()
    if ended:
        click.echo(f"kept in {results}; the page: bench leaderboard build --results {results}", err=True)


def _failures(ended: Sequence[Result]) -> Iterator[str]:
    """Why each failed, and the command for them alone."""
    failures = [result for result in ended if not isinstance(result, DoneResult)]
    for result in failures:
        yield f"failed: {result.model_name}: {result.reason}"
    if failures:
        names = dict.fromkeys(result.model_name for result in failures)
        yield f"only these again: {_narrowed(names)}"


def _narrowed(models: Iterable[str]) -> str:
    """This command for some of its models alone."""
    kept: list[str] = []
    words = iter(click.get_current_context().meta[options.WORDS])
    for word in words:
        if word in ("--models", "-m"):
            next(words, None)
        elif not word.startswith(("--models=", "-m")):
            kept.append(word)
    return shlex.join(["bench", *kept, "--models", ",".join(models)])


def _changes(task: str, ended: Sequence[Result], results: Path) -> Iterator[str]:
    """How quantising or tuning changed a model, compared with its untouched run, whenever that was made."""
    done = [result for result in ended if isinstance(result, DoneResult)]
    ids = {result.cell.id for result in done}
    changed = [result for result in done if _is_changed(result.cell.variant)]
    for model in sorted({result.model_name for result in changed}):
        runs = [run for run in read_answered(results / task / model) if isinstance(run, Answered)]
        pairs = [change for change in changes(runs) if {change.before.cell.id, change.after.cell.id} & ids]
        for change in pairs:
            yield f"{model}, {told(change)}"
        compared = {change.after.cell.id for change in pairs}
        for result in changed:
            if result.model_name == model and result.cell.id not in compared:
                flag = "--lora none" if result.cell.variant.adapter else "--quantize none"
                text = f"no run without that to compare with; make it too ({flag})"
                yield f"{model}, {result.cell.variant.slug}: {text}"


def _is_changed(variant: Variant) -> bool:
    return variant.quantize != "none" or variant.adapter is not None


def _rank(result: Result) -> tuple[float, str]:
    accuracy = result.metrics.accuracy.value if isinstance(result, DoneResult) else -1.0
    return -accuracy, result.model_name


def _table(task: str, results: Sequence[Result]) -> Table:
    table = Table(title=task, title_justify="left", title_style="bold", box=None, header_style="bold")
    table.add_column("model", overflow="fold")
    table.add_column("variant", overflow="fold")
    for name in ("accuracy", "95 % interval", "right", "items/s", "memory"):
        table.add_column(name, justify="right", no_wrap=True)
    for result in results:
        name = result.model_name
        if not isinstance(result, DoneResult):
            variant = result.cell.variant.slug if isinstance(result, FailedResult) else ""
            table.add_row(name, variant, "failed")
            continue
        variant = result.cell.variant.slug
        rate, cost = result.metrics.accuracy, result.cost
        table.add_row(
            name,
            variant + (f", first {result.cell.limit}" if result.cell.limit else ""),
            f"{rate.value:.1%}",
            f"{rate.low * 100:.1f}–{rate.high * 100:.1f}",
            f"{rate.correct}/{rate.total}",
            formats.number(cost.items_per_second),
            formats.size(cost.peak_memory_bytes),
        )
    return table
