"""`bench suites`: list, show and validate suites."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import options
from bench.errors import BenchError, FileError, one_line

if TYPE_CHECKING:
    from rich.table import Table

    from bench.errors import Mistake
    from bench.inputs.suite import Suite
    from bench.inputs.task import TaskFile


@click.group()
def suites() -> None:
    """List, show and validate suites of tasks."""


@suites.command("list")
@options.as_json
def list_suites(*, as_json: bool) -> None:
    """List all suites. Exit code 3 if a file is wrong; the others are listed."""
    from rich.table import Table

    from bench.cli.console import stdout
    from bench.inputs.suite import suites_and_mistakes

    all_suites, mistakes = suites_and_mistakes()
    if as_json:
        click.echo(json.dumps([suite.model_dump(mode="json") for suite in all_suites], indent=1))
    else:
        table = Table("name", "title", "tasks", box=None, header_style="bold")
        for suite in all_suites:
            table.add_row(suite.name, suite.title, str(len(suite.tasks)))
        stdout().print(table)
    if mistakes:
        raise FileError(mistakes)


@dataclass(frozen=True, slots=True)
class Member:
    """A task of a suite. `reason` says why its data cannot be read on this machine, "" where they can."""

    name: str
    weight: float
    title: str
    license: str
    available: bool
    reason: str


@suites.command()
@click.argument("name")
@options.data_dir
@options.as_json
def show(*, name: str, data_dir: Path | None, as_json: bool) -> None:
    """Show the tasks of a suite, and whether their data are on this machine.

    Exit code 3 if the suite or one of its tasks is wrong.
    """
    from bench.cli.console import stdout
    from bench.inputs.data import data_folder
    from bench.inputs.hub import go_offline
    from bench.inputs.suite import find_suite

    suite = find_suite(name)
    folder = data_folder(data_dir)
    go_offline()
    files, mistakes = _tasks(suite)
    members = [_member(file, suite, folder) for file in files]
    if as_json:
        about = suite.model_dump(mode="json", exclude={"tasks"})
        click.echo(json.dumps(about | {"tasks": [asdict(member) for member in members]}, indent=1))
    else:
        click.echo("\n".join(filter(None, [suite.title, suite.description])))
        stdout().print(_table(members))
        for member in members:
            if member.reason:
                click.echo(f"not here: {member.name}: {member.reason}")
    if mistakes:
        raise FileError(mistakes)


def _tasks(suite: "Suite") -> "tuple[list[TaskFile], list[Mistake]]":
    """The suite's tasks that can be read, and the mistakes of the others."""
    from bench.config import read_each
    from bench.folders import named_files
    from bench.inputs.task import read_task

    return read_each(named_files("tasks", list(suite.tasks)), read_task)


def _member(file: "TaskFile", suite: "Suite", folder: Path | None) -> Member:
    task = file.task
    reason = _gap(file, folder)
    return Member(task.name, suite.tasks[task.name], task.title, task.license, not reason, reason)


def _gap(file: "TaskFile", folder: Path | None) -> str:
    """Why the data that a run of the task reads cannot be read on this machine; "" where they can."""
    from bench.inputs.data import load_split
    from bench.types import Role

    roles: tuple[Role, ...] = ("test", "exemplars") if file.task.exemplars else ("test",)
    try:
        for role in roles:
            load_split(file, role, data_dir=folder, offline=True)
    except BenchError as error:
        return one_line(error)
    return ""


def _table(members: list[Member]) -> "Table":
    from rich.table import Table

    table = Table("task", "weight", "title", "licence", "here", box=None, header_style="bold")
    for member in members:
        here = "yes" if member.available else "no"
        table.add_row(member.name, f"{member.weight:g}", member.title, member.license, here)
    return table


@suites.command()
@click.argument("files", nargs=-1, metavar="[NAME|FILE]...")
def validate(*, files: tuple[str, ...]) -> None:
    """Validate suites, and the files of their tasks.

    Reports all mistakes at once, with file, line and key. NAME may be a glob. Default: every suite. Exit
    code 3 if a file is wrong. The tasks' data are validated by bench tasks validate.
    """
    from bench.config import read_each
    from bench.folders import named_files

    all_suites, mistakes = read_each(named_files("suites", files), _validated)
    for suite in all_suites:
        click.echo(f"{suite.name}: ok, tasks: {', '.join(suite.tasks)}")
    if mistakes:
        raise FileError(list(dict.fromkeys(mistakes)))


def _validated(path: Path) -> "Suite":
    """The suite; raises a FileError with its mistakes, or those of its tasks."""
    from bench.inputs.suite import read_suite

    suite = read_suite(path)
    if mistakes := _tasks(suite)[1]:
        raise FileError(mistakes)
    return suite
