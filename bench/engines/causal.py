"""Score with decoder-only models: a shared prefix runs once, and logits are computed only where read."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch.nn.functional import pad
from transformers import Cache

from bench.engines import shared
from bench.engines.long_rows import forget_lengths
from bench.engines.packing import SHORTEST, Layout, Path, common_prefix, each_row, lay_out, shape
from bench.engines.prefix import prefill
from bench.engines.replies import Reading, score_in_batches
from bench.engines.torch_scoring import (
    additive,
    ancestors,
    is_out_of_memory,
    padded,
    projecting_only,
    read,
)
from bench.types import Encoded, ScoredBatch


def score(
    model: Any, requests: Sequence[Encoded], budget: int, path: Path, skip: frozenset[int] = frozenset()
) -> Iterator[ScoredBatch]:
    """Score requests in batches of about `budget` tokens. Packed or shared, their common prefix runs once."""
    if path == "shared":
        yield from shared.score(model, requests, budget, skip)
        return
    common = common_prefix([encoded.tree for encoded in requests]) if path == "packed" else ()
    prefix = prefill(model, common) if len(common) >= SHORTEST else None
    computed = len(common) if prefix else 0
    trees = [replace(encoded.tree, stem=encoded.tree.stem[computed:]) for encoded in requests]

    def forward(indices: Sequence[int]) -> tuple[Layout, Reading]:
        layout = lay_out([trees[index] for index in indices], path)
        return layout, _forward(model, layout, prefix)

    shapes = [shape(tree, path) for tree in trees]
    yield from score_in_batches(requests, trees, shapes, budget, forward, is_out_of_memory, skip)


def score_alone(
    model: Any, requests: Sequence[Encoded], budget: int, skip: frozenset[int] = frozenset()
) -> Iterator[ScoredBatch]:
    """Score each row in a pass of its own, for models whose frequencies depend on the longest row of a pass.

    Batches are those of the plain path, but only of what is yielded.
    """
    trees = [encoded.tree for encoded in requests]

    def forward(indices: Sequence[int]) -> tuple[Layout, Reading]:
        layout = lay_out([trees[index] for index in indices], "plain")
        logprobs, greedy = [0.0] * len(layout.reads), [False] * len(layout.reads)
        for row, held in each_row(layout):
            forget_lengths(model)
            for at, logprob, likeliest in zip(held, *_forward(model, row, None), strict=True):
                logprobs[at], greedy[at] = logprob, likeliest
        return layout, (logprobs, greedy)

    shapes = [shape(tree, "plain") for tree in trees]
    yield from score_in_batches(requests, trees, shapes, budget, forward, is_out_of_memory, skip)


def _forward(model: Any, layout: Layout, prefix: Cache | None) -> Reading:
    ids = padded([row.tokens for row in layout.rows], model.device)
    # Padding is on the right, where no token attends. Without a mask attention uses its fastest kernel,
    # so only branches and a prefix bring one.
    is_causal = prefix is None and layout.is_causal
    tree_inputs = {} if is_causal else _tree_inputs(model, layout, int(ids.shape[1]), prefix)
    with torch.inference_mode(), projecting_only(model, layout):
        logits = model(input_ids=ids, use_cache=False, **tree_inputs).logits
    return read(logits, layout)


def _tree_inputs(model: Any, layout: Layout, width: int, prefix: Cache | None) -> dict[str, Any]:
    """The arguments by which a token sees the prefix and its own ancestors, at positions along its branch."""
    before = int(prefix.get_seq_length()) if prefix else 0
    seen = pad(ancestors(layout, width), (before, 0), value=1)
    return {
        "attention_mask": additive(seen, model.dtype, model.device),
        "position_ids": padded([row.positions for row in layout.rows], model.device) + before,
        "past_key_values": prefix,
    }
