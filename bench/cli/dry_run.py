"""What `bench run --dry-run` prints: the planned cells, their state and their expected cost."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from rich.table import Table

from bench.cells.cell import CannotRun, Cell, NeedsTuning, Planned
from bench.cells.forecast import bytes_to_download, expected_peak_bytes, expected_seconds
from bench.cli.console import stdout
from bench.inputs.weights import RemoteWeights
from bench.results.journal import NAME, read_journal
from bench.results.mirrored import fetch
from bench.results.result import DoneResult, Result
from bench.results.store import find_run, read_results
from bench.sweeps.events import Terms
from bench.sweeps.finishing import lacks_latency
from bench.sweeps.leased import summaries_of
from bench.sweeps.probe_run import lacking
from bench.wording import seconds as format_seconds
from bench.wording import size


@dataclass(frozen=True, slots=True)
class PlannedCell:
    """A row of the plan, and an object of its JSON.

    `state` is "done", "to do", or what a finished run lacks, such as "latency to do". `answered` counts the
    questions of an unfinished run. `reason` says why the cell cannot run, "" where it can. `download_bytes`
    is None where the size is unknown, `seconds` where no such run was made before. `needs_token` is whether
    the download is gated.
    """

    task: str
    model: str
    variant: str
    items: int
    state: str
    answered: int
    reason: str
    download_bytes: int | None
    memory_bytes: int
    seconds: float | None
    folder: str
    needs_token: bool = False

    @property
    def is_to_do(self) -> bool:
        return self.state != "done" and not self.reason


def show_plan(cells: Sequence[Planned], results: Path, terms: Terms, *, as_json: bool) -> None:
    """Print the planned cells: their state, and the expected cost of those to do."""
    fetch(results, dict.fromkeys(path for cell in cells for path in summaries_of(cell)))
    before = list(read_results(results)) if results.is_dir() else []
    rows = [_planned(cell, results, before, terms) for cell in cells]
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=1))
        return
    stdout().print(_table(rows))
    to_do = [row for row in rows if row.is_to_do]
    seconds = [row.seconds for row in to_do if row.seconds is not None]
    text = f"{len(to_do)} of {len(rows)} cells to do"
    if seconds:
        text += (
            f"; about {format_seconds(sum(seconds))} for {len(seconds)}, from earlier runs on this machine"
        )
    click.echo(text, err=True)


def _table(rows: Sequence[PlannedCell]) -> Table:
    table = Table("task", "model", "variant", "items", "state", box=None, header_style="bold")
    for name in ("download", "memory", "time"):
        table.add_column(name, justify="right")
    for row in rows:
        words = (row.task, row.model, row.variant, str(row.items))
        if not row.is_to_do:
            table.add_row(*words, "cannot run" if row.reason else "done")
            continue
        state = f"{row.answered} answered" if row.answered else row.state
        download = size(row.download_bytes) if row.download_bytes != 0 else ""
        table.add_row(*words, state, download, size(row.memory_bytes), format_seconds(row.seconds))
    return table


def _planned(planned: Planned, results: Path, before: Sequence[DoneResult], terms: Terms) -> PlannedCell:
    match planned:
        case CannotRun():
            return _cannot_run(planned, results)
        case NeedsTuning(cell=cell) | (Cell() as cell):
            pass
    unfinished = read_journal(results / cell.folder / NAME)
    places = dict.fromkeys([] if terms.fresh else [cell.run_folder, cell.folder])
    run = next((run for place in places if (run := find_run(results, place, cell.facts.id))), None)
    return PlannedCell(
        task=cell.task.name,
        model=cell.model_name,
        variant=f"{cell.slug}, shard {cell.shard.name}" if cell.shard else cell.slug,
        items=len(cell.items),
        state="to do" if run is None else _left(cell, run.result, terms),
        answered=len(unfinished.records) if unfinished and run is None else 0,
        reason="",
        download_bytes=bytes_to_download(cell),
        memory_bytes=expected_peak_bytes(cell, before),
        seconds=expected_seconds(cell, before),
        folder=str(results / cell.folder),
        needs_token=cell.facts.model.gated and isinstance(cell.weights, RemoteWeights),
    )


def _left(cell: Cell, result: Result, terms: Terms) -> str:
    """The state of a finished run: what it lacks, or done."""
    if not isinstance(result, DoneResult):
        return "done"
    lacks = ["probes"] if lacking(cell, result, terms) else []
    lacks += ["latency"] if lacks_latency(result, terms) else []
    return f"{' and '.join(lacks)} to do" if lacks else "done"


def _cannot_run(planned: CannotRun, results: Path) -> PlannedCell:
    return PlannedCell(
        task=planned.task.name,
        model=planned.model_name,
        variant="",
        items=planned.test.rows,
        state="to do",
        answered=0,
        reason=planned.reason,
        download_bytes=0,
        memory_bytes=0,
        seconds=None,
        folder=str(results / planned.folder),
    )
