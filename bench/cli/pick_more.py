"""What `bench pick` says besides the answer: estimates, how numbers came about, and a check here."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import options
from bench.cli.pick_check import Checked, facts_of_check
from bench.errors import UsageError

if TYPE_CHECKING:
    from bench.board.board import Board
    from bench.board.choice import Choice
    from bench.board.estimates import Estimates
    from bench.board.explain import Explanation
    from bench.inputs.cards import CardFile

Facts = dict[str, object]


@dataclass(frozen=True, slots=True)
class More:
    """What is asked for besides the answer; `limit` and `data_dir` are for the check."""

    explain: bool
    check: bool
    limit: int | None
    data_dir: Path | None


@dataclass(frozen=True, slots=True)
class Supplement:
    """`explanation` is None unless it is asked for."""

    estimates: "Estimates"
    explanation: "Explanation | None"


def more_flags(command: Callable[..., None]) -> Callable[..., None]:
    """The flags of `More`, passed as one argument, `more`."""
    for option in (
        options.grouped("more", More),
        options.data_dir,
        click.option(
            "--limit",
            type=click.IntRange(1),
            metavar="N",
            help="With --check: N questions of each task, however long that takes; else two minutes' worth.",
        ),
        click.option(
            "--check",
            is_flag=True,
            help="Run the chosen model again here, for about two minutes: does the statement hold?",
        ),
        click.option("--explain", is_flag=True, help="Say how each number came about."),
    ):
        command = option(command)
    return command


def supplement(board: "Board", choice: "Choice", cards: "Sequence[CardFile]", more: More) -> Supplement:
    """Estimates of the models that did not run on this machine, and the explanation.

    Raises a UsageError for an option of the check without it.
    """
    for option, value in (("--limit", more.limit), ("--data-dir", more.data_dir)):
        if value and not more.check:
            raise UsageError(f"{option} needs --check")
    from bench.board.estimates import estimates
    from bench.inputs.file_sizes import file_size

    wanted = {card.name for card in choice.unmeasured}
    sizes = {file.name: size for file in cards if file.name in wanted and (size := file_size(file))}
    explanation = None
    if more.explain:
        from bench.board.explain import explain

        explanation = explain(board.tasks, choice)
    return Supplement(estimates(board.tasks, choice, sizes, _here(board)), explanation)


def _here(board: "Board") -> str:
    """The `hardware` of all runs, else of this machine; "" where it has no run."""
    from bench.board.candidates import hardware
    from bench.results.machine import machine_of, this_machine

    rows = [row for table in board.tasks for row in table.rows]
    origins = [result.provenance for row in rows for result in row.measured]
    if len({hardware(origin) for origin in origins}) == 1:  # asking this machine takes a while
        return hardware(origins[0])
    return next((hardware(origin) for origin in origins if machine_of(origin) == this_machine()), "")


def show_supplement(more: Supplement) -> None:
    """Print the estimates, and the explanation."""
    from bench.board.estimate_words import estimate_lines, inputs

    for line in estimate_lines(more.estimates):
        click.echo(line)
    if more.explanation:
        from bench.board.explain_words import explain_lines

        for line in explain_lines(more.explanation, inputs(more.estimates)):
            click.echo(line)


def facts_of_supplement(more: Supplement, checked: Checked | None) -> Facts:
    """The same as values."""
    from bench.board.estimate_words import estimate_facts

    facts: Facts = {"estimated": estimate_facts(more.estimates)}
    if more.explanation:
        facts["explained"] = asdict(more.explanation)
    if checked:
        facts["check"] = facts_of_check(checked)
    return facts
