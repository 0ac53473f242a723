"""How much memory and time a cell needs, from its card and from what such runs came to before."""

from collections.abc import Iterable

from bench.inputs.weights import Weights
from bench.runs.cell import CannotRun, Cell, NeedsTuning, Planned
from bench.runs.machine import has_accelerator, machine_of, this_machine
from bench.runs.result import DoneResult
from bench.types import Dtype, Quantization

LIBRARIES = 700_000_000
"""What a worker holds beside its weights: libraries, tokenizer, kernels, activations."""
LIGHT = 300_000_000
"""A baseline's worker."""
LOADING = 2.0
"""How many times the weights are held while they are loaded.

Both are a rule of thumb: 0.7 + 2 x 0.27 GB for the 1.22 GB of the bfloat16 runs in `results/`. A small
quantised model, whose embedding stays whole, holds more than this says (1.14 and 1.38 GB there).
"""
_BYTES: dict[Dtype, float] = {"float32": 4, "bfloat16": 2, "float16": 2}
_QUANTISED: dict[Quantization, float] = {"int8": 1, "nf4": 0.5, "fp4": 0.5}


def least(cell: Cell) -> int:
    """Bytes of this machine's memory that the weights alone take as they are held.

    0 where nothing is known of them, and where they go to an accelerator's memory.
    """
    variant, parameters = cell.facts.variant, cell.facts.model.parameters
    if variant.dtype is None or has_accelerator():
        return 0
    each = _QUANTISED.get(variant.quantize, _BYTES[variant.dtype])
    if parameters is None:
        weights = cell.weights
        # On disk they are of four bytes at most.
        parameters = weights.bytes // 4 if isinstance(weights, Weights) else 0
    return int(parameters * each)


def uses_device(planned: Planned) -> bool:
    """Whether it puts a model's weights on the accelerator, where there is one."""
    match planned:
        case Cell(facts=facts) | NeedsTuning(cell=Cell(facts=facts)):
            return facts.variant.dtype is not None
        case CannotRun():
            return False


def needed(planned: Planned, before: Iterable[DoneResult]) -> int:
    """About how much it will hold at its peak, in bytes: as before, else by the card."""
    match planned:
        case Cell():
            cell = planned
        case NeedsTuning(cell=cell):
            pass
        case CannotRun():
            return 0
    peaks = [result.cost.peak_memory_bytes for result in _like(cell, before)]
    if known := [peak for peak in peaks if peak]:
        return max(known)
    return int(LIBRARIES + LOADING * least(cell)) if cell.facts.variant.dtype else LIGHT


def expected_seconds(planned: Planned, before: Iterable[DoneResult]) -> float | None:
    """About how long it will take, as the last such run on a machine like this; None where there is none."""
    if not isinstance(planned, Cell):
        return None
    alike = [result for result in _like(planned, before) if machine_of(result.provenance) == this_machine()]
    if not alike:
        return None
    last = max(alike, key=lambda result: result.provenance.finished)
    if last.cost.scoring_seconds is None or last.cost.load_seconds is None:
        return None
    each = last.cost.scoring_seconds / last.metrics.accuracy.total
    return last.cost.load_seconds + each * len(planned.items)


def _like(cell: Cell, before: Iterable[DoneResult]) -> list[DoneResult]:
    """Finished runs of the same model, held and asked the same way, on the task."""
    return [
        result
        for result in before
        if result.cell.model.name == cell.facts.model.name
        and result.cell.variant == cell.facts.variant
        and result.cell.task.name == cell.task.name
    ]


def told(size: int) -> str:
    """4_310_000_000 -> "4.31 GB" (decimal units, as the page has them)."""
    return f"{size / 1e9:.3g} GB" if size >= 10**9 else f"{size / 1e6:.3g} MB"
