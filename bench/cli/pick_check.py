"""`bench pick --check`: the chosen model again, here, on some of the questions, in about two minutes."""

import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from bench.errors import BenchError

if TYPE_CHECKING:
    from bench.board.board import Row
    from bench.board.candidates import Candidate
    from bench.board.choice import Choice
    from bench.board.limits import Limits
    from bench.board.recheck import Again, Recheck
    from bench.cells.cell import Cell, Planned
    from bench.results.result import DoneResult
    from bench.sweeps.events import Event
    from bench.sweeps.sweep import Watch

SECONDS = 120.0
"""About how long a check takes, over all tasks."""
START_SECONDS = 20.0
"""About what a cell's process needs to start and to choose the path."""
SHARE = 0.5
"""Of the time that is left, the part to plan for: the machine may be busier than it was."""
HOLDS, DOES_NOT_HOLD, CANNOT_BE_CHECKED = 0, 1, 2
FLAGS_OF_CODE = ("--allow-code", "--allow-pickle", "--trust-remote-code")
Facts = dict[str, object]


class CannotCheckError(BenchError):
    """Why a statement cannot be checked here, and what to do."""


@dataclass(frozen=True, slots=True)
class Checked:
    """`code` is the exit code; `reason` says why nothing was checked, "" where it was."""

    model: str
    code: int
    tasks: "tuple[Recheck, ...]" = ()
    reason: str = ""


def check(choice: "Choice", limit: int | None, data_dir: Path | None) -> Checked:
    """Run the chosen model again, into a temporary folder, on at most `limit` questions of each task."""
    candidate = _checked_model(choice)
    if candidate is None:
        return Checked("", CANNOT_BE_CHECKED, reason="no model was chosen")
    try:
        rows = [candidate.rows[task] for task in choice.tasks]
        seconds = None if limit else SECONDS / len(rows)
        cells = [_cell(row, limit, seconds, data_dir) for row in rows]
        done = tuple(
            _recheck(row, cell, choice.limits, seconds) for row, cell in zip(rows, cells, strict=True)
        )
    except BenchError as error:
        return Checked(candidate.name, CANNOT_BE_CHECKED, reason=str(error))
    return Checked(candidate.name, DOES_NOT_HOLD if any(each.wrong for each in done) else HOLDS, done)


def _checked_model(choice: "Choice") -> "Candidate | None":
    """The chosen model; where none is to be used, the best of those."""
    from bench.board.choice import CheapestOfBest, OneBest, UseNone

    match choice.answer:
        case UseNone(best=scored) | OneBest(chosen=scored) | CheapestOfBest(chosen=scored):
            return scored.candidate
        case _:
            return None


def _cell(row: "Row", limit: int | None, seconds: float | None, data_dir: Path | None) -> "Cell":
    """The cell of a run on some of its questions, from the command that repeats it."""
    from bench.board.recheck import reason_not_repeated
    from bench.cells.cell import CannotRun, Cell, NeedsTuning
    from bench.cells.wish import Settings
    from bench.cli.run import Selection, plan_selected, run

    facts = row.result.cell
    words = [word for word in shlex.split(facts.command)[2:] if word != "--fresh"]
    if row.result.imported:
        raise CannotCheckError(f"its run is {row.result.origin}, and cannot be repeated here")
    if "--include-path" in words or set(FLAGS_OF_CODE).intersection(words):
        raise CannotCheckError(f"its run needs folders or code of your own: {facts.command}")
    # With its parent, because click keeps the help option that a command is first parsed with.
    parent = click.get_current_context()
    params = run.make_context("run", _without_data_dir(words), parent=parent).params
    # Offline, because a check of two minutes downloads nothing.
    named = {name: params[name] for name in ("models", "tasks", "suite", "include_path")}
    selection = Selection(**named, data_dir=data_dir, offline=True, strict=False)
    within = facts.data["test"].rows if seconds is None else questions_within(row.result, seconds)
    asked = min(limit or within, within)
    settings = Settings(limit=asked, seed=params["seed"])
    cells, missing, _, _ = plan_selected(selection, params["choices"].variants(), settings)
    match cells:
        case [Cell() as cell]:
            if reason := reason_not_repeated(facts, cell.facts):
                raise CannotCheckError(reason)
            return cell
        case [NeedsTuning()]:
            raise CannotCheckError(f"its adapter is not here; this tunes it first: {facts.command}")
        case [CannotRun(reason=reason)]:
            raise CannotCheckError(reason)
        case _:
            raise CannotCheckError(f"{missing[0].what}: {missing[0].reason}; {missing[0].remedy}")


def _without_data_dir(words: Sequence[str]) -> list[str]:
    """The words of a command without `--data-dir DIR`, which stands for a folder of another machine."""
    if "--data-dir" not in words:
        return list(words)
    at = words.index("--data-dir")
    return [*words[:at], *words[at + 2 :]]


def questions_within(result: "DoneResult", seconds: float) -> int:
    """How many of a run's questions can be asked in a time, if each takes as long as then; at least 1."""
    from bench.sweeps.latency import ALONE

    cost, total = result.cost, result.metrics.accuracy.total
    alone = (ALONE + 1) * (cost.alone.p50 if cost.alone else 0.0)
    left = seconds - START_SECONDS - (cost.load_seconds or 0.0) - alone
    each = cost.scoring_seconds / result.measured_questions if cost.scoring_seconds else 1.0
    return max(1, min(total, int(SHARE * left / each)))


