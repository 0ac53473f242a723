"""The peak of this process's memory over a stretch of work."""

import ctypes
import gc
from pathlib import Path

import torch

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
        return torch.cuda.max_memory_allocated()
    if not _CLEAR.exists():
        return None
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
