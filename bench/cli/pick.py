"""`bench pick`: which of the measured models to use within limits."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.board.limits import PERMISSIVE, Limits, read_bytes, read_joules, read_seconds
from bench.cli import options
from bench.cli.pick_check import check, show_check
from bench.cli.pick_more import (
    More,
    Supplement,
    facts_of_supplement,
    more_flags,
    show_supplement,
    supplement,
)
from bench.errors import UsageError, there_are

if TYPE_CHECKING:
    from rich.table import Table

    from bench.board.board import Board
    from bench.board.choice import Choice, Scored

GAPS = 5
"""How many commands are shown."""


def _limit(
    read: Callable[[str], float],
) -> Callable[[click.Context, click.Parameter, str | None], float | None]:
    """Reads the value of an option with its unit; a message names the option."""

    def callback(_context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
        try:
            return None if value is None else read(value)
        except UsageError as error:
            raise UsageError(f"{parameter.opts[0]}: {error}") from None

    return callback


def _languages(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    words = [word.strip().casefold() for value in values for word in value.split(",")]
    return tuple(dict.fromkeys(filter(None, words)))


@click.command()
@click.option(
    "--memory",
    metavar="SIZE",
    callback=_limit(read_bytes),
    help="Peak memory of at most this, such as 4GB. Default: no limit, as for all limits.",
)
@click.option(
    "--latency",
    "p50",
    metavar="TIME",
    callback=_limit(read_seconds),
    help="Half of all answers within this time, such as 500ms, where questions are asked one at a time.",
)
@click.option(
    "--p95", metavar="TIME", callback=_limit(read_seconds), help="95 of 100 answers within this time."
)
@click.option("--disk", metavar="SIZE", callback=_limit(read_bytes), help="Weights of at most this size.")
@click.option(
    "--energy",
    "joules",
    metavar="ENERGY",
    callback=_limit(read_joules),
    help="Energy of one answer, such as 20J.",
)
@click.option(
    "--license",
    "licence",
    default="",
    metavar="NAME",
    help=f"Models of this licence only; permissive: {', '.join(sorted(PERMISSIVE))}.",
)
@click.option(
    "--language",
    "languages",
    multiple=True,
    callback=_languages,
    metavar="CODES",
    help="Models for all of these languages, such as de,en, as their cards state them.",
)
@click.option(
    "--machine",
    default="",
    metavar="NAME",
    help="Memory, times and energy measured on this machine only: this, a part of a machine's description, "
    "or any. Default: any.",
)
@options.grouped("limits", Limits)
@click.option(
    "--tasks",
    "-t",
    multiple=True,
    metavar="NAMES",
    help="Tasks by name or glob; separate several with commas. Default: the suite's, else all with runs.",
)
@options.suite
@options.results
@more_flags
@options.as_json
def pick(
    *, limits: Limits, tasks: tuple[str, ...], suite: str | None, results: Path, more: More, as_json: bool
) -> None:
    """Say which of the measured models to use within limits.

    The score is the mean over the tasks of the way from guessing (0 %) to all right (100 %). Of several
    models that cannot be told apart, the cheapest is taken. Only models with a run of every task are ranked.

    \b
    Exit codes of --check: 0 the statement holds here, 1 it does not, 2 it cannot be checked here.
    """  # noqa: D301 (click reads the backspace as "keep these lines")
    from bench.board.choice import choose
    from bench.board.reading import read_board_quickly
    from bench.inputs.cards import cards_and_mistakes
    from bench.results.mirrored import address_of

    cards = cards_and_mistakes()[0]
    board = read_board_quickly(results, cards, ranked=False)
    if not board.tasks:
        raise UsageError(f"there are no runs in {address_of(results)} (bench run --help)")
    _check_licence(limits.licence, board)
    _check_languages(limits.languages, board)
    limits = replace(limits, machine=_machine(limits.machine, board))
    choice = choose(board.tasks, _weights(tasks, suite, board), limits)
    others = _other_machines(choice, board)
    beside = supplement(board, choice, cards, more)
    if not as_json:
        _show(choice, others)
        show_supplement(beside)
    for text in board.damaged:
        click.echo(f"not read: {text}", err=True)
    _end(choice, beside, more, as_json=as_json)


def _end(choice: "Choice", beside: Supplement, more: More, *, as_json: bool) -> None:
    """Run the check where it is asked for, and print the rest."""
    from bench.board.choice_facts import facts_of

    checked = check(choice, more.limit, more.data_dir) if more.check else None
    if as_json:
        click.echo(json.dumps(facts_of(choice) | facts_of_supplement(beside, checked), indent=1))
    elif checked:
        show_check(checked)
    if checked:
        raise SystemExit(checked.code)


def _weights(terms: tuple[str, ...], suite: str | None, board: "Board") -> dict[str, float]:
    """The weights of a suite's tasks, and the board's of each other; all of the board where none is named.

    Raises a UsageError for a task without runs.
    """
    from bench.inputs.suite import chosen_tasks, find_suite

    measured = list(board.weights)
    weights = dict(find_suite(suite).tasks) if suite else {}
    for term in chosen_tasks(terms, None):
        names = [name for name in measured if fnmatchcase(name, term)]
        if not names:
            raise UsageError(f"no task with runs is named '{term}'{there_are(term, measured)}")
        weights = {name: board.weights[name] for name in names} | weights
    return weights or board.measured or dict(board.weights)


def _check_licence(licence: str, board: "Board") -> None:
    known = {row.result.cell.model.license for table in board.tasks for row in table.rows}
    if licence and licence.casefold() not in {"permissive", *(name.casefold() for name in known)}:
        names = {"permissive", *known}
        raise UsageError(f"--license: no model has the licence '{licence}'{there_are(licence, names)}")


def _check_languages(languages: tuple[str, ...], board: "Board") -> None:
    known = {code for table in board.tasks for row in table.rows for code in row.result.cell.model.languages}
    for language in languages:
        if language not in known:
            raise UsageError(f"--language: no model states '{language}'{there_are(language, known)}")


def _machine(name: str, board: "Board") -> str:
    """The `hardware` that a name stands for, "" for any; raises a UsageError unless it is one."""
    from bench.board.candidates import hardware
    from bench.results.machine import machine_of, this_machine

    wanted = name.casefold()
    if wanted in ("", "any"):
        return ""
    results = [result for table in board.tasks for row in table.rows for result in row.measured]
    # Baselines never run on a GPU, so they would make two machines of one.
    models = [result for result in results if not result.cell.model.is_baseline] or results
    origins = [result.provenance for result in models if result.provenance.machine != "unknown"]
    if wanted == "this":
        names = {hardware(origin) for origin in origins if machine_of(origin) == this_machine()}
        if not names:
            return this_machine()
    else:
        known = {hardware(origin) for origin in origins}
        names = {each for each in known if wanted in each.casefold()}
        names = {each for each in names if wanted == each.casefold()} or names
        if not names:
            listed = "; ".join(sorted(known))
            raise UsageError(f"--machine: no run is from a machine named '{name}' (there are {listed})")
    if len(names) > 1:
        listed = "; ".join(sorted(names))
        raise UsageError(f"--machine: '{name}' is more than one machine ({listed}); write more of the name")
    return names.pop()


def _other_machines(choice: "Choice", board: "Board") -> list[str]:
    """Where the models were measured, too, while the costs are those of one machine that was not named."""
    from bench.board.candidates import hardware, has_costs

    rows = [row for table in board.tasks if table.task.name in choice.tasks for row in table.rows]
    results = [each for row in rows if not row.result.cell.model.is_baseline for each in row.measured]
    known = {hardware(each.provenance) for each in results if has_costs(each)}
    return sorted(known.difference(choice.machines)) if not choice.limits.machine else []


def _show(choice: "Choice", other_machines: "Sequence[str]") -> None:
    from bench.board.choice_words import sentence, support, to_measure
    from bench.cli.console import stdout

    click.echo(sentence(choice))
    for line in support(choice):
        click.echo(line)
    if other_machines and len(choice.machines) == 1:
        others = "; ".join(other_machines)
        click.echo(f"Memory and times are those measured on {choice.machines[0]}; --machine takes {others}.")
    if choice.fitting:
        stdout().print(_table(choice.fitting))
    gaps = to_measure(choice)
    for what, command in gaps[:GAPS]:
        click.echo(f"not measured: {what}\n  {command}")
    if more := len(gaps) - min(len(gaps), GAPS):
        click.echo(f"not measured: {more} more (--json lists {'it' if more == 1 else 'them'})")


def _table(models: "Iterable[Scored]") -> "Table":
    from rich.table import Table

    from bench.wording import DASH, latency, or_dash, percent, size

    table = Table("Model that fits", box=None, header_style="bold")
    for title in ("Score", "Memory", "Weights", "One answer", "95 of 100", "On disk"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("Licence")
    for each in models:
        needs = each.candidate.needs
        times = (DASH if time is None else latency(time) for time in (needs.p50, needs.p95))
        sizes = size(needs.memory), size(needs.weights), *times, size(needs.disk)
        table.add_row(each.candidate.name, percent(each.score), *sizes, or_dash(needs.licence))
    return table
