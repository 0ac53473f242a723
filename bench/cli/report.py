"""What a sweep looks like: progress on stderr while it runs, a table or JSON on stdout at its end."""

import json
import shlex
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from bench.board.changes import changes, describe_change
from bench.board.column import Column, Unranked
from bench.board.columns import columns_of
from bench.cli import options, tuning
from bench.inputs.weights import RemoteWeights
from bench.runs.answers import Answered, read_answered
from bench.runs.cell import Cell
from bench.runs.events import Again, Busy, Loading, Skipped, Terms
from bench.runs.events import Progress as Scored
from bench.runs.forecast import expected_seconds, needed
from bench.runs.inside import lacks_latency
from bench.runs.journal import NAME, read_journal
from bench.runs.plan import Missing
from bench.runs.result import DoneResult, FailedResult
from bench.runs.store import find_run, read_results
from bench.runs.sweep import SweepEvent, sweep
from bench.tuning.job import Prepared, Step
from bench.wording import seconds, size

Finished = DoneResult | FailedResult


def show_missing(missing: Sequence[Missing]) -> None:
    """What is not on this machine and what to do; what is missing for the same reason is told together."""
    told = {(m.reason, m.what): m.remedy for m in sorted(missing, key=lambda m: (m.reason, m.what))}
    for reason, group in groupby(told, key=lambda pair: pair[0]):
        names = [what for _, what in group]
        remedy = told[reason, names[0]] + (", and so on" if len(names) > 1 else "")
        click.echo(f"unavailable: {_together(names)}: {reason}; {remedy}", err=True)


def _together(names: Sequence[str]) -> str:
    """["model a", "model b"] -> "2 models: a, b"."""
    if len(names) > 1 and all(name.startswith("model ") for name in names):
        return f"{len(names)} models ({', '.join(name.removeprefix('model ') for name in names)})"
    return ", ".join(names)


def show_plan(cells: Sequence[Cell], results: Path, terms: Terms, *, as_json: bool) -> None:
    """The cells that would run, which of them are done, and about what the others will take."""
    before = list(read_results(results)) if results.is_dir() else []
    rows = [_planned(cell, results, before, terms) for cell in cells]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    table = Table("task", "model", "variant", "items", "state", box=None, header_style="bold")
    for name in ("download", "memory", "time"):
        table.add_column(name, justify="right")
    for row in rows:
        words = [str(row[key]) for key in ("task", "model", "variant", "items")]
        if row["state"] == "done" or row["reason"]:
            table.add_row(*words, "cannot run" if row["reason"] else "done")
            continue
        state = f"{row['answered']} answered" if row["answered"] else row["state"]
        download = size(row["download_bytes"]) if row["download_bytes"] != 0 else ""
        table.add_row(*words, state, download, size(row["memory_bytes"]), seconds(row["seconds"]))
    stdout().print(table)
    todo = [row for row in rows if row["state"] != "done" and not row["reason"]]
    known = [row["seconds"] for row in todo if row["seconds"] is not None]
    text = f"{len(todo)} of {len(rows)} to do"
    if known:
        text += f"; {len(known)} of them as before on this machine: about {seconds(sum(known))}"
    click.echo(text, err=True)


def _planned(cell: Cell, results: Path, before: Sequence[DoneResult], terms: Terms) -> dict[str, Any]:
    weights = cell.opening.weights
    unfinished = read_journal(results / cell.folder / NAME)
    run = None if terms.fresh else find_run(results, cell.folder, cell.facts.id)
    lacking = run and isinstance(run.result, DoneResult) and lacks_latency(run.result, terms)
    return {
        "task": cell.task.name,
        "model": cell.facts.model.name,
        "variant": cell.facts.variant.slug,
        "items": len(cell.items),
        "state": "to do" if run is None else "latency to do" if lacking else "done",
        "answered": len(unfinished.records) if unfinished and run is None else 0,
        "reason": cell.reason,
        "download_bytes": weights.bytes if isinstance(weights, RemoteWeights) else 0,
        "memory_bytes": needed(cell, before),
        "seconds": expected_seconds(cell, before),
        "folder": str(results / cell.folder),
    }


