"""Options that several commands share."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from bench.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from bench.cells.shards import Share
    from bench.inputs.weights import Trust
    from bench.sweeps.events import Placement
    from bench.sweeps.executor import ExecutorKind

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


def _share(_context: click.Context, _parameter: click.Parameter, text: str | None) -> "Share | None":
    from bench.cells.shards import read_share

    try:
        return None if text is None else read_share(text)
    except ValueError as error:
        raise UsageError(f"--shard: {error}") from error


shard = click.option(
    "--shard",
    callback=_share,
    metavar="I/N",
    help="Ask only the questions of shard I of N, and store them as parts of runs. 'bench results merge' "
    "makes runs of the parts of all shards, from any number of machines. Default: whole runs.",
)


def _executor(_context: click.Context, _parameter: click.Parameter, name: str) -> "ExecutorKind":
    from bench.sweeps.executor import EXECUTORS

    return EXECUTORS.get(name)


executor = click.option(
    "--executor",
    default="local",
    show_default=True,
    metavar="NAME",
    callback=_executor,
    help="Where cells run. local: in processes on this machine, --jobs at a time. ray: in shards on the "
    "nodes of a Ray cluster. Installed packages can add executors.",
)


@dataclass(frozen=True, slots=True)
class Cluster:
    """The options that say where an executor of a cluster places cells; None is not given."""

    address: str | None
    cpus_per_cell: int | None
    gpus_per_cell: float | None
    shard_items: int | None

    def placement(self, executor: "ExecutorKind") -> "Placement":
        """What the options say; raises a UsageError where one is given and the executor takes none."""
        from bench.sweeps.events import Placement

        given = {name: value for name, value in asdict(self).items() if value is not None}
        if given and not executor.takes_placement:
            names = ", ".join(f"--{name.replace('_', '-')}" for name in given)
            raise UsageError(f"{names}: for executors of clusters, such as --executor ray")
        return Placement(**given)


def placement(command: Command) -> Command:
    """The options of `Cluster`."""
    each = [
        click.option(
            "--address",
            metavar="HOST:PORT",
            help="Address of the Ray cluster. auto: RAY_ADDRESS, else the cluster that runs on this machine. "
            "Default: auto.",
        ),
        click.option(
            "--cpus-per-cell",
            type=click.IntRange(1),
            metavar="N",
            help="Processors of a worker on a cluster. Default: for a model, all those of a node, or one "
            "beside an accelerator; for a baseline, one.",
        ),
        click.option(
            "--gpus-per-cell",
            type=click.FloatRange(0),
            metavar="F",
            help="Accelerators of a worker on a cluster, 0.5 for two workers on one. Default: one for a "
            "model, where the cluster has any.",
        ),
        click.option(
            "--shard-items",
            type=click.IntRange(1),
            metavar="N",
            help="The most questions of a shard on a cluster: so many are asked again when a worker is lost. "
            "Default: 256.",
        ),
    ]
    for option in reversed(each):
        command = option(command)
    return command


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

    A variable that is not set gives it in a script, and to go on would mean all tasks, or any machine.
    """
    for each in command.commands.values() if isinstance(command, click.Group) else ():
        refuse_empty(each)
    for param in command.params:
        if isinstance(param, click.Option) and param.type is click.STRING:
            param.callback = partial(_not_empty, param.callback)


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


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


results = click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    metavar="DIR",
    help="Results folder.",
)
site = click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("site"),
    show_default=True,
    metavar="DIR",
    help="Site folder.",
)
