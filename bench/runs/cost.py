"""What a cell cost, read from the process that ran it."""

import resource
import sys
from pathlib import Path


def peak_memory_bytes() -> int | None:
    """Most resident memory this process ever held.

    From /proc where there is one: `ru_maxrss` of a child starts at its parent's size on Linux.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def peak_device_memory_bytes() -> int | None:
    """Most memory torch ever held on the accelerator, None where there is none."""
    torch = sys.modules.get("torch")
    return torch.cuda.max_memory_allocated() if torch and torch.cuda.is_available() else None
