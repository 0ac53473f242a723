"""Score with encoder-decoder models: a question is encoded once, and its continuations are one decoder row.

The keys and values of the cross-attention are then also computed once a question, not once a continuation.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutput

from bench.engines.packing import Layout, Path, lay_out, shape
from bench.engines.replies import Reading, score_in_batches
from bench.engines.torch_scoring import (
    additive,
    ancestors,
    is_out_of_memory,
    padded,
    projecting_only,
    read,
)
from bench.errors import BenchError
from bench.types import Encoded, ScoredBatch, Tree


def score(
    model: Any, requests: Sequence[Encoded], budget: int, path: Path, skip: frozenset[int] = frozenset()
) -> Iterator[ScoredBatch]:
    """Score requests in batches of about `budget` tokens of encoder and decoder together."""
    start = (start_token(model),)
    trees = [encoded.tree for encoded in requests]

    def forward(indices: Sequence[int]) -> tuple[Layout, Reading]:
        layout = lay_out([Tree(start, trees[index].branches) for index in indices], path)
        return layout, _forward(model, [trees[index] for index in indices], layout)

    shapes = [shape(tree, path) for tree in trees]
    yield from score_in_batches(requests, trees, shapes, budget, forward, is_out_of_memory, skip)


def start_token(model: Any) -> int:
    """The token that the decoder begins with: T5 names it, T5Gemma begins with its decoder's BOS.

    Raises a BenchError where the configuration has neither.
    """
    decoder = model.config.get_text_config(decoder=True)
    names = (
        getattr(model.config, "decoder_start_token_id", None),
        model.generation_config.decoder_start_token_id,
        getattr(decoder, "bos_token_id", None),
    )
    start = next((token for token in names if token is not None), None)
    if start is None:
        raise BenchError("config.json names no decoder_start_token_id: the decoder has no first token")
    return int(start)


def _forward(model: Any, sources: Sequence[Tree], layout: Layout) -> Reading:
    ids = padded([tree.stem for tree in sources], model.device)
    lengths = torch.tensor([len(tree.stem) for tree in sources], device=model.device)
    mask = (torch.arange(ids.shape[1], device=model.device) < lengths[:, None]).long()
    rows = padded([row.tokens for row in layout.rows], model.device)
    owners = [row.tree for row in layout.rows]
    with torch.inference_mode(), projecting_only(model, layout):
        states = model.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state
        with _tree_attention(model, layout, int(rows.shape[1])) as tree_inputs:
            logits = model(
                encoder_outputs=BaseModelOutput(last_hidden_state=states[owners]),
                attention_mask=mask[owners],
                decoder_input_ids=rows,
                use_cache=False,
                **tree_inputs,
            ).logits
    return read(logits, layout)


@contextmanager
def _tree_attention(model: Any, layout: Layout, width: int) -> Generator[dict[str, Any]]:
    """Yields the arguments that make the decoder's rows trees. Within, T5 measures distances along a branch.

    T5 takes no position ids: its first block computes a bias from the distances between tokens, which it
    would take from their places in the row.
    """
    if layout.is_causal:
        yield {}
        return
    attention = model.get_decoder().block[0].layer[0].SelfAttention
    positions = padded([row.positions for row in layout.rows], model.device)

    def compute_bias(*_args: object, **_kwargs: object) -> Tensor:
        return _distance_bias(attention, positions)

    attention.compute_bias = compute_bias
    try:
        yield {"decoder_attention_mask": additive(ancestors(layout, width), model.dtype, model.device)}
    finally:
        del attention.compute_bias


def _distance_bias(attention: Any, positions: Tensor) -> Tensor:
    """T5's bias for tokens at `positions` (rows, width): (rows, heads, width, width)."""
    distance = positions[:, None, :] - positions[:, :, None]
    buckets = attention._relative_position_bucket(  # noqa: SLF001 (T5's own function, not a copy of it)
        distance,
        bidirectional=False,
        num_buckets=attention.relative_attention_num_buckets,
        max_distance=attention.relative_attention_max_distance,
    )
    return attention.relative_attention_bias(buckets).permute(0, 3, 1, 2)