def run_with_progress(cells: Sequence[Cell], results: Path, terms: Terms) -> list[Finished]:
    """Run the sweep, showing how it goes; returns the results, in the order of the cells."""
    ended: dict[int, Finished] = {}
    numbers = {id(cell): number for number, cell in enumerate(cells, start=1)}
    with _view(len(cells)) as view:
        for cell, event in sweep(cells, results, terms):
            number = numbers[id(cell)]
            view.show(number, cell, event)
            if isinstance(event, Skipped):
                ended[number] = event.result
            elif isinstance(event, (DoneResult, FailedResult)):
                ended[number] = event
    return [ended[number] for number in sorted(ended)]


class View(Protocol):
    def show(self, number: int, cell: Cell, event: SweepEvent) -> None: ...


@contextmanager
def _view(total: int) -> Generator[View]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield PlainLines(total)
        return
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    ) as progress:
        yield Bars(progress, total)


class PlainLines:
    """Lines for logs: when a cell starts, at each quarter of its items, and when it ends."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.quarters: dict[int, int] = {}

    def show(self, number: int, cell: Cell, event: SweepEvent) -> None:
        head = f"[{number}/{self.total}] {cell.facts.model.name} on {cell.task.name}"
        quarter = self.quarters.get(number, 0)
        match event:
            case Loading(done=done):
                self.quarters[number] = 4 * done // len(cell.items)
                more = f", going on after {done}" if done else ""
                click.echo(f"{head}: {len(cell.items)} items, {cell.facts.variant.slug}{more}", err=True)
            case Scored(done=done, total=total):
                if 4 * done // total > quarter and done < total:
                    self.quarters[number] = 4 * done // total
                    click.echo(f"{head}: {done} of {total} items", err=True)
            case Prepared():
                self.quarters[number] = 0
                click.echo(f"{head}: {tuning.prepared(event)}", err=True)
            case Step():
                if event.held_out_loss is not None or int(4 * event.share) > quarter:
                    self.quarters[number] = int(4 * event.share)
                    click.echo(f"{head}: {tuning.step(event)}", err=True)
            case _:
                click.echo(f"{head}: {_outcome(event)}", err=True)


class Bars:
    """A live bar for each running cell; a line is left behind for each that ended."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress = progress
        self.total = total
        self.bars: dict[int, TaskID] = {}

    def show(self, number: int, cell: Cell, event: SweepEvent) -> None:
        head = f"[{number}/{self.total}] {cell.facts.model.name} on {cell.task.name}"
        if number not in self.bars:
            self.bars[number] = self.progress.add_task(head, total=None)
        bar = self.bars[number]
        match event:
            case Loading(done=done):
                self.progress.reset(
                    bar, description=f"{head}: loading", total=len(cell.items), completed=done
                )
            case Scored(done=done, total=total):
                self.progress.update(bar, description=head, completed=done, total=total)
            case Step():
                text = f"{head}: {tuning.step(event)}"
                self.progress.update(bar, description=text, completed=int(100 * event.share), total=100)
            case Prepared():
                self._leave(f"{head}: {tuning.prepared(event)}")
            case Busy() | Again():
                self._leave(f"{head}: {_outcome(event)}")
            case _:
                self._leave(f"{head}: {_outcome(event)}")
                self.progress.remove_task(self.bars.pop(number))

    def _leave(self, line: str) -> None:
        self.progress.console.print(line, markup=False, highlight=False)


def _outcome(event: DoneResult | FailedResult | Skipped | Busy | Again) -> str:
    match event:
        case Busy():
            return "another sweep works on this; waiting for it"
        case Again(reason=reason, smaller=smaller):
            return f"{reason}; once more{', with smaller batches' if smaller else ''}"
        case Skipped(result=result):
            rate, where = result.metrics.accuracy, result.provenance
            when = f"{where.finished[:10]}, {where.machine}"
            return f"done before ({when}): {rate.correct} of {rate.total} right; --fresh runs it again"
        case FailedResult():
            return f"failed: {event.reason}"
        case DoneResult():
            rate, spent = event.metrics.accuracy, event.cost.scoring_seconds
            assert spent is not None, "a sweep measures what it runs"
            return f"{rate.correct} of {rate.total} right in {spent:.1f} s"


