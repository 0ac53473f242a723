"""The energy that scoring takes, by this machine's counters: NVML for GPUs, RAPL for processors."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.engines.device import accelerators, has_accelerator
from bench.errors import one_line

POWERCAP = Path("/sys/class/powercap")


@dataclass(frozen=True, slots=True)
class Counter:
    """`read` gives joules since some moment; at `wraps` joules it starts again from 0, None for never."""

    name: str
    read: Callable[[], float]
    wraps: float | None = None


class Meter:
    """A stopwatch for time and energy. `begin` starts it, and `lap` reads it."""

    def __init__(self, counters: tuple[Counter, ...] | None = None) -> None:
        self.counters = _counters()[0] if counters is None else counters
        self.begin()

    def begin(self) -> None:
        """Start again from zero."""
        self.before = [counter.read() for counter in self.counters]
        self.start = time.perf_counter()

    def lap(self) -> tuple[float, float | None]:
        """Seconds and joules since `begin`; joules are None on a machine without counters."""
        seconds = time.perf_counter() - self.start
        spent = [_since(counter, before) for counter, before in zip(self.counters, self.before, strict=True)]
        return seconds, sum(spent) if spent else None


def _since(counter: Counter, before: float) -> float:
    """Joules since `before`. RAPL wraps after minutes and a batch takes seconds, so it wraps once at most."""
    spent = counter.read() - before
    return spent + (counter.wraps or 0.0) if spent < 0 else spent


def describe_counters() -> str:
    """The counters of this machine in words, or the reason why it has none."""
    counters, problems = _counters()
    if counters:
        return f"counters of {', '.join(counter.name for counter in counters)}, whole devices"
    return f"no counter ({'; '.join(problems)})"


@cache
def _counters() -> tuple[tuple[Counter, ...], tuple[str, ...]]:
    """The counters that can be read, and the reasons why others cannot."""
    counters: list[Counter] = []
    problems: list[str] = []
    for find in (rapl, _nvml):
        try:
            counters += find()
        except OSError as error:
            problems.append(f"{error.strerror}: {error.filename}")
        except Exception as error:  # noqa: BLE001 (NVML's exceptions exist only where it is installed)
            problems.append(one_line(error))
    if not counters and not problems:
        problems.append("neither RAPL nor a GPU with a counter")
    return tuple(counters), tuple(problems)


def rapl(place: Path = POWERCAP) -> Iterator[Counter]:
    """RAPL's counters of processors and memory; raises an OSError where they may not be read."""
    for zone in sorted(place.glob("intel-rapl:*")):
        name = (zone / "name").read_text(encoding="ascii").strip()
        if name.startswith("package") or name == "dram":
            wraps = float((zone / "max_energy_range_uj").read_text(encoding="ascii")) / 1e6
            counter = Counter(name, partial(_microjoules, zone / "energy_uj"), wraps)
            counter.read()  # only root may read it on most machines
            yield counter


def _microjoules(path: Path) -> float:
    return float(path.read_text(encoding="ascii")) / 1e6


def _nvml() -> Iterator[Counter]:
    if not has_accelerator():
        return
    try:
        nvml: Any = import_module("pynvml")
    except ImportError:
        raise RuntimeError("for the GPU's counter: pip install nvidia-ml-py") from None
    nvml.nvmlInit()
    used = {int(name) for name in accelerators() if name.isdigit()} or range(nvml.nvmlDeviceGetCount())
    for index in sorted(used):
        device = nvml.nvmlDeviceGetHandleByIndex(index)
        nvml.nvmlDeviceGetTotalEnergyConsumption(device)  # raises where the GPU has none
        yield Counter(f"GPU {index}", partial(_millijoules, nvml, device))


def _millijoules(nvml: Any, device: Any) -> float:
    return nvml.nvmlDeviceGetTotalEnergyConsumption(device) / 1000
