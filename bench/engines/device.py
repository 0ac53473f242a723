"""The accelerator of this process. This never imports torch: without torch no accelerator is in use."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_DRIVER = Path("/dev/nvidiactl")
_VISIBLE = "CUDA_VISIBLE_DEVICES"
ROOM = 0.85
"""The share of an accelerator's memory that weights may take; the rest is for what batches compute."""


def has_accelerator() -> bool:
    """Whether models go to a GPU's memory. By the driver's file, because importing torch takes seconds."""
    return _DRIVER.exists()


def accelerators() -> tuple[str, ...]:
    """The names of the accelerators that this process may use, as CUDA_VISIBLE_DEVICES takes them."""
    if not has_accelerator():
        return ()
    if (given := os.environ.get(_VISIBLE)) is not None:
        names = tuple(name.strip() for name in given.split(",") if name.strip())
        return names[: names.index("-1")] if "-1" in names else names
    return tuple(str(number) for number in range(len(list(_DRIVER.parent.glob("nvidia[0-9]*")))))


def use_accelerators(names: Sequence[str]) -> None:
    """Let this process use these alone. Call it before torch is imported."""
    os.environ[_VISIBLE] = ",".join(names)


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
