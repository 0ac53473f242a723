"""Options of `bench run` that say where cells run, and which shard of them."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TypeVar

import click

from bench.errors import UsageError

if TYPE_CHECKING:
    from bench.cells.shards import Share
    from bench.sweeps.events import Placement
    from bench.sweeps.executor import ExecutorKind

Command = TypeVar("Command", bound=Callable[..., None])


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


def _jobs(_context: click.Context, _parameter: click.Parameter, given: int | None) -> int:
    from bench.engines.device import accelerators

    return given or max(1, len(accelerators()))


jobs = click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    callback=_jobs,
    metavar="N",
    help="Cells to run at once, as far as memory allows. They share the CPU cores, so each is slower, and "
    "16-bit scores can differ by rounding. Compare only runs with the same N. Default: one for each "
    "accelerator, else 1.",
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
