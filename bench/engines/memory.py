"""Memory: what is free, what a process held at most, and how little of it a long run keeps.

Without the last, the host's memory grows by about 4 MB a batch, all of it free or stale.
"""

import ctypes
import gc
import os
import resource
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import psutil

from bench.engines.device import loaded_cuda

KERNELS = "32"
"""oneDNN keeps its generated kernels of the last 1,024 shapes, 3 MB a batch of a new shape."""
_CLEAR = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"


def keep_few_kernels() -> None:
    """Must be called before the first forward pass of the process; a value that the user set stays."""
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", KERNELS)


def release_free_pages() -> None:
    """Return the free pages of the C heap to the system, where it can (glibc)."""
    if trim := _malloc_trim():
        trim(0)


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library
        return None


def free_memory_bytes() -> int:
    """Of the accelerator, or of the machine where there is none."""
    cuda = loaded_cuda()
    return cuda.mem_get_info()[0] if cuda else psutil.virtual_memory().available


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
    cuda = loaded_cuda()
    return cuda.max_memory_allocated() if cuda else None


def reset_peak() -> None:
    """Let both peaks start again at what is held now, after free memory has gone back to the system."""
    gc.collect()
    if cuda := loaded_cuda():
        cuda.empty_cache()
        cuda.reset_peak_memory_stats()
    elif _CLEAR.exists():
        release_free_pages()
        _CLEAR.write_text(_RESET_PEAK)


def peak_since_reset() -> int | None:
    """Most memory held since `reset_peak`, on the accelerator where there is one; None where the system
    does not report it.
    """
    if loaded_cuda():
        return peak_device_memory_bytes()
    return peak_memory_bytes() if _CLEAR.exists() else None
