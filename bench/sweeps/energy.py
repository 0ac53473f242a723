"""What a pass took from the energy counters of this machine, where it has any: NVML's and RAPL's."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.errors import first_line
from bench.results.machine import has_accelerator

POWERCAP = Path("/sys/class/powercap")


@dataclass(frozen=True, slots=True)
class Counter:
    """Joules since some moment; it begins again at `wraps`, None where it does not."""

    name: str
    read: Callable[[], float]
    wraps: float | None = None


class Meter:
    """Laps of time and energy: each from `begin` to `lap`."""

    def __init__(self, counters: tuple[Counter, ...] | None = None) -> None:
        self.counters = _counters()[0] if counters is None else counters
        self.begin()

    def begin(self) -> None:
        self.before = [counter.read() for counter in self.counters]
        self.start = time.perf_counter()

    def lap(self) -> tuple[float, float | None]:
        """Seconds and joules since it began; None where nothing counts them."""
        seconds = time.perf_counter() - self.start
        spent = [_since(counter, before) for counter, before in zip(self.counters, self.before, strict=True)]
        return seconds, sum(spent) if spent else None


def _since(counter: Counter, before: float) -> float:
    """RAPL's wrap after minutes at the least, a batch is of seconds: once is all that is looked for."""
    spent = counter.read() - before
    return spent + (counter.wraps or 0.0) if spent < 0 else spent


def counted() -> str:
    """Which counters this machine has, or why it has none."""
    counters, lacking = _counters()
    if counters:
        return f"counters of {', '.join(counter.name for counter in counters)}, whole devices"
    return f"no counter ({'; '.join(lacking)})"


@cache
def _counters() -> tuple[tuple[Counter, ...], tuple[str, ...]]:
    """The energy counters of this machine, and the reasons why others cannot be read."""
    counters: list[Counter] = []
    lacking: list[str] = []
    for find in (rapl, _nvml):
        try:
            counters += find()
        except OSError as error:
            lacking.append(f"{error.strerror}: {error.filename}")
        except Exception as error:  # noqa: BLE001 (what NVML raises is known only where it is installed)
            lacking.append(first_line(error))
    if not counters and not lacking:
        lacking.append("this machine shows no RAPL, and no GPU that has one")
    return tuple(counters), tuple(lacking)


def rapl(place: Path = POWERCAP) -> Iterator[Counter]:
    """Packages, and the memory beside them: the kernel's files, in microjoules."""
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
        raise RuntimeError("the GPU's needs: pip install nvidia-ml-py") from None
    nvml.nvmlInit()
    for index in range(nvml.nvmlDeviceGetCount()):
        device = nvml.nvmlDeviceGetHandleByIndex(index)
        nvml.nvmlDeviceGetTotalEnergyConsumption(device)  # raises where the GPU has none
        yield Counter(f"GPU {index}", partial(_millijoules, nvml, device))


def _millijoules(nvml: Any, device: Any) -> float:
    return nvml.nvmlDeviceGetTotalEnergyConsumption(device) / 1000
