"""A connection to a Ray cluster: its address, what a worker needs there, and how many have room."""

import logging
import os
import socket
from dataclasses import dataclass
from typing import Any

from bench.cells.cell import NeedsTuning, Runnable
from bench.errors import Unavailable, UsageError, one_line
from bench.sweeps.events import Placement

NAMESPACE = "slm-bench"
CONNECT_SECONDS = 3


def connect(address: str) -> Any:
    """The module `ray`, connected to the cluster.

    Raises Unavailable where it is not installed, and a UsageError where no cluster answers.
    """
    try:
        import ray
        import ray._private.worker
    except ImportError as error:
        raise Unavailable("the executor ray needs Ray", "pip install 'slm-bench[cluster]'") from error
    given = os.environ.get("RAY_ADDRESS", address) if address == "auto" else address
    try:
        if given != "auto" and not answers(given):
            raise ConnectionError("no connection")
        ray.init(address=given, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        where = "on this machine" if given == "auto" else f"at {given}"
        text = f"no Ray cluster answers {where} ({one_line(error)})"
        raise UsageError(f"{text}: start one with 'ray start --head', or give --address HOST:PORT") from error
    # It prints the deaths of workers on stdout, also without the logs of workers; we report them ourselves.
    ray._private.worker._worker_logs_enabled = False  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return ray


def answers(address: str) -> bool:
    """Whether something listens at HOST:PORT; raises a ValueError where the text is no such address."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise ValueError("not HOST:PORT")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS):
            return True
    except (OSError, OverflowError):
        return False


@dataclass(frozen=True, slots=True)
class Needs:
    """The processors and accelerators that a worker has for itself."""

    cpus: float
    gpus: float


def nodes(ray: Any) -> list[dict[str, float]]:
    """The resources of each node that is alive."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def needs_of(cell: Runnable, placement: Placement, each: list[dict[str, float]]) -> Needs:
    """What a worker of the cell needs.

    By default a model has an accelerator where the cluster has any, and else all processors of a node; a
    baseline has one processor.
    """
    inner = cell.cell if isinstance(cell, NeedsTuning) else cell
    is_model = inner.variant.dtype is not None or inner.weights is not None
    has_gpus = any(node.get("GPU", 0) >= 1 for node in each)
    gpus = placement.gpus_per_cell
    if gpus is None:
        gpus = 1.0 if is_model and has_gpus else 0.0
    cpus = placement.cpus_per_cell
    if cpus is None:
        fewest = min((int(node.get("CPU", 0)) for node in each if node.get("CPU", 0) >= 1), default=1)
        cpus = fewest if is_model and not gpus else 1
    return Needs(cpus, gpus)


def room(needs: Needs, each: list[dict[str, float]]) -> int:
    """How many workers with such needs the nodes hold."""
    return sum(room_on(needs, node) for node in each)


def room_on(needs: Needs, node: dict[str, float]) -> int:
    """How many workers with such needs a node holds."""
    by_cpu = int(node.get("CPU", 0) // needs.cpus)
    return min(by_cpu, int(node.get("GPU", 0) // needs.gpus)) if needs.gpus else by_cpu
