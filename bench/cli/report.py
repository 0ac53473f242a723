"""The results of a sweep on stdout: a table for each task, or JSON."""

import json
import shlex
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import click
from rich.table import Table

from bench.board.changes import changes, describe_change
from bench.board.column import Unranked
from bench.board.columns import columns_of
from bench.cli import options
from bench.cli.console import new_table, stdout
from bench.results.answers import Answered, read_answered
from bench.results.integrity import questions_of
from bench.results.mirrored import address_of, fetch_below
from bench.results.result import CannotRunResult, DoneResult, FailedResult, Result
from bench.results.variant import Variant


def show_results(ended: Sequence[Result], results: Path, *, as_json: bool) -> None:
    """Print all results, best first within a task; failures have a row and a reason."""
    if as_json:
        click.echo(json.dumps([result.model_dump(mode="json") for result in ended], indent=1))
        return
    for (task, shard), group in groupby(ended, key=lambda result: (result.task.name, _shard(result))):
        rows = list(group)
        stdout().print(_table(f"{task}{shard}", sorted(rows, key=_rank)))
        for line in (*_failures(rows), *_changes(task, rows, results)):
            click.echo(line)
        if notice := rows[0].task.notice:
            click.echo(f"Note: {notice}")
        click.echo()
    place = address_of(results)
    if any(_shard(result) for result in ended):
        command = shlex.join(["bench", "results", "merge", "--results", place])
        click.echo(f"parts are saved in {place}; to make runs when all are there: {command}", err=True)
    elif ended:
        command = shlex.join(["bench", "leaderboard", "build", "--results", place])
        click.echo(f"saved in {place}; to build the site: {command}", err=True)


def _shard(result: Result) -> str:
    """Which shard a part of a run is of, as the table's title says it; "" for a whole run."""
    if not isinstance(result, DoneResult) or result.shard is None:
        return ""
    asked, every = len(result.shard.positions), questions_of(result.cell)
    return f", shard {result.shard.name}: {asked:,} of {every:,} questions"


def _failures(ended: Sequence[Result]) -> Iterator[str]:
    """Why each cell failed, and the command that retries only those."""
    failures = [result for result in ended if not isinstance(result, DoneResult)]
    for result in failures:
        yield f"failed: {result.model_name}: {result.reason}"
    if failures:
        names = dict.fromkeys(result.model_name for result in failures)
        yield f"to retry: {_command_for(names)}"


def _command_for(models: Iterable[str]) -> str:
    """This command, but with these models only."""
    kept: list[str] = []
    words = iter(click.get_current_context().meta[options.ARGUMENTS])
    for word in words:
        if word in ("--models", "-m"):
            next(words, None)
        elif not word.startswith(("--models=", "-m")):
            kept.append(word)
    return shlex.join(["bench", *kept, "--models", ",".join(models)])


def _changes(task: str, ended: Sequence[Result], results: Path) -> Iterator[str]:
    """How quantising or tuning changed a model, compared with a run of the original in the results folder."""
    done = [result for result in ended if isinstance(result, DoneResult)]
    ids = {result.cell.id for result in done}
    changed = [result for result in done if _is_changed(result.cell.variant) and not result.shard]
    for model in sorted({result.model_name for result in changed}):
        fetch_below(results, Path(task) / model)
        runs = [run for run in read_answered(results / task / model) if isinstance(run, Answered)]
        pairs = [change for change in changes(runs) if {change.before.cell.id, change.after.cell.id} & ids]
        for change in pairs:
            yield f"{model}, {describe_change(change)}"
        compared = {change.after.cell.id for change in pairs}
        for result in changed:
            if result.model_name == model and result.cell.id not in compared:
                flag = "--lora none" if result.cell.variant.adapter else "--quantize none"
                text = f"no run of the original model to compare with; run it with {flag}"
                yield f"{model}, {result.cell.variant.slug}: {text}"


def _is_changed(variant: Variant) -> bool:
    return variant.quantize != "none" or variant.adapter is not None


def _rank(result: Result) -> tuple[float, str]:
    accuracy = result.metrics.accuracy.value if isinstance(result, DoneResult) else -1.0
    return -accuracy, result.model_name


def _table(task: str, results: Sequence[Result]) -> Table:
    columns = columns_of("sweep")
    table = new_table(task, columns)
    for result in results:
        match result:
            case DoneResult():
                table.add_row(*(column.format_short(Unranked(result)) for column in columns))
            case FailedResult():
                table.add_row(result.model_name, result.cell.variant.slug, "failed")
            case CannotRunResult():
                table.add_row(result.model_name, "", "failed")
    return table
