"""How much memory and time a cell needs, from its card and from what such runs came to before."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from bench.inputs.weights import Weights
from bench.runs.cell import Cell
from bench.runs.provenance import provenance
from bench.runs.result import DoneResult, Provenance
from bench.types import Dtype, Quantization
from bench.wording import size

LIBRARIES = 700_000_000
"""What a worker holds beside its weights: libraries, tokenizer, kernels, activations."""
LIGHT = 300_000_000
"""A baseline's worker."""
LOADING = 2.0
"""How many times the weights are held while they are loaded.

Both are a rule of thumb: 0.7 + 2 x 0.27 GB for the 1.22 GB of the bfloat16 runs in `results/`. A small
quantised model, whose embedding stays whole, holds more than this says (1.14 and 1.38 GB there).
"""
_ON_DEVICE = Path("/dev/nvidiactl")
_BYTES: dict[Dtype, float] = {"float32": 4, "bfloat16": 2, "float16": 2}
_QUANTISED: dict[Quantization, float] = {"int8": 1, "nf4": 0.5, "fp4": 0.5}


def least(cell: Cell) -> int:
    """Bytes of this machine's memory that the weights alone take as they are held.

    0 where nothing is known of them, and where they go to an accelerator's memory.
    """
    variant, parameters = cell.facts.variant, cell.facts.model.parameters
    if variant.dtype is None or has_device():
        return 0
    each = _QUANTISED.get(variant.quantize, _BYTES[variant.dtype])
    if parameters is None:
        weights = cell.opening.weights
        # On disk they are of four bytes at most.
        parameters = weights.bytes // 4 if isinstance(weights, Weights) else 0
    return int(parameters * each)


def has_device() -> bool:
    """Whether models go to an accelerator's memory, told without torch."""
    return _ON_DEVICE.exists()


def needed(cell: Cell, before: Iterable[DoneResult]) -> int:
    """About how much a cell will hold at its peak, in bytes: as before, else by the card."""
    peaks = [result.cost.peak_memory_bytes for result in _like(cell, before)]
    if known := [peak for peak in peaks if peak]:
        return max(known)
    return int(LIBRARIES + LOADING * least(cell)) if cell.facts.variant.dtype else LIGHT


def expected_seconds(cell: Cell, before: Iterable[DoneResult]) -> float | None:
    """About how long it will take, as the last such run on a machine like this; None where there is none."""
    alike = [result for result in _like(cell, before) if machine_of(result.provenance) == this_machine()]
    if not alike:
        return None
    last = max(alike, key=lambda result: result.provenance.finished)
    if last.cost.scoring_seconds is None or last.cost.load_seconds is None:
        return None
    each = last.cost.scoring_seconds / last.metrics.accuracy.total
    return last.cost.load_seconds + each * len(cell.items)


def _like(cell: Cell, before: Iterable[DoneResult]) -> list[DoneResult]:
    """Finished runs of the same model, held and asked the same way, on the task."""
    return [
        result
        for result in before
        if result.cell.model.name == cell.facts.model.name
        and result.cell.variant == cell.facts.variant
        and result.cell.task.name == cell.task.name
    ]


@cache
def this_machine() -> str:
    return machine_of(provenance())


def machine_of(found: Provenance) -> str:
    """What two runs must share for their times to be added or compared."""
    memory = "unknown" if found.memory_bytes is None else size(found.memory_bytes)
    return f"{found.machine}, {memory}"


def out_of_memory_kills() -> int | None:
    """How many processes the system has ended for memory since it started; None where it does not say."""
    try:
        lines = Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)
