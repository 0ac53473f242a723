"""How a sweep looks while it runs: live bars in a terminal, lines elsewhere; all on stderr."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

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

from bench.cli import tuning
from bench.runs.cell import Planned
from bench.runs.events import Again, Busy, Loading, Skipped, Terms
from bench.runs.events import Progress as Scored
from bench.runs.result import CannotRunResult, DoneResult, FailedResult, Result
from bench.runs.sweep import SweepEvent, sweep
from bench.tuning.job import Prepared, Step


def run_with_progress(cells: Sequence[Planned], results: Path, terms: Terms) -> list[Result]:
    """Run the sweep, showing how it goes; returns the results, in the order of the cells."""
    ended: dict[int, Result] = {}
    numbers = {id(cell): number for number, cell in enumerate(cells, start=1)}
    with _view(len(cells)) as view:
        for cell, event in sweep(cells, results, terms):
            number = numbers[id(cell)]
            view.show(number, cell, event)
            if isinstance(event, Skipped):
                ended[number] = event.result
            elif isinstance(event, Result):
                ended[number] = event
    return [ended[number] for number in sorted(ended)]


class View(Protocol):
    def show(self, number: int, cell: Planned, event: SweepEvent) -> None: ...


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

    def show(self, number: int, cell: Planned, event: SweepEvent) -> None:
        head = f"[{number}/{self.total}] {cell.model_name} on {cell.task.name}"
        quarter = self.quarters.get(number, 0)
        match event:
            case Loading(done=done, total=total, slug=slug):
                self.quarters[number] = 4 * done // total
                more = f", going on after {done}" if done else ""
                click.echo(f"{head}: {total} items, {slug}{more}", err=True)
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

    def show(self, number: int, cell: Planned, event: SweepEvent) -> None:
        head = f"[{number}/{self.total}] {cell.model_name} on {cell.task.name}"
        if number not in self.bars:
            self.bars[number] = self.progress.add_task(head, total=None)
        bar = self.bars[number]
        match event:
            case Loading(done=done, total=total):
                self.progress.reset(bar, description=f"{head}: loading", total=total, completed=done)
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


def _outcome(event: Result | Skipped | Busy | Again) -> str:
    match event:
        case Busy():
            return "another sweep works on this; waiting for it"
        case Again(reason=reason, smaller=smaller):
            return f"{reason}; once more{', with smaller batches' if smaller else ''}"
        case Skipped(result=result):
            rate, where = result.metrics.accuracy, result.provenance
            when = f"{where.finished[:10]}, {where.machine}"
            return f"done before ({when}): {rate.correct} of {rate.total} right; --fresh runs it again"
        case FailedResult() | CannotRunResult():
            return f"failed: {event.reason}"
        case DoneResult():
            rate, spent = event.metrics.accuracy, event.cost.scoring_seconds
            assert spent is not None, "a sweep measures what it runs"
            return f"{rate.correct} of {rate.total} right in {spent:.1f} s"
