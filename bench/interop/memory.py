"""The peak of this process's memory over a stretch of work."""

import ctypes
import gc
from pathlib import Path

import torch

from bench.runs import cost

_CLEAR = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"


def start_peak() -> None:
    """Begin a new stretch: what is free goes back to the system, and the peak starts at what is held."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    elif _CLEAR.exists():
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
        if trim is not None:
            trim(0)
        _CLEAR.write_text(_RESET_PEAK)


def peak_memory_bytes() -> int | None:
    """Most memory held since `start_peak`, on the device where there is one; None where nothing tells."""
    if torch.cuda.is_available():
        return cost.peak_device_memory_bytes()
    return cost.peak_memory_bytes() if _CLEAR.exists() else None
