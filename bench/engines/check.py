"""Which way a model can be scored, found by trying: packed where that gives the plain pass's scores."""

from collections.abc import Sequence
from typing import Any

import torch

from bench.engines import causal, seq2seq
from bench.engines.packing import Path
from bench.engines.prefix import SHORTEST
from bench.types import Branch, Encoded, Item, ScoreRequest, Tree

TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.02, torch.float16: 0.005}
"""Largest relative difference of two paths' scores that rounding explains.

Bfloat16 keeps 8 bits: on SmolLM2 135M the two paths differ by up to 0.005, and a tree whose branches
see each other by 0.1 and more.
"""
WINDOWS = ("sliding_window", "window_size", "attention_window_size", "attention_chunk_size")
"""What configurations call a window that attention does not look beyond."""


def best_path(model: Any, window: int) -> Path:
    """`packed` where a tiny question with forks, behind a shared beginning, scores as on the plain path.

    A model with a sliding window shorter than its prompts takes the plain path: the check is too
    short to see it.
    """
    config = model.config.get_text_config()
    windows = (getattr(config, name, None) for name in WINDOWS)
    if any(isinstance(sliding, int) and 0 < sliding < window for sliding in windows):
        return "plain"
    probe = _probe(int(model.get_input_embeddings().weight.shape[0]))
    score = seq2seq.score if model.config.is_encoder_decoder else causal.score
    plain = _logprobs(score(model, probe, 4096, "plain"))
    try:
        packed = _logprobs(score(model, probe, 4096, "packed"))
    except Exception:  # noqa: BLE001 (whatever an architecture makes of a tree: it has another way)
        return "plain"
    limit = TOLERANCE[model.dtype]
    near = all(abs(a - b) <= limit * max(1.0, abs(b)) for a, b in zip(packed, plain, strict=True))
    return "packed" if near else "plain"


def _probe(vocabulary: int) -> list[Encoded]:
    """Two questions that begin alike and end in several forks; ids spread over the vocabulary."""
    ids = [(7 + 31 * at * at) % vocabulary for at in range(SHORTEST + 40)]
    beginning, ends = tuple(ids[:SHORTEST]), (tuple(ids[SHORTEST:-30]), tuple(ids[SHORTEST + 4 : -30]))
    tails = [ids[-30:-20], ids[-20:-10], ids[-30:-25] + ids[-10:-5], ids[-5:], ids[-1:]]
    branches = tuple(Branch(tuple(tail)) for tail in tails)
    request = ScoreRequest(Item("", "", (), 0), "", ())
    return [Encoded(request, Tree(beginning + end, (branches,))) for end in ends]


def _logprobs(batches: Any) -> Sequence[float]:
    found = {
        index: scores.logprobs[0]
        for batch in batches
        for index, scores in zip(batch.indices, batch.replies, strict=True)
    }
    return [value for index in sorted(found) for value in found[index]]
