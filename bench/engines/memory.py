"""Memory: what is free, what a process used at most, and how to return unused memory to the system.

Without the last, host memory grows by about 4 MB a batch, all of it free pages and unused kernels.
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
"""Kernels that oneDNN keeps. Its default is those of the last 1,024 shapes: 3 MB for each new batch shape."""
_CLEAR = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"


def keep_few_kernels() -> None:
    """Call it before the first forward pass of the process. A value that the user has set stays."""
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", KERNELS)


def release_free_pages() -> None:
    """Return free pages of the C heap to the system, where the C library can (glibc)."""
    if trim := _malloc_trim():
        trim(0)


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # not glibc
        return None


def free_memory_bytes() -> int:
    """Free memory of the accelerator, or of the machine where there is none."""
    cuda = loaded_cuda()
    return cuda.mem_get_info()[0] if cuda else psutil.virtual_memory().available


def peak_memory_bytes() -> int | None:
    """The peak resident memory of this process, plus the peaks of the running processes that it started.

    Read from /proc where there is one: on Linux, `ru_maxrss` of a child starts at its parent's size.
    """
    if Path("/proc/self/status").is_file():
        children = [child.pid for child in psutil.Process().children(recursive=True)]
        return sum(filter(None, (high_water(pid) for pid in ("self", *children))))
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def high_water(pid: int | str) -> int | None:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:  # the process has ended
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), None)


def peak_device_memory_bytes() -> int | None:
    """The peak memory that torch allocated on the accelerators, added up; None without one."""
    cuda = loaded_cuda()
    return sum(map(cuda.max_memory_allocated, range(cuda.device_count()))) if cuda else None


def reset_peak() -> None:
    """Return unused memory to the system and measure both peaks from now on."""
    gc.collect()
    if cuda := loaded_cuda():
        cuda.empty_cache()
        for number in range(cuda.device_count()):
            cuda.reset_peak_memory_stats(number)
    elif _CLEAR.exists():
        release_free_pages()
        _CLEAR.write_text(_RESET_PEAK)


def peak_since_reset() -> int | None:
    """The peak memory since `reset_peak`, in bytes: on the accelerator where there is one, else of the host.

    None where the system does not report it.
    """
    if loaded_cuda():
        return peak_device_memory_bytes()
    return peak_memory_bytes() if _CLEAR.exists() else None
