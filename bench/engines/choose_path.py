"""Choose a model's scoring path by a test: packed or shared where that gives the same scores as plain."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch

from bench.engines import causal, seq2seq
from bench.engines.fitting import vocabulary_size
from bench.engines.packing import Path
from bench.engines.probe import logprobs_of, probe_requests
from bench.engines.torch_scoring import TOLERANCE

WINDOWS = ("sliding_window", "window_size", "attention_window_size", "attention_chunk_size")
"""Names in model configurations for the longest distance that attention reaches."""
SHORT_WINDOW = 20
"""Tokens that attention reaches in the test of a model with windows: fewer than the test's prefix has."""


def best_path(model: Any, window: int) -> Path:
    """`packed`, else `shared`, where two small questions score as on `plain`; else `plain`.

    The questions have several branches and a shared prefix. A packed row's mask knows no windows, so a model
    whose attention window is shorter than `window`, its longest row, is not packed. Its windows are cut to
    `SHORT_WINDOW` for the test, so that the questions are longer.
    """
    config = model.config.get_text_config()
    limits = {name: getattr(config, name, None) for name in WINDOWS}
    slides = any(isinstance(limit, int) and 0 < limit < window for limit in limits.values())
    packs: list[Path] = [] if slides else ["packed"]
    shares: list[Path] = [] if model.config.is_encoder_decoder else ["shared"]
    with _short_windows(config) if slides else nullcontext():
        return _first_equal(model, [*packs, *shares])


def _first_equal(model: Any, paths: Sequence[Path]) -> Path:
    """The first of `paths` that scores as the plain path does."""
    probe = probe_requests(vocabulary_size(model))
    score = seq2seq.score if model.config.is_encoder_decoder else causal.score
    plain = logprobs_of(score(model, probe, 4096, "plain"))
    for path in paths:
        try:
            logprobs = logprobs_of(score(model, probe, 4096, path))
        except Exception:  # noqa: BLE001, S112 (an architecture without trees or states may raise anything)
            continue
        tolerance = TOLERANCE[model.dtype]
        # Sums reach -60, where 1e-3 of them is much: a Jamba with random weights, whose class forgets its
        # state between two passes, is off by 0.02.
        exact = path == "shared" and model.dtype == torch.float32
        scales = [1.0 if exact else max(1.0, abs(value)) for value in plain]
        if all(abs(a - b) <= tolerance * c for a, b, c in zip(logprobs, plain, scales, strict=True)):
            return path
    return "plain"


@contextmanager
def _short_windows(config: Any) -> Generator[None]:
    """Within, attention reaches `SHORT_WINDOW` tokens at most: masks and caches read it in each pass."""
    limits = {name: getattr(config, name, None) for name in WINDOWS}
    long = {name: limit for name, limit in limits.items() if isinstance(limit, int) and limit > SHORT_WINDOW}
    for name in long:
        setattr(config, name, SHORT_WINDOW)
    try:
        yield
    finally:
        for name, limit in long.items():
            setattr(config, name, limit)
