"""The accelerators of this machine: a model has one to itself while it runs, or several if it needs them."""

import math
import subprocess
from collections.abc import Sequence

from bench.cells.cell import NeedsTuning, Runnable
from bench.cells.forecast import loaded_bytes
from bench.engines.device import ROOM

_MEMORY = ("nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits")


class Accelerators:
    """Which of the accelerators `names` are free; `bytes_each` is the memory of one, None if unknown."""

    def __init__(self, names: Sequence[str], bytes_each: int | None) -> None:
        self.count = len(names)
        self.free = list(names)
        self.bytes_each = bytes_each

    def wanted(self, cell: Runnable) -> int:
        """How many accelerators a cell has to itself: none for a baseline, several for large weights."""
        if not self.count or not cell.variant.dtype:
            return 0
        size = loaded_bytes(cell.cell if isinstance(cell, NeedsTuning) else cell)
        needed = math.ceil(size / (ROOM * self.bytes_each)) if self.bytes_each else 1
        return max(1, min(needed, self.count))

    def has_room(self, cell: Runnable) -> bool:
        """Whether as many are free as the cell wants."""
        return self.wanted(cell) <= len(self.free)

    def take(self, cell: Runnable) -> tuple[str, ...]:
        """Take as many as the cell wants; returns their names."""
        wanted = self.wanted(cell)
        taken, self.free = self.free[:wanted], self.free[wanted:]
        return tuple(taken)

    def give_back(self, names: Sequence[str]) -> None:
        """Let others have them."""
        self.free += names


def memory_each() -> int | None:
    """The memory of the smallest accelerator in bytes, as the driver's tool says; None where it does not."""
    try:
        done = subprocess.run(_MEMORY, capture_output=True, text=True, check=True, timeout=30)
        return min(int(line) for line in done.stdout.split()) * 2**20
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
