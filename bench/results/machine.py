"""Facts about this machine that need no torch: its accelerator, its name in results, its memory kills."""

from functools import cache
from pathlib import Path

from bench.results.provenance import provenance
from bench.results.result import Provenance
from bench.wording import size


@cache
def this_machine() -> str:
    """The `machine_of` of runs on this machine."""
    return machine_of(provenance())


def machine_of(provenance: Provenance) -> str:
    """Processor, cores and memory: times are only added or compared between runs that agree in these."""
    memory = "unknown" if provenance.memory_bytes is None else size(provenance.memory_bytes)
    # Journals compare this text with an earlier one, which has a plain space.
    return f"{provenance.machine}, {memory}".replace("\u202f", " ")


def out_of_memory_kills() -> int | None:
    """How many processes the system has killed for memory since it started; None where it does not count."""
    try:
        lines = Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)
