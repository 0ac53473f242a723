"""Which way a model can be scored, found by trying: packed where that gives the plain pass's scores."""

from collections.abc import Iterable
from typing import Any

import torch

from bench.engines import causal, seq2seq
from bench.engines.engine import in_order
from bench.engines.packing import Path
from bench.engines.prefix import SHORTEST
from bench.types import Branch, Encoded, Item, ScoredBatch, ScoreRequest, Tree

TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.05, torch.float16: 0.01}
"""Largest relative difference of two paths' scores that rounding explains.

Bfloat16 keeps 8 bits: on SmolLM2 135M the two paths differ by 0.01. A tree whose branches see each
other, whose positions are places in the row, or that does not see the beginning differs by 0.3 and
more (tests/test_engines.py breaks it in each of these ways).
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
    """Two questions that begin alike and end in several forks; ids spread over the vocabulary.

    The branches differ in their first token and go on alike, and the last one repeats the beginning:
    a model that sees what it should not see copies it, one that does not see the beginning cannot,
    and either moves a score by far more than rounding.
    """
    ids = [(7 + 31 * at * at) % vocabulary for at in range(SHORTEST + 30)]
    beginning, ends = tuple(ids[:SHORTEST]), (tuple(ids[SHORTEST:-16]), tuple(ids[SHORTEST + 4 : -16]))
    alike = ids[-10:]
    tails = [[first, *alike] for first in ids[-16:-12]]
    tails += [[ids[-16], *alike[:4], *ids[-12:-10]], alike[:1], ids[4:14]]
    branches = tuple(Branch(tuple(tail)) for tail in tails)
    request = ScoreRequest(Item("", "", (), 0), "", ())
    return [Encoded(request, Tree(beginning + end, (branches,))) for end in ends]


def _logprobs(batches: Iterable[ScoredBatch]) -> list[float]:
    return [value for scores in in_order(batches) for value in scores.logprobs[0]]
