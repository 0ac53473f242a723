"""Ray clusters of several nodes on this machine, and commands that run on them."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

ONLY_HERE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Ray takes the loopback address then, which it does by itself where it supports no clusters."""


@contextmanager
def cluster(nodes: int = 3, cpus: int = 1) -> Generator[Any]:
    """A head and further nodes, each with so many processors."""
    os.environ |= ONLY_HERE
    from ray.cluster_utils import Cluster

    facts = {"num_cpus": cpus, "node_ip_address": "127.0.0.1", "object_store_memory": 80_000_000}
    started = Cluster(initialize_head=True, head_node_args=facts | {"include_dashboard": False})
    try:
        for _ in range(nodes - 1):
            started.add_node(wait=False, **facts)
        started.wait_for_nodes()
        yield started
    finally:
        started.shutdown()


def command(address: str, *words: str, results: str = "results") -> list[str]:
    run = [sys.executable, "-m", "bench", "run", *words, "--offline", "--results", results]
    return [*run, "--executor", "ray", "--address", address]


def begin(address: str, *words: str, results: str = "results") -> subprocess.Popen[str]:
    """Start a sweep in the working folder."""
    pipe = subprocess.PIPE
    return subprocess.Popen(command(address, *words, results=results), stdout=pipe, stderr=pipe, text=True)


def sweep(address: str, *words: str, results: str = "results") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(address, *words, results=results), capture_output=True, text=True, timeout=150
    )


def workers() -> list[psutil.Process]:
    """The processes of actors that answer a shard now."""
    processes = psutil.process_iter(["cmdline"])
    return [one for one in processes if " ".join(one.info["cmdline"] or ()).startswith("ray::Worker.run")]


def kill_workers(times: int, draw: random.Random, sweep: subprocess.Popen[str], pause: float) -> int:
    """Kill workers that answer a shard, at random moments of a sweep; returns how many were killed."""
    killed = 0
    while killed < times and sweep.poll() is None:
        time.sleep(draw.random() * pause)
        if busy := workers():
            draw.choice(busy).send_signal(signal.SIGKILL)
            killed += 1
    return killed


def asked(log: Path) -> list[str]:
    """The questions that the fake engine has answered, each time it did."""
    return log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
