"""`bench results`: list, show, merge, check, strip and prune the runs of a results folder."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli import options
from bench.cli.merging import merge
from bench.errors import FileError, Mistake, UsageError
from bench.wording import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.results.check import Entry
    from bench.results.prune import Kind
    from bench.results.result import DoneResult

KINDS = (
    "failed",
    "unfinished",
    "damaged",
    "partial",
    "outdated",
    "parts",
)  # as bench.results.prune defines them


@click.group()
def results() -> None:
    """List, show, merge, check, strip and prune runs."""


results.add_command(merge)


@results.command("list")
@options.results
@options.as_json
def list_runs(*, results: Path, as_json: bool) -> None:
    """List all runs and their state."""
    from rich.table import Table

    from bench.cli.console import stdout
    from bench.results.answers_cache import cached_results
    from bench.results.check import entries
    from bench.results.store import existing

    rows = [_row(entry) for entry in entries(existing(results), cached_results(results))]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    table = Table("id", "task", "model", "variant", "state", box=None, header_style="bold")
    table.add_column("right", justify="right")
    table.add_column("finished")
    for row in rows:
        right = f"{row['right']:,}/{row['questions']:,}" if row["right"] is not None else ""
        state = row["shards"] if row["state"] == "parts" else row["state"]
        state = ", ".join(filter(None, [state, row["origin"]]))
        if row["answered"]:
            state += f", {row['answered']:,} of {row['questions']:,} answered"
        words = [str(row[key] or "") for key in ("task", "model", "variant")]
        table.add_row((row["id"] or "")[:10], *words, state, right, row["finished"] or "")
    stdout().print(table)


def _row(entry: "Entry") -> dict[str, Any]:
    cell, result, done = entry.cell, entry.result, entry.done
    return {
        "id": cell.id if cell else None,
        "task": cell.task.name if cell else None,
        "model": cell.model.name if cell else None,
        "variant": ", ".join(filter(None, [cell.variant.slug, cell.part])) if cell else None,
        "state": entry.state,
        "origin": done.origin or None if done else None,
        "right": done.metrics.accuracy.correct if done else None,
        "questions": (cell.limit or cell.data["test"].rows) if cell else None,
        "answered": len(entry.unfinished.records) if entry.unfinished else None,
        "shards": entry.shards or None,
        "reason": entry.wrong or getattr(result, "reason", None),
        "finished": result.provenance.finished if result else None,
        "folder": str(entry.folder),
    }


@results.command()
@click.argument("run")
@options.results
@options.as_json
def show(*, run: str, results: Path, as_json: bool) -> None:
    """Show a run: accuracy by view, cost, and the machine. RUN is an id prefix or a folder."""
    entry = _find(run, results)
    if as_json:
        shown = entry.result or (entry.unfinished.head if entry.unfinished else None)
        click.echo(shown.model_dump_json(indent=1) if shown else json.dumps(_row(entry), indent=1))
        return
    click.echo(f"{results / entry.folder}: {entry.state}")
    if entry.done:
        _show_done(entry.done)
        _show_when_right(results, entry.folder)
        _show_probes(entry.done)
        return
    for key, value in _row(entry).items():
        if value is not None:
            click.echo(f"  {key:<12} {value}")
    if trace := getattr(entry.result, "traceback", ""):
        click.echo(trace)


def _show_when_right(results: Path, folder: Path) -> None:
    from bench.board.when_right import not_given, when_right
    from bench.results.answers import Answered, read_files

    [run] = read_files(results, [results / folder / "result.json"])
    if not isinstance(run, Answered):
        return
    if reason := not_given(run):
        click.echo(reason)
    elif known := when_right(run):
        click.echo("when it is right")
        for sentence in known.sentences:
            click.echo(f"  {sentence}")
        _show_facts(known.facts)


def _show_probes(result: "DoneResult") -> None:
    from bench.board.probe_words import probe_facts, probe_sections

    if result.probes is None:
        return
    for title, sentences in probe_sections(result.probes):
        click.echo(title.lower())
        for sentence in sentences:
            click.echo(f"  {sentence}")
    _show_facts(probe_facts(result))


def _show_facts(facts: "Sequence[tuple[str, str]]") -> None:
    """Pairs of name and value, in two columns."""
    width = max((len(name) for name, _ in facts), default=0)
    for name, value in facts:
        click.echo(f"  {name:<{width}} {value}")


def _show_done(result: "DoneResult") -> None:
    from bench.board import facts
    from bench.board.clustered import in_clusters
    from bench.views import view_title

    cell = result.cell
    click.echo(f"{cell.model.title} on {cell.task.title}, {cell.variant.slug}")
    if result.origin:
        click.echo(result.origin)
    rate = result.metrics.accuracy
    interval = f"({percent(rate.low)} to {percent(rate.high)})"
    click.echo(f"{rate.correct:,} of {rate.total:,} right: {percent(rate.value)} {interval}")
    if result.metrics.clusters is not None:
        click.echo(in_clusters(result.metrics.clusters))
    for view, by_view in result.metrics.views.items():
        click.echo(f"  {view_title(view):<37} {percent(by_view.value)}")
    click.echo("cost, measured during scoring")
    for name, value in facts.costs(result):
        click.echo(f"  {name:<37} {value}")
    click.echo("machine and programs")
    for name, value in facts.circumstances(result.provenance):
        click.echo(f"  {name:<37} {value}")
    click.echo(f"to repeat this run: {cell.command}")


@results.command()
@options.results
def check(*, results: Path) -> None:
    """Check all runs: counts, ids, digests, and metrics against records. Exit code 3 if one is damaged."""
    from bench.folders import display
    from bench.results.check import check as problems
    from bench.results.check import entries
    from bench.results.store import existing
    from bench.results.summary import is_sealed

    faults = list(problems(existing(results)))
    if faults:
        raise FileError([Mistake(display(path), 0, "", text) for path, text in faults], shown=100)
    states = [entry.state for entry in entries(results)]
    counts = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
    click.echo(f"sound: {counts or 'no runs'}")
    if older := sum(not is_sealed(path) for path in results.rglob("result.json")):
        click.echo(f"{older} of an older version have no digest: titles and licences in them are not checked")


@results.command()
@options.results
@click.option("--task", metavar="NAME", help="Copy the runs of this task only. Default: every task.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", required=True, help="Results folder to copy to."
)
def strip(*, results: Path, task: str | None, out: Path) -> None:
    """Copy finished runs without the texts of questions, prompts and replies.

    For data that must not be published. Ids, letters, scores and all other numbers are kept.
    """
    from bench.results.mirrored import address_of
    from bench.results.strip import strip as copies

    lines = list(copies(results, out, task))
    for line in lines:
        click.echo(line)
    if not lines:
        where = f"{f' on task {task!r}' if task else ''} in {address_of(results)}"
        raise UsageError(f"there are no runs{where} (bench results list)")


@results.command()
@click.argument("kinds", nargs=-1, required=True, type=click.Choice(KINDS))
@options.results
@click.option("--dry-run", is_flag=True, help="Print what would be removed; remove nothing.")
def prune(*, kinds: "tuple[Kind, ...]", results: Path, dry_run: bool) -> None:
    """Remove runs of the given kinds.

    partial: made with --limit. outdated: another run of the task has a newer version of the task or
    of the engine. parts: the parts that shards answered, of runs that were merged and of others. Runs that a
    sweep is working on are kept.
    """
    from bench.results.lease import CellLocked
    from bench.results.prune import entries_of_kinds, remove
    from bench.results.store import existing

    unwanted = list(entries_of_kinds(existing(results), kinds))
    for entry in unwanted:
        if not dry_run:
            try:
                remove(results, entry, kinds)
            except CellLocked:
                click.echo(f"kept {results / entry.folder}: a sweep is working on it")
                continue
        click.echo(f"{'would remove' if dry_run else 'removed'} {results / entry.folder} ({entry.state})")
    if not unwanted:
        click.echo("nothing to remove")


def _find(run: str, results: Path) -> "Entry":
    """The only run with that id prefix or folder."""
    from bench.results.check import entries
    from bench.results.store import existing

    matches = [
        entry
        for entry in entries(existing(results))
        if (entry.cell and entry.cell.id.startswith(run))
        or Path(run) in (entry.folder, results / entry.folder)
    ]
    if not matches:
        raise UsageError(f"no run matches '{run}' (bench results list)")
    if len(matches) > 1:
        raise UsageError(f"'{run}' is a prefix of {len(matches)} run ids; give a longer prefix")
    return matches[0]