def _recheck(row: "Row", cell: "Cell", limits: "Limits", seconds: float | None) -> "Recheck":
    """Run the cell with latency, for at most so long, and compare it with the run."""
    from bench.board.recheck import recheck
    from bench.cli.progress import progress
    from bench.results.machine import machine_of, this_machine
    from bench.sweeps.events import Terms
    from bench.sweeps.executor import LOCAL
    from bench.sweeps.sweep import run_sweep

    here = (result for result in row.measured if machine_of(result.provenance) == this_machine())
    before = next(here, row.result)
    terms = Terms(fresh=True, timeout=seconds, latency=True)
    fewer = f"fewer questions take less time: --limit {max(1, len(cell.items) // 2)}"
    with TemporaryDirectory(prefix="bench-check-") as folder, progress([cell]) as watch:
        ended = run_sweep([cell], Path(folder), terms, LOCAL, _unless_failed(watch))
        again = _again(Path(folder), cell, before)
    if again is None:
        reasons = [result.reason for result in ended if result.status != "done"]
        raise CannotCheckError(f"{', '.join(reasons)}; {fewer}")
    if (limits.p50 or limits.p95) and again.times.p50 is None:
        within = "" if seconds is None else f" within {seconds:g} s"
        raise CannotCheckError(f"the time of one answer was not measured{within}; {fewer}")
    answers = {record.question_id: record for record in row.answers.records()}
    return recheck(before, answers, again, limits)


def _unless_failed(watch: "Watch") -> "Watch":
    """A failure is in the verdict; a check that runs out of time is none."""

    def show(cell: "Planned", event: "Event") -> None:
        if getattr(event, "status", "") != "failed":
            watch(cell, event)

    return show


def _again(results: Path, cell: "Cell", before: "DoneResult") -> "Again | None":
    """What the cell did, as far as it came in its time; None where it answered nothing."""
    from bench.board.candidates import hardware
    from bench.board.recheck import Again, Times, times_of
    from bench.engines.device import has_accelerator
    from bench.results.journal import NAME, read_journal
    from bench.results.machine import machine_of, this_machine
    from bench.results.store import find_run

    if run := find_run(results, cell.folder, cell.facts.id):
        assert run.result.status == "done", "find_run gives finished runs"
        return Again(run.records, times_of(run.result), hardware(run.result.provenance))
    unfinished = read_journal(results / cell.folder / NAME)
    if unfinished is None or not unfinished.batches:
        return None
    here = this_machine()
    machine = hardware(before.provenance) if machine_of(before.provenance) == here else here
    peaks = [batch.peak_memory_bytes for batch in unfinished.batches if batch.peak_memory_bytes]
    records = tuple(record for batch in unfinished.batches for record in batch.records)
    # Batches know the memory of the process, and not that of an accelerator.
    memory = None if has_accelerator() else max(peaks, default=None)
    return Again(records, Times(memory, None, None), machine)


def show_check(checked: Checked) -> None:
    """Print what was compared, and the verdict."""
    from rich.table import Table

    from bench.cli.console import stdout
    from bench.wording import DASH, latency, size

    table = Table(f"Checked: {checked.model}", box=None, header_style="bold")
    for title in ("Then", "Now"):
        table.add_column(title, justify="right")
    for each in checked.tasks:
        table.add_row(f"{each.task}: questions", str(each.total), str(each.asked))
        table.add_row(f"{each.task}: same answers", "", f"{each.equal} of {each.asked}")
        if each.ties:
            table.add_row(f"{each.task}: other, of equal score", "", str(each.ties))
        table.add_row(f"{each.task}: memory", size(each.before.memory), size(each.now.memory))
        for name, before, now in (
            ("one answer", each.before.p50, each.now.p50),
            ("95 of 100", each.before.p95, each.now.p95),
        ):
            times = (DASH if time is None else latency(time) for time in (before, now))
            table.add_row(f"{each.task}: {name}", *times)
    if checked.tasks:
        stdout().print(table)
    click.echo(verdict(checked))


def verdict(checked: Checked) -> str:
    """ "The statement holds here." or why it does not."""
    if checked.code == CANNOT_BE_CHECKED:
        return f"The statement cannot be checked here: {checked.reason}."
    other = "" if all(each.same_machine for each in checked.tasks) else ", on another machine than the runs'"
    if checked.code == HOLDS:
        return f"The statement holds here{other}."
    wrong = "; ".join(text for each in checked.tasks for text in each.wrong)
    return f"The statement does not hold here{other}: {wrong}."


def facts_of_check(checked: Checked) -> Facts:
    """The same as values."""
    words = {HOLDS: "holds", DOES_NOT_HOLD: "does not hold", CANNOT_BE_CHECKED: "cannot be checked"}
    return {
        "verdict": words[checked.code],
        "sentence": verdict(checked),
        "model": checked.model,
        "tasks": [asdict(each) for each in checked.tasks],
    }
