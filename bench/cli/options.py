"""Options that several commands share."""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click
from click.core import ParameterSource

from bench.errors import UsageError
from bench.wording import counted

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from bench.inputs.weights import Trust

Command = TypeVar("Command", bound=Callable[..., None])

ARGUMENTS = "bench.arguments"
"""The key in a command's context for the arguments after `bench`."""

SELECTION = "all, available, names, globs, family:qwen or 'params<1B'; separate several with commas"
"""How models are selected, for help texts."""


def grouped(name: str, group: "type[DataclassInstance]") -> Callable[[Command], Callable[..., None]]:
    """Passes the options that are fields of the dataclass `group` to a command as one argument, `name`."""
    names = [field.name for field in fields(group)]

    def decorate(function: Command) -> Callable[..., None]:
        @wraps(function)
        def command(**params: Any) -> None:
            values = {option: params.pop(option) for option in names}
            function(**params, **{name: group(**values)})

        return command

    return decorate


suite = click.option(
    "--suite",
    metavar="NAME",
    help="Suite of tasks, besides those of --tasks (bench suites list). Default: none.",
)


def _probe_names(
    _context: click.Context, _parameter: click.Parameter, given: Sequence[str]
) -> tuple[str, ...]:
    """The names of probes, of flags or of a sweep file, each once."""
    from bench.errors import there_are
    from bench.scoring.probing import PROBES

    names = [name.strip() for value in given for name in value.split(",") if name.strip()]
    for name in names:
        if name not in PROBES:
            raise UsageError(f"--probe: no probe is named '{name}'{there_are(name, PROBES)}")
    return tuple(name for name in PROBES if name in names)


probes = click.option(
    "--probe",
    "probes",
    multiple=True,
    callback=_probe_names,
    metavar="NAMES",
    help="Also ask changed questions, which show what the accuracy means. order: all rotations of the "
    "options. question: the options without the question. nota: the right option replaced. All three take "
    "about as long as one to two more runs, and change no id and no score. Separate several with commas. "
    "Default: the task's.",
)


data_dir = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder with mirror files of hub data sets. Default: BENCH_DATA_DIR, if set.",
)
offline = click.option(
    "--offline", is_flag=True, help="Do not use the network: only what is on this machine."
)
trust_remote_code = click.option(
    "--trust-remote-code", is_flag=True, help="Allow weights to run Python code of their own."
)
allow_pickle = click.option(
    "--allow-pickle",
    is_flag=True,
    help="Load pickled weights, which can run any code, if there are no safetensors.",
)
send_to = click.option(
    "--send-to",
    multiple=True,
    metavar="HOST",
    help="Allow cards with engine: openai to send the questions to this host. Without it, only servers on "
    "this machine are asked.",
)


@dataclass(frozen=True, slots=True)
class Permissions:
    """What code of others may run, and where questions may be sent."""

    allow_pickle: bool
    trust_remote_code: bool
    allow_code: bool
    send_to: tuple[str, ...]

    @property
    def trust(self) -> "Trust":
        from bench.inputs.weights import Trust

        return Trust(pickle=self.allow_pickle, code=self.trust_remote_code, send_to=hosts(self.send_to))


def hosts(send_to: tuple[str, ...]) -> tuple[str, ...]:
    """The hosts of all `--send-to`, each of which may name several, separated by commas."""
    return tuple(host.strip().lower() for text in send_to for host in text.split(","))


def refuse_empty(command: click.Command) -> None:
    """Make every option of a command that takes a text refuse one without a word, such as '' or ','.

    A variable that is not set gives it in a script, and to go on would mean all tasks, or any machine. What
    takes a path refuses an address, which would become a folder called 's3:'.
    """
    for each in command.commands.values() if isinstance(command, click.Group) else ():
        refuse_empty(each)
    for param in command.params:
        if isinstance(param, click.Option) and param.type is click.STRING:
            param.callback = partial(_not_empty, param.callback)
        elif isinstance(param.type, click.Path):
            param.callback = partial(_no_address, param.callback)


def _no_address(
    callback: Callable[..., Any] | None, context: click.Context, parameter: click.Parameter, value: Any
) -> Any:
    """The value, after the parameter's own callback."""
    given = cast("tuple[Path, ...]", value if isinstance(value, tuple) else (value,))
    for path in filter(None, given):
        if re.match("[a-z][a-z0-9+.-]+:/", str(path)) and not os.path.lexists(path):
            name = parameter.opts[0] if isinstance(parameter, click.Option) else str(parameter.metavar)
            raise UsageError(f"{name} {path}: a path of this machine is needed; addresses are for --results")
    return callback(context, parameter, value) if callback else value


def _not_empty(
    callback: Callable[..., Any] | None, context: click.Context, parameter: click.Parameter, value: Any
) -> Any:
    """The value, after the option's own callback."""
    if context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE:
        values: tuple[str, ...] = value if isinstance(value, tuple) else (value,)
        if not all(each.strip(" ,") for each in values):
            raise UsageError(f"{parameter.opts[0]} is empty: write a value, or leave the option out")
    return callback(context, parameter, value) if callback else value


def _address(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if value and not value.startswith(("https://", "http://")):
        raise UsageError(f"--url {value}: an address must begin with https://")
    return value


def url(text: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A `--url` option with this help text; "" if it is not given."""
    return click.option("--url", default="", metavar="URL", callback=_address, help=text)


def is_address(results: str) -> bool:
    """Whether a --results is the address of a store."""
    return "://" in results


def results_folder(text: str, *, whole: bool = True) -> Path:
    """The folder of a --results: a path, or an address, of which the folder is a mirror.

    A mirror has all that the store has where `whole` is true; else whoever uses it fetches what it needs.
    Raises an error where an address cannot be reached.
    """
    if not is_address(text):
        if re.match("[a-z][a-z0-9+.-]+:/", text) and not os.path.lexists(text):
            raise UsageError(f"--results {text}: an address begins with two slashes, such as s3://")
        return Path(text)
    from bench.results.mirrored import open_mirror

    mirror = open_mirror(text)
    if whole:
        mirror.fetch_all()
        if left := mirror.send_all():
            each = f"{counted(left, 'run')} cannot be sent to {text} now"
            click.echo(f"{each}: the next command with this address tries again", err=True)
    return mirror.folder


def _results(more: str, *, whole: bool) -> Callable[[Command], Callable[..., None]]:
    """A `--results` option, which the command gets as a path."""
    option = click.option(
        "--results",
        default="results",
        show_default=True,
        metavar="DIR",
        help=f"Results folder, or the address of one in a store, such as s3://bucket/results.{more}",
    )

    def decorate(command: Command) -> Callable[..., None]:
        @wraps(command)
        def opened(*, results: str, **params: Any) -> None:
            command(results=results_folder(results, whole=whole), **params)

        return option(opened)

    return decorate


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


results = _results("", whole=True)
results_of_run = _results(" Several machines may work on one.", whole=False)
site = click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("site"),
    show_default=True,
    metavar="DIR",
    help="Site folder.",
)
