"""The accelerator of this process. Nothing here imports torch: without torch, no accelerator is in use."""

import sys
from typing import Any


def loaded_cuda() -> Any | None:
    """`torch.cuda` where torch is loaded and finds a CUDA device, else None."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch and torch.cuda.is_available() else None


def device_title() -> str:
    """The accelerator's name as its driver gives it, or "cpu"."""
    cuda = loaded_cuda()
    return cuda.get_device_name() if cuda else "cpu"