def show_results(ended: Sequence[Finished], results: Path, *, as_json: bool) -> None:
    """Everything the sweep ended with, best first within a task; failures have a row and a reason."""
    if as_json:
        click.echo(json.dumps([result.model_dump(mode="json") for result in ended], indent=1))
        return
    for task, group in groupby(ended, key=lambda result: result.cell.task.name):
        rows = list(group)
        stdout().print(_table(task, sorted(rows, key=_rank)))
        for line in (*_failures(rows), *_changes(task, rows, results)):
            click.echo(line)
        if notice := rows[0].cell.task.notice:
            click.echo(f"Note: {notice}")
        click.echo()
    if ended:
        click.echo(f"kept in {results}; the page: bench leaderboard build --results {results}", err=True)


def _failures(ended: Sequence[Finished]) -> Iterator[str]:
    """Why each failed, and the command that runs only those again."""
    failures = [result for result in ended if isinstance(result, FailedResult)]
    for result in failures:
        yield f"failed: {result.cell.model.name}: {result.reason}"
    if failures:
        names = dict.fromkeys(result.cell.model.name for result in failures)
        yield f"only these again: {_narrowed(names)}"


def _narrowed(models: Iterable[str]) -> str:
    """This command for some of its models only."""
    others: list[str] = []
    arguments = iter(click.get_current_context().meta[options.WORDS])
    for argument in arguments:
        if argument in ("--models", "-m"):
            next(arguments, None)
        elif not argument.startswith(("--models=", "-m")):
            others.append(argument)
    return shlex.join(["bench", *others, "--models", ",".join(models)])


def _changes(task: str, ended: Sequence[Finished], results: Path) -> Iterator[str]:
    """What quantising or tuning did to a model, compared with its original run, even an older one."""
    ids = {result.cell.id for result in ended}
    for model in sorted({result.cell.model.name for result in ended if _is_changed(result)}):
        runs = [run for run in read_answered(results / task / model) if isinstance(run, Answered)]
        new = [change for change in changes(runs) if {change.before.cell.id, change.after.cell.id} & ids]
        for change in new:
            yield f"{model}, {describe_change(change)}"
        compared = {change.after.cell.id for change in new}
        for result in ended:
            if result.cell.model.name == model and _is_changed(result) and result.cell.id not in compared:
                flag = "--lora none" if result.cell.variant.adapter else "--quantize none"
                text = f"no run of the original to compare with; run it too ({flag})"
                yield f"{model}, {result.cell.variant.slug}: {text}"


def _is_changed(result: Finished) -> bool:
    variant = result.cell.variant
    return isinstance(result, DoneResult) and (variant.quantize != "none" or variant.adapter is not None)


def _rank(result: Finished) -> tuple[float, str]:
    accuracy = result.metrics.accuracy.value if isinstance(result, DoneResult) else -1.0
    return -accuracy, result.cell.model.name


def _table(task: str, results: Sequence[Finished]) -> Table:
    columns = columns_of("sweep")
    table = table_of(task, columns)
    for result in results:
        if isinstance(result, FailedResult):
            table.add_row(result.cell.model.name, result.cell.variant.slug, "failed")
            continue
        table.add_row(*(column.format_short(Unranked(result)) for column in columns))
    return table


def table_of(title: str, columns: Sequence[Column]) -> Table:
    """A table with those columns and no row yet."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, header_style="bold")
    for column in columns:
        if column.number:
            table.add_column(column.terminal_title, justify="right", no_wrap=True)
        else:
            table.add_column(column.terminal_title, overflow="fold")
    return table


def stdout() -> Console:
    """A console for results: as wide as the table needs where nobody's terminal sets a width."""
    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=160)
