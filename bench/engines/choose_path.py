"""Choose a model's scoring path by a test: packed where that gives the same scores as plain."""

from collections.abc import Iterable
from typing import Any

import torch

from bench.engines import causal, seq2seq
from bench.engines.engine import in_order
from bench.engines.packing import Path
from bench.engines.prefix import SHORTEST
from bench.types import Branch, Encoded, Item, ScoredBatch, ScoreRequest, Tree

TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.05, torch.float16: 0.01}
"""Largest relative difference between the scores of the two paths that rounding explains.

Bfloat16 keeps 8 bits: on SmolLM2 135M the paths differ by 0.01. Where branches see each other, positions
are places in the row, or the prefix is not seen, they differ by 0.3 or more: tests/engines/test_engines.py
breaks the packed path in each of these ways.
"""
WINDOWS = ("sliding_window", "window_size", "attention_window_size", "attention_chunk_size")
"""Names in model configurations for the longest distance that attention reaches."""


def best_path(model: Any, window: int) -> Path:
    """`packed` where two small questions with several branches and a shared prefix score as on `plain`.

    A model whose attention window is shorter than `window`, its longest row, takes the plain path: the
    test is too short to show the difference.
    """
    config = model.config.get_text_config()
    limits = (getattr(config, name, None) for name in WINDOWS)
    if any(isinstance(limit, int) and 0 < limit < window for limit in limits):
        return "plain"
    probe = _probe_requests(int(model.get_input_embeddings().weight.shape[0]))
    score = seq2seq.score if model.config.is_encoder_decoder else causal.score
    plain = _logprobs(score(model, probe, 4096, "plain"))
    try:
        packed = _logprobs(score(model, probe, 4096, "packed"))
    except Exception:  # noqa: BLE001 (an architecture that cannot run a tree may raise anything)
        return "plain"
    tolerance = TOLERANCE[model.dtype]
    same = all(abs(a - b) <= tolerance * max(1.0, abs(b)) for a, b in zip(packed, plain, strict=True))
    return "packed" if same else "plain"


def _probe_requests(vocabulary: int) -> list[Encoded]:
    """Two questions with a common prefix and several branches; ids are spread over the vocabulary.

    The branches differ in their first token and continue alike, and the last one repeats part of the
    prefix. A model that sees another branch copies from it, and one that does not see the prefix cannot
    copy from that: either changes a score by far more than rounding.
    """
    ids = [(7 + 31 * at * at) % vocabulary for at in range(SHORTEST + 30)]
    prefix, stem_ends = tuple(ids[:SHORTEST]), (tuple(ids[SHORTEST:-16]), tuple(ids[SHORTEST + 4 : -16]))
    common = ids[-10:]
    continuations = [[first, *common] for first in ids[-16:-12]]
    continuations += [[ids[-16], *common[:4], *ids[-12:-10]], common[:1], ids[4:14]]
    branches = tuple(Branch(tuple(tokens)) for tokens in continuations)
    request = ScoreRequest(Item("", "", (), 0), "", ())
    return [Encoded(request, Tree(prefix + end, (branches,))) for end in stem_ends]


def _logprobs(batches: Iterable[ScoredBatch]) -> list[float]:
    return [value for scores in in_order(batches) for value in scores.logprobs[0]]
