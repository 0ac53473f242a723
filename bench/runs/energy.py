"""What a pass took from the energy counters of this machine, where it has any: NVML's and RAPL's, by zeus."""

import sys
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

from bench.errors import first_line

_COUNTED = ("/sys/class/powercap/intel-rapl", "/dev/nvidiactl", "/dev/kfd")
"""Where Linux shows what counts energy. Looked at first: zeus takes 0.15 s to import."""


class Meter:
    """Laps of time and energy."""

    def __init__(self) -> None:
        self.seconds = time.perf_counter()
        self.joules = _joules()

    def lap(self) -> tuple[float, float | None]:
        """Seconds and joules since the lap before; None where nothing counts them."""
        seconds, joules = time.perf_counter(), _joules()
        spent = None if joules is None or self.joules is None else joules - self.joules
        lap = seconds - self.seconds
        self.seconds, self.joules = seconds, joules
        return lap, spent


def counters() -> str:
    """What counts energy here, or why nothing does."""
    return _found()[1]


def _joules() -> float | None:
    read = _found()[0]
    return None if read is None else read()


@cache
def _found() -> tuple[Callable[[], float] | None, str]:
    """A reader of all counters' sum in joules, and their names, or None and why there is none."""
    if sys.platform == "linux" and not any(Path(place).exists() for place in _COUNTED):
        return None, "no counter: this machine shows no RAPL, and no GPU that has one"
    try:
        from zeus.device import get_cpus, get_gpus
    except ImportError:
        return None, "not measured: pip install 'slm-bench[energy]'"
    readers: list[Callable[[], float]] = []
    names: list[str] = []
    lacking: list[str] = []
    for name, get, read in (("GPU", get_gpus, _gpu_joules), ("CPU", get_cpus, _cpu_joules)):
        try:
            devices: Any = get()
            reader = partial(read, devices)
            reader()
        except Exception as error:  # noqa: BLE001 (each driver has its own; without a counter there is none)
            lacking.append(f"{name}: {first_line(error)}")
        else:
            readers.append(reader)
            names.append(f"{len(devices)} {name}")
    if not readers:
        return None, f"no counter ({'; '.join(lacking)})"
    return lambda: sum(reader() for reader in readers), f"counters of {', '.join(names)}, whole devices"


def _gpu_joules(devices: Any) -> float:
    return sum(devices.get_total_energy_consumption(index) for index in range(len(devices))) / 1000


def _cpu_joules(devices: Any) -> float:
    """Packages, and memory where it is counted apart."""
    found = [devices.get_total_energy_consumption(index) for index in range(len(devices))]
    return sum(one.cpu_mj + (one.dram_mj or 0) for one in found) / 1000
