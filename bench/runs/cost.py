"""What a cell cost, read from the process that ran it."""

import random
import resource
import statistics
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import psutil

from bench.engines.engine import Engine
from bench.evaluate import evaluate
from bench.runs.cell import Cell
from bench.runs.result import Latency

ALONE = 20
"""Questions that are asked one at a time; the first is asked once before, untimed."""


def peak_memory_bytes() -> int | None:
    """Most resident memory this process ever held, with that of the processes it started.

    From /proc where there is one: `ru_maxrss` of a child starts at its parent's size on Linux.
    """
    if Path("/proc/self/status").is_file():
        children = [child.pid for child in psutil.Process().children(recursive=True)]
        return sum(filter(None, (_high_water(pid) for pid in ("self", *children))))
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _high_water(pid: int | str) -> int | None:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:  # it has ended meanwhile
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), None)


def peak_device_memory_bytes() -> int | None:
    """Most memory torch ever held on the accelerator, None where there is none."""
    torch = sys.modules.get("torch")
    return torch.cuda.max_memory_allocated() if torch and torch.cuda.is_available() else None


def ask_alone(cell: Cell, engine: Engine, answered: Collection[str]) -> Iterator[float]:
    """Seconds that each of some questions takes when it is asked alone, prompt to answer.

    Only what was `answered` (ids) is asked: a prompt that does not fit takes no time.
    """
    draw = random.Random(cell.facts.id)  # noqa: S311 (not a secret)
    items = [item for item in cell.items if item.id in answered]
    sample = draw.sample(items, min(ALONE, len(items)))
    for timed, item in (*((False, item) for item in sample[:1]), *((True, item) for item in sample)):
        start = time.perf_counter()
        list(evaluate(cell.asking, [item], engine))
        if timed:
            yield time.perf_counter() - start


def latency(seconds: Iterator[float] | Sequence[float]) -> Latency | None:
    """Percentiles as statistics.quantiles has them, between the sample's own values."""
    found = sorted(seconds)
    if not found:
        return None
    cuts = statistics.quantiles(found, n=20, method="inclusive") if len(found) > 1 else found * 19
    return Latency(questions=len(found), p50=cuts[9], p95=cuts[18])
