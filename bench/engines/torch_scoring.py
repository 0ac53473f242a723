"""What both transformer engines share: projecting and reading only the rows that are wanted."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from bench.engines.packing import Layout
from bench.types import Encoded, Scores


def padded(rows: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Right-padded ids and their mask, both (rows, longest); pads are id 0 and masked 0."""
    width = max(len(row) for row in rows)
    ids = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    return ids.to(device), mask.to(device)


@contextmanager
def projecting_only(model: Any, layout: Layout) -> Generator[None]:
    """Within, the output head sees the hidden states of `layout.places` alone.

    The head's input (rows, positions, width) becomes (1, places, width), so the vocabulary is
    projected only where it is read, and whatever the architecture does to logits still happens.
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


def read_logprobs(logits: Tensor, layout: Layout) -> list[float]:
    """Log-probabilities of `layout.reads` from logits (1, places, vocabulary), in float32."""
    logprobs = torch.log_softmax(logits[0].float(), dim=-1)
    places = torch.tensor([read.place for read in layout.reads], device=logits.device)
    tokens = torch.tensor([read.token for read in layout.reads], device=logits.device)
    values: Any = logprobs[places, tokens]
    return values.tolist()


def replies(batch: Sequence[Encoded], totals: Sequence[Sequence[float]]) -> list[Scores]:
    return [
        Scores(encoded.request.prompt, len(encoded.stem), tuple(logprobs))
        for encoded, logprobs in zip(batch, totals, strict=True)
    ]
