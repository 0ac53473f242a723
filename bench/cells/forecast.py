"""The memory and time that a cell is expected to need, from its card and from earlier runs."""

from collections.abc import Iterable

from bench.cells.cell import Cell, NeedsTuning, Runnable
from bench.engines.device import has_accelerator
from bench.inputs.weights import RemoteWeights, Weights
from bench.results.machine import machine_of, this_machine
from bench.results.result import DoneResult
from bench.types import Dtype

LIBRARY_BYTES = 700_000_000
"""Memory of a cell's process besides the weights: libraries, tokenizer, kernels, activations."""
BASELINE_BYTES = 300_000_000
"""Memory of the process of a baseline, and of llama.cpp besides its file."""
LOADING_FACTOR = 2.0
"""How many copies of the weights are in memory while they are loaded.

A rule of thumb: with the libraries it gives 0.7 + 2 x 0.27 GB, and the bfloat16 runs in `results/`
took 1.22 GB. Small quantised models take more (1.14 and 1.38 GB there), because their embeddings
are not quantised.
"""
_BYTES: dict[Dtype, float] = {"float32": 4, "bfloat16": 2, "float16": 2}
_QUANTISED = {"int8": 1.0, "nf4": 0.5, "fp4": 0.5}
"""Bytes of a weight; one published in another format is expanded to the dtype, or smaller."""


def weights_bytes(cell: Cell) -> int:
    """The main memory that the weights take: 0 where they go to an accelerator's memory."""
    return 0 if has_accelerator() else loaded_bytes(cell)


def loaded_bytes(cell: Cell) -> int:
    """The memory that the weights take in their format; without those of a vision part.

    0 where their size is unknown.
    """
    variant, card = cell.facts.variant, cell.facts.model
    if variant.dtype is None:
        return _file_bytes(cell.weights)
    bytes_each = _QUANTISED.get(variant.weights_format or variant.quantize, _BYTES[variant.dtype])
    parameters = card.text_parameters or card.parameters
    if parameters is None:
        # Files hold at most four bytes for each parameter, so this is a lower bound.
        parameters = ((cell.weights.bytes if cell.weights else 0) or card.download_bytes or 0) // 4
    return int(parameters * bytes_each)


def _file_bytes(weights: Weights | RemoteWeights | None) -> int:
    """The size of a GGUF file that is used as it is; 0 where it is unknown, and for all else."""
    match weights:
        case Weights(bits=float(), bytes=size):
            return size
        case RemoteWeights(bytes=int(size)) if weights.file:
            return size
        case _:
            return 0


def bytes_to_download(cell: Cell) -> int | None:
    """What the cell's run downloads: as the hub says, else by the card; None where neither knows."""
    match cell.weights:
        case RemoteWeights(bytes=size):
            return size or cell.facts.model.download_bytes
        case _:
            return 0


def expected_peak_bytes(cell: Runnable, before: Iterable[DoneResult]) -> int:
    """The peak memory that a cell is expected to need: the most that a similar run took, else by its card."""
    match cell:
        case NeedsTuning(cell=inner):
            return expected_peak_bytes(inner, before)
        case Cell():
            pass
    peaks = [result.cost.peak_memory_bytes for result in _similar(cell, before)]
    if known := [peak for peak in peaks if peak]:
        return max(known)
    if cell.facts.variant.dtype is None:
        return BASELINE_BYTES + weights_bytes(cell)
    return int(LIBRARY_BYTES + LOADING_FACTOR * weights_bytes(cell))


def expected_seconds(cell: Cell, before: Iterable[DoneResult]) -> float | None:
    """The time a cell is expected to take, from the last similar run on such a machine; None without one."""
    similar = [result for result in _similar(cell, before) if machine_of(result.provenance) == this_machine()]
    if not similar:
        return None
    last = max(similar, key=lambda result: result.provenance.finished)
    if last.cost.scoring_seconds is None or last.cost.load_seconds is None:
        return None
    seconds_each = last.cost.scoring_seconds / last.measured_questions
    return last.cost.load_seconds + seconds_each * len(cell.items)


def _similar(cell: Cell, before: Iterable[DoneResult]) -> list[DoneResult]:
    """The finished runs of the same model in the same variant on the same task."""
    return [
        result
        for result in before
        if result.cell.model.name == cell.facts.model.name
        and result.cell.variant == cell.facts.variant
        and result.cell.task.name == cell.task.name
    ]
