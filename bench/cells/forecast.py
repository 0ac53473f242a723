"""The memory and time that a cell is expected to need, from its card and from similar runs before."""

from collections.abc import Iterable

from bench.cells.cell import Cell, NeedsTuning, Runnable
from bench.inputs.weights import Weights
from bench.results.machine import has_accelerator, machine_of, this_machine
from bench.results.result import DoneResult
from bench.types import Dtype, Quantization

LIBRARY_BYTES = 700_000_000
"""What a cell's process holds beside its weights: libraries, tokenizer, kernels, activations."""
BASELINE_BYTES = 300_000_000
"""What the process of a baseline holds."""
LOADING_FACTOR = 2.0
"""How many times the weights are held while they are loaded.

With the libraries, a rule of thumb: 0.7 + 2 x 0.27 GB for the 1.22 GB of the bfloat16 runs in `results/`.
A small quantised model, whose embedding stays whole, holds more (1.14 and 1.38 GB there).
"""
_BYTES: dict[Dtype, float] = {"float32": 4, "bfloat16": 2, "float16": 2}
_QUANTISED: dict[Quantization, float] = {"int8": 1, "nf4": 0.5, "fp4": 0.5}


def weights_bytes(cell: Cell) -> int:
    """Memory of this machine that the weights alone take in their format.

    0 where their size is unknown, and where they go to an accelerator's memory.
    """
    variant, parameters = cell.facts.variant, cell.facts.model.parameters
    if variant.dtype is None or has_accelerator():
        return 0
    bytes_each = _QUANTISED.get(variant.quantize, _BYTES[variant.dtype])
    if parameters is None:
        weights = cell.weights
        # On disk they are of four bytes at most.
        parameters = weights.bytes // 4 if isinstance(weights, Weights) else 0
    return int(parameters * bytes_each)


def expected_peak_bytes(cell: Runnable, before: Iterable[DoneResult]) -> int:
    """The memory that a cell is expected to hold at its peak: as in such runs before, else by its card."""
    match cell:
        case NeedsTuning(cell=inner):
            return expected_peak_bytes(inner, before)
        case Cell():
            pass
    peaks = [result.cost.peak_memory_bytes for result in _similar(cell, before)]
    if known := [peak for peak in peaks if peak]:
        return max(known)
    if cell.facts.variant.dtype is None:
        return BASELINE_BYTES
    return int(LIBRARY_BYTES + LOADING_FACTOR * weights_bytes(cell))


def expected_seconds(cell: Cell, before: Iterable[DoneResult]) -> float | None:
    """The time of the last such run on a machine like this one; None where there is none."""
    similar = [result for result in _similar(cell, before) if machine_of(result.provenance) == this_machine()]
    if not similar:
        return None
    last = max(similar, key=lambda result: result.provenance.finished)
    if last.cost.scoring_seconds is None or last.cost.load_seconds is None:
        return None
    seconds_each = last.cost.scoring_seconds / last.metrics.accuracy.total
    return last.cost.load_seconds + seconds_each * len(cell.items)


def _similar(cell: Cell, before: Iterable[DoneResult]) -> list[DoneResult]:
    """Finished runs of the same model in the same variant on the same task."""
    return [
        result
        for result in before
        if result.cell.model.name == cell.facts.model.name
        and result.cell.variant == cell.facts.variant
        and result.cell.task.name == cell.task.name
    ]
