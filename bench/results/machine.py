"""This machine, read without torch: whether it has an accelerator, and what names it in results."""

from functools import cache
from pathlib import Path

from bench.results.provenance import provenance
from bench.results.result import Provenance
from bench.wording import size

_DRIVER = Path("/dev/nvidiactl")


def has_accelerator() -> bool:
    """Whether models go to a GPU's memory. The driver's file says so: importing torch takes seconds."""
    return _DRIVER.exists()


@cache
def this_machine() -> str:
    """The name of this machine, as `machine_of` gives it for runs that were made here."""
    return machine_of(provenance())


def machine_of(made: Provenance) -> str:
    """What two runs must share for their times to be added or compared: processor, cores and memory."""
    memory = "unknown" if made.memory_bytes is None else size(made.memory_bytes)
    # Unfinished runs hold this text as it was written with a plain space.
    return f"{made.machine}, {memory}".replace("\u202f", " ")


def out_of_memory_kills() -> int | None:
    """How many processes the system has ended for memory since it started; None where it does not say."""
    try:
        lines = Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)
