"""Shared by both transformer engines: a layout as tensors, and logits only at the places that are read."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from torch import Tensor

from bench.engines.packing import Layout
from bench.engines.replies import Reading

TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.05, torch.float16: 0.01}
"""Largest relative difference between the scores of the two paths that rounding explains.

Bfloat16 keeps 8 bits: on SmolLM2 135M the paths differ by 0.01. Where branches see each other, positions
are places in the row, or the prefix is not seen, they differ by 0.3 or more: tests/engines/test_engines.py
breaks the packed path in each of these ways.
"""
CHUNK = 128
"""Rows of logits that are converted to float32 at a time."""


def is_out_of_memory(error: Exception) -> bool:
    """Whether a smaller batch may help. If so, unused device memory is freed."""
    if not should_reduce_batch_size(error):
        return False
    error.__traceback__ = None  # its frames refer to the batch's tensors
    clear_device_cache(garbage_collection=True)
    return True


def padded(rows: Sequence[Sequence[int]], device: torch.device) -> Tensor:
    """Token ids, padded on the right with 0: (rows, longest row)."""
    width = max(len(row) for row in rows)
    return torch.tensor([[*row, *[0] * (width - len(row))] for row in rows]).to(device)


def ancestors(layout: Layout, width: int) -> Tensor:
    """Which tokens a token sees, (rows, width, width): True for itself and its ancestors."""
    seen = torch.ones(width, width, dtype=torch.bool).tril().repeat(len(layout.rows), 1, 1)
    for mask, row in zip(seen, layout.rows, strict=True):
        for at, parent in enumerate(row.parents, start=row.trunk):
            mask[at] = mask[parent]
            mask[at, at] = True
    return seen


def additive(seen: Tensor, dtype: torch.dtype, device: torch.device) -> Tensor:
    """A mask to add to attention scores: (rows, queries, keys) -> (rows, 1, queries, keys)."""
    mask = torch.zeros(seen.shape, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)
    return mask[:, None].to(device)


@contextmanager
def projecting_only(model: Any, layout: Layout) -> Generator[None]:
    """Within, the output head gets only the hidden states at `layout.places`.

    Its input (rows, positions, width) becomes (1, places, width), so that logits are computed only where
    they are read. The architecture's own processing of logits stays in effect.
    """
    rows, positions = zip(*layout.places, strict=True)

    def gather(_module: object, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        hidden = inputs[0]
        return (hidden[list(rows), list(positions)].unsqueeze(0), *inputs[1:])

    hook = model.get_output_embeddings().register_forward_pre_hook(gather)
    try:
        yield
    finally:
        hook.remove()


def read(logits: Tensor, layout: Layout) -> Reading:
    """The log-probabilities of `layout.reads`, in float32, from logits (1, places, vocabulary)."""
    places = torch.tensor([read.place for read in layout.reads], device=logits.device)
    tokens = torch.tensor([read.token for read in layout.reads], device=logits.device)
    values: Any = torch.empty(len(layout.reads), device=logits.device)
    likeliest: Any = torch.empty(len(layout.reads), device=logits.device)
    # A float32 copy of all rows would be the largest tensor in memory.
    for at in range(0, logits.shape[1], CHUNK):
        logprobs = torch.log_softmax(logits[0, at : at + CHUNK].float(), dim=-1)
        here = (places >= at) & (places < at + CHUNK)
        values[here] = logprobs[places[here] - at, tokens[here]]
        likeliest[here] = logprobs.amax(dim=-1)[places[here] - at]
    return values.tolist(), (values == likeliest).tolist()
