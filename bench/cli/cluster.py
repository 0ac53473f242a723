"""`bench cluster`: print what runs a sweep's shards under a scheduler. It drives none."""

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from bench.cli import options
from bench.errors import UsageError
from bench.plain_files import read_bytes

LONGEST_NAME = 50
"""Of a Kubernetes object, with room for what Kubernetes adds."""
TRIES = 3
_SWEEP = "sweep.yaml"
"""The sweep file's name in a ConfigMap, whose keys have few signs."""
LONGEST_WAIT = 7 * 24 * 3600
"""Seconds that a Job of Kubernetes waits for all parts."""


@dataclass(frozen=True, slots=True)
class Job:
    """What every shard needs; `sweep` is the path of the sweep file, None is left to the scheduler."""

    sweep: Path
    shards: int
    results: str
    cpus: int
    memory: str | None
    gpus: int | None

    @property
    def is_in_store(self) -> bool:
        """Whether the results have an address, and are no folder."""
        return options.is_address(self.results)

    @property
    def name(self) -> str:
        """Made of the sweep file's name, as every scheduler takes it."""
        letters = re.sub(r"[^a-z0-9]+", "-", self.sweep.stem.lower()).strip("-")
        return f"bench-{letters}"[:LONGEST_NAME].rstrip("-")


@dataclass(frozen=True, slots=True)
class Pod:
    """What every pod of Kubernetes needs; None is not given."""

    image: str
    claim: str | None
    secret: str | None


