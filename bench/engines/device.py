"""The accelerator of this process. This never imports torch: without torch no accelerator is in use."""

import os
import sys
from pathlib import Path
from typing import Any

_DRIVER = Path("/dev/nvidiactl")


def has_accelerator() -> bool:
    """Whether models go to a GPU's memory. By the driver's file, because importing torch takes seconds."""
    return _DRIVER.exists()


def loaded_cuda() -> Any | None:
    """`torch.cuda` where torch is imported and there is a CUDA device, else None."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch and torch.cuda.is_available() else None


def usable_cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def device_title() -> str:
    """The accelerator's name as reported by its driver, or "cpu"."""
    cuda = loaded_cuda()
    return cuda.get_device_name() if cuda else "cpu"
