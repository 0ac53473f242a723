"""`bench gate`: whether a model meets a policy's requirements, for continuous integration and procurement."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import options
from bench.errors import BenchError, FileError, Mistake, UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from bench.board.board import Board
    from bench.board.gate import Decision
    from bench.board.gate_names import Known
    from bench.board.policy import Policy
    from bench.inputs.cards import CardFile

EXIT_CODES: Mapping[str, int] = {"GO": 0, "NO-GO": 1, "INCONCLUSIVE": 2}


class _WrongUsage(click.UsageError):
    exit_code = FileError.exit_code


class _Gate(click.Command):
    """Ends with exit code 3 after any error, because 1 and 2 are answers."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: object,
    ) -> click.Context:
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            raise _WrongUsage(error.format_message(), error.ctx) from error

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BenchError as error:
            error.exit_code = FileError.exit_code
            raise


@click.command(cls=_Gate)
@click.argument("policy", type=click.Path(path_type=Path))
@options.results
@options.as_json
def gate(*, policy: Path, results: Path, as_json: bool) -> None:
    """Say whether a model meets the requirements of POLICY, a YAML file.

    Exit codes: 0 for GO, where all requirements are met; 1 for NO-GO, where one is violated; 2 for
    INCONCLUSIVE, where one is undecided or was not measured; 3 for a mistake in the policy or the command.
    """
    from bench.board.candidates import candidates, machines_of
    from bench.board.gate import decide
    from bench.board.gate_facts import facts_of
    from bench.board.gate_names import chosen_machines
    from bench.board.policy import read_policy
    from bench.board.reading import read_board_quickly
    from bench.inputs.cards import cards_and_mistakes

    wanted = read_policy(policy)
    cards = cards_and_mistakes()[0]
    board = read_board_quickly(results, cards, ranked=False)
    known = _known(cards, board)
    weights = _weights(wanted, policy)
    _check(wanted, policy, weights, board, known)
    everyone = candidates(board.tasks)
    where = chosen_machines(wanted.machine, machines_of(board.tasks), known.here)
    decision = decide(wanted, weights, board.tasks, everyone, where)
    if as_json:
        click.echo(json.dumps(facts_of(decision), indent=1))
    else:
        _show(decision)
    for text in board.damaged:
        click.echo(f"not read: {text}", err=True)
    click.get_current_context().exit(EXIT_CODES[decision.verdict])


def _weights(policy: "Policy", path: Path) -> dict[str, float]:
    from bench.inputs.suite import find_suite

    if policy.suite is None:
        return dict(policy.tasks or {})
    try:
        return dict(find_suite(policy.suite).tasks)
    except UsageError as error:
        raise FileError([_mistake(path, ("suite",), str(error))]) from None


def _known(cards: "Collection[CardFile]", board: "Board") -> "Known":
    from bench.board.gate_names import Known
    from bench.folders import yaml_files
    from bench.results.provenance import provenance

    models = [row.result.cell.model for table in board.tasks for row in table.rows]
    models += [file.card for file in cards]
    return Known(
        cards=sorted({model.name for model in models}),
        licences=sorted({model.license for model in models}),
        tasks=sorted({*yaml_files("tasks"), *(table.task.name for table in board.tasks)}),
        here=provenance().machine,
    )


def _check(
    policy: "Policy", path: Path, weights: Mapping[str, float], board: "Board", known: "Known"
) -> None:
    """Raise a FileError with everything that the policy names and is not there."""
    from bench.board.candidates import candidates
    from bench.board.gate_names import problems

    wrong = problems(policy, weights, board.tasks, candidates(board.tasks), known)
    if mistakes := [_mistake(path, key, text) for key, text in wrong]:
        raise FileError(mistakes)


def _mistake(path: Path, key: tuple[str | int, ...], text: str) -> Mistake:
    from bench.config import line_of
    from bench.folders import display

    lines = (line_of(path, key[:end]) for end in range(len(key), 0, -1))
    return Mistake(display(path), next(filter(None, lines), 1), ".".join(map(str, key)), text)


def _show(decision: "Decision") -> None:
    from bench.board.gate_words import headline, not_measured, remarks
    from bench.cli.console import stdout

    click.echo(headline(decision))
    stdout().print(_table(decision))
    for line in remarks(decision):
        click.echo(line)
    for what, command in not_measured(decision):
        click.echo(f"not measured: {what}{f': {command}' if command else ''}")


def _table(decision: "Decision") -> "Table":
    from rich.table import Table

    from bench.board.gate_words import reasons

    title = decision.policy.title or None
    table = Table(title=title, title_justify="left", title_style="bold", box=None, header_style="bold")
    table.add_column("Requirement")
    table.add_column("State", no_wrap=True)
    table.add_column("Reason", overflow="fold")
    for finding in decision.findings:
        table.add_row(finding.requirement.name, finding.state, "\n".join(reasons(finding)))
    return table
