"""The host's memory on a long run: without this it grows by about 4 MB a batch, all of it free or stale."""

import ctypes
import os
from collections.abc import Callable
from functools import cache

KERNELS = "32"
"""oneDNN keeps its generated kernels of the last 1,024 shapes, 3 MB a batch of a new shape."""


def keep_few_kernels() -> None:
    """To be called before the first forward pass of the process; a value of the user's own stays."""
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", KERNELS)


def give_back() -> None:
    """Return the free pages of the C heap to the system, where it can (glibc)."""
    if trim := _trim():
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library
        return None