def _memory(_context: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    if text is not None and not re.fullmatch(r"[1-9][0-9]{0,9}[MG]", text):
        raise click.BadParameter(f"'{text}' is not a size such as 24G or 800M", param=parameter)
    return text


_OPTIONS = (
    click.option(
        "--sweep",
        type=click.Path(path_type=Path),
        required=True,
        metavar="FILE",
        help="Sweep file with models, tasks and variants.",
    ),
    click.option(
        "--shards",
        type=click.IntRange(1, 100_000),
        required=True,
        metavar="N",
        help="Into how many shards every cell is cut: so many elements the job has.",
    ),
    click.option(
        "--results",
        default="results",
        show_default=True,
        metavar="DIR",
        help="Results folder, which all nodes share, or an address such as s3://bucket/results.",
    ),
    click.option(
        "--cpus",
        type=click.IntRange(1),
        default=4,
        show_default=True,
        metavar="N",
        help="Processors of an element.",
    ),
    click.option(
        "--memory",
        callback=_memory,
        metavar="SIZE",
        help="Memory of an element, such as 24G. Default: as the scheduler says.",
    ),
    click.option(
        "--gpus", type=click.IntRange(1), metavar="N", help="Accelerators of an element. Default: none."
    ),
)


def _job(command: Callable[..., None]) -> Callable[..., None]:
    """The options of `Job`, passed as one argument."""
    wrapped = options.grouped("job", Job)(command)
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


@click.group()
def cluster() -> None:
    """Print a job for Slurm or Kubernetes that runs a sweep in shards and merges them."""


@cluster.command()
@_job
@click.option(
    "--setup",
    default="",
    metavar="COMMAND",
    help="Shell command at the start of each element. Default: none.",
)
def slurm(*, job: Job, setup: str) -> None:
    """Print a shell script that submits a job array and a job that merges; run it on a login node."""
    _check(job)
    click.echo(slurm_script(job, setup), nl=False)


@cluster.command()
@_job
@click.option("--image", required=True, metavar="NAME", help="Container image with SLM Bench.")
@click.option(
    "--claim",
    metavar="NAME",
    help="PersistentVolumeClaim (ReadWriteMany) of the results folder; it is mounted at --results. Needed "
    "unless --results is an address.",
)
@click.option(
    "--secret",
    metavar="NAME",
    help="Secret whose keys are environment variables, such as the credentials of a store. Default: none.",
)
@click.option(
    "--parallelism",
    type=click.IntRange(1),
    metavar="N",
    help="Shards at once. Default: all of them.",
)
def kubernetes(
    *, job: Job, image: str, claim: str | None, secret: str | None, parallelism: int | None
) -> None:
    """Print manifests for 'kubectl apply -f -': an indexed Job, one that merges, and the sweep file."""
    import yaml

    if job.is_in_store == bool(claim):
        text = "--claim is of a folder: leave it out" if claim else "--claim is missing: pods share no folder"
        raise UsageError(f"{text} with --results {job.results}")
    _check(job)
    printed = manifests(job, Pod(image, claim, secret), parallelism)
    click.echo(yaml.safe_dump_all(printed, sort_keys=False), nl=False)


def _check(job: Job) -> None:
    """Raises a FileError for a sweep file with mistakes, here and not on every node."""
    from bench.inputs.sweep_file import read_sweep

    read_sweep(job.sweep)


def slurm_script(job: Job, setup: str) -> str:
    """The script, whose two jobs have the working folder in which it is run."""
    sweep, results = shlex.quote(str(job.sweep)), shlex.quote(job.results)
    needs = [f"--cpus-per-task={job.cpus}"]
    needs += [f"--mem={job.memory}"] if job.memory else []
    needs += [f"--gres=gpu:{job.gpus}"] if job.gpus else []
    before = f"{setup}\n" if setup else ""
    return f"""\
#!/bin/sh
# {job.sweep.name} in {job.shards} shards: a job array, and a job that merges their parts when all have ended.
# To do again what failed or is missing, run this script once more: what is done is skipped.
set -eu
array=$(sbatch --parsable --job-name={job.name} --array=1-{job.shards} --requeue {" ".join(needs)} <<'END'
#!/bin/sh
set -eu
{before}bench run --sweep {sweep} --results {results} --shard "$SLURM_ARRAY_TASK_ID/{job.shards}"
END
)
sbatch --job-name={job.name}-merge --dependency="afterany:${{array%%;*}}" <<'END'
#!/bin/sh
set -eu
{before}bench results merge {results} --results {results}
END
"""


def manifests(job: Job, needs: Pod, parallelism: int | None) -> list[dict[str, Any]]:
    """A ConfigMap with the sweep file, the Job of the shards, and a Job that merges their parts."""
    results = job.results if job.results.startswith("/") or job.is_in_store else f"/{job.results}"
    where, sweep = shlex.quote(results), f"/sweep/{_SWEEP}"
    shard = f'"$((JOB_COMPLETION_INDEX + 1))/{job.shards}"'
    run = f"bench run --sweep {sweep} --results {where} --shard {shard}"
    merge = f"until bench results merge {where} --results {where}; do sleep 60; done"

    def pod(command: str, resources: dict[str, Any]) -> dict[str, Any]:
        mounts = {"sweep": "/sweep"} | ({"results": results} if needs.claim else {})
        sources: dict[str, Any] = {"sweep": {"configMap": {"name": job.name}}}
        sources["results"] = {"persistentVolumeClaim": {"claimName": needs.claim}}
        container: dict[str, Any] = {
            "name": "bench",
            "image": needs.image,
            "command": ["/bin/sh", "-c", command],
            "resources": resources,
            "volumeMounts": [{"name": name, "mountPath": path} for name, path in mounts.items()],
        }
        if needs.secret:
            container["envFrom"] = [{"secretRef": {"name": needs.secret}}]
        volumes = [{"name": name, **sources[name]} for name in mounts]
        return {"spec": {"restartPolicy": "Never", "containers": [container], "volumes": volumes}}

    shards = {
        "completions": job.shards,
        "parallelism": parallelism or job.shards,
        "completionMode": "Indexed",
        "backoffLimitPerIndex": TRIES,
        "maxFailedIndexes": job.shards,
        "template": pod(run, {"limits": _limits(job), "requests": _limits(job)}),
    }
    merging = {"backoffLimit": TRIES, "activeDeadlineSeconds": LONGEST_WAIT, "template": pod(merge, {})}
    text = read_bytes(job.sweep).decode()
    return [
        _named("v1", "ConfigMap", job.name, data={_SWEEP: text}),
        _named("batch/v1", "Job", job.name, spec=shards),
        _named("batch/v1", "Job", f"{job.name}-merge", spec=merging),
    ]


def _limits(job: Job) -> dict[str, str]:
    limits = {"cpu": str(job.cpus)}
    limits |= {"memory": f"{job.memory}i"} if job.memory else {}
    return limits | ({"nvidia.com/gpu": str(job.gpus)} if job.gpus else {})


def _named(api: str, kind: str, name: str, **content: Any) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, **content}
