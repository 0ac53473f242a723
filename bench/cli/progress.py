"""Progress of a sweep on stderr: live bars in a terminal, lines elsewhere."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager

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

from bench.cells.cell import Cell, Planned
from bench.cli.describe_tuning import describe_prepared, describe_step
from bench.results.result import CannotRunResult, DoneResult, FailedResult, Result
from bench.sweeps.events import BeyondPositions, Busy, Event, Loading, Note, Retry, Skipped
from bench.sweeps.events import Progress as Scored
from bench.sweeps.sweep import Watch
from bench.tuning.job import Prepared, Step
from bench.wording import short_digest


@contextmanager
def progress(cells: Sequence[Planned]) -> Generator[Watch]:
    """A context with a function that shows the events of a sweep of these cells."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield PlainLines(cells).show
        return
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    ) as bars:
        yield Bars(bars, cells).show


def _heads(cells: Sequence[Planned]) -> dict[str, str]:
    """The start of each cell's lines: "[2/7] chance on medqa"."""
    return {
        cell.id: f"[{number}/{len(cells)}] {cell.model_name} on {cell.task.name}{_shard(cell)}"
        for number, cell in enumerate(cells, start=1)
    }


def _shard(cell: Planned) -> str:
    return f", shard {cell.shard.name}" if isinstance(cell, Cell) and cell.shard else ""


class PlainLines:
    """Lines for logs: when a cell starts, at each quarter of its items, and when it ends."""

    def __init__(self, cells: Sequence[Planned]) -> None:
        self.heads = _heads(cells)
        self.quarters: dict[str, int] = {}

    def show(self, cell: Planned, event: Event) -> None:
        key, head = cell.id, self.heads[cell.id]
        quarter = self.quarters.get(key, 0)
        match event:
            case Loading(done=done, total=total, slug=slug):
                self.quarters[key] = 4 * done // total
                more = f", resuming after {done}" if done else ""
                click.echo(f"{head}: {total:,} items, {slug}{more}", err=True)
            case Scored(done=done, total=total):
                if 4 * done // total > quarter and done < total:
                    self.quarters[key] = 4 * done // total
                    click.echo(f"{head}: {done:,} of {total:,} items", err=True)
            case Prepared():
                self.quarters[key] = 0
                click.echo(f"{head}: {describe_prepared(event)}", err=True)
            case Step():
                if event.held_out_loss is not None or int(4 * event.share) > quarter:
                    self.quarters[key] = int(4 * event.share)
                    click.echo(f"{head}: {describe_step(event)}", err=True)
            case _:
                click.echo(f"{head}: {_outcome(event)}", err=True)


class Bars:
    """A live bar for each running cell, and a line for each finished cell."""

    def __init__(self, progress: Progress, cells: Sequence[Planned]) -> None:
        self.progress = progress
        self.heads = _heads(cells)
        self.bars: dict[str, TaskID] = {}

    def show(self, cell: Planned, event: Event) -> None:
        key, head = cell.id, self.heads[cell.id]
        if key not in self.bars:
            self.bars[key] = self.progress.add_task(head, total=None)
        bar = self.bars[key]
        match event:
            case Loading(done=done, total=total):
                self.progress.reset(bar, description=f"{head}: loading", total=total, completed=done)
            case Scored(done=done, total=total):
                self.progress.update(bar, description=head, completed=done, total=total)
            case Step():
                text = f"{head}: {describe_step(event)}"
                self.progress.update(bar, description=text, completed=int(100 * event.share), total=100)
            case Prepared():
                self._leave_line(f"{head}: {describe_prepared(event)}")
            case Busy() | Retry() | BeyondPositions() | Note():
                self._leave_line(f"{head}: {_outcome(event)}")
            case _:
                self._leave_line(f"{head}: {_outcome(event)}")
                self.progress.remove_task(self.bars.pop(key))

    def _leave_line(self, line: str) -> None:
        self.progress.console.print(line, markup=False, highlight=False)


def _outcome(event: Result | Skipped | Busy | Retry | BeyondPositions | Note) -> str:
    match event:
        case BeyondPositions(tokens=tokens, positions=positions):
            return (
                f"note: prompts have up to {tokens:,} tokens, and the model was made for {positions:,} "
                f"(max_position_embeddings); they are scored, and with context: {positions} in its card not"
            )
        case Note(text=text):
            return f"note: {text}"
        case Busy():
            return "another sweep is running this cell; waiting for it"
        case Retry(reason=reason, smaller_batches=smaller):
            return f"{reason}; retrying{' with smaller batches' if smaller else ''}"
        case Skipped(result=result):
            rate, where = result.metrics.accuracy, result.provenance
            when = f"{where.finished[:10]}, {where.machine}"
            return f"done before ({when}): {rate.correct:,} of {rate.total:,} right; --fresh reruns it"
        case FailedResult() | CannotRunResult():
            return f"failed: {event.reason}"
        case DoneResult():
            rate, spent = event.metrics.accuracy, event.cost.scoring_seconds
            assert spent is not None, "a sweep measures what it runs"
            more = f"{_unanswered(event)}{_probed(event)}"
            part = f" ({event.cost.measured.words})" if event.cost.measured else ""
            return f"{rate.correct:,} of {rate.total:,} right in {spent:.1f} s{part}{more}"


def _probed(result: DoneResult) -> str:
    if result.probes is None:
        return ""
    if result.probes.inapplicable:
        return f"; probes not asked: {result.probes.inapplicable}"
    return f"; probes: bench results show {short_digest(result.cell.id)}"


def _unanswered(result: DoneResult) -> str:
    from bench.board.facts import unanswered

    reasons = unanswered(result.metrics)
    return f"; without an answer: {reasons}" if reasons else ""
