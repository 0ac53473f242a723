"""Floating-point operations: what a machine can do, and what scoring takes."""

import time
from collections.abc import Sequence
from typing import Any

import torch

from bench.engines.packing import common_prefix
from bench.engines.transformer import TransformerEngine
from bench.types import Encoded


def matmul_flops(engine: TransformerEngine, size: int = 2048, times: int = 15) -> float:
    """The machine's best rate of square matrix products in the engine's dtype, in FLOP/s."""
    device, dtype = engine.model.device, engine.model.dtype
    a = torch.randn(size, size, device=device, dtype=dtype)
    seconds: list[float] = []
    for _ in range(times):
        _synchronise(device)
        start = time.perf_counter()
        torch.matmul(a, a)
        _synchronise(device)
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / min(seconds)


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def linear_flops(engine: TransformerEngine, encoded: Sequence[Encoded]) -> float:
    """FLOP of the linear layers for these requests; attention and output head are not counted."""
    model = engine.model
    if model.config.is_encoder_decoder:
        read = sum(len(request.tree.stem) for request in encoded)
        return 2.0 * read * _weights(model.get_encoder()) + 2.0 * len(encoded) * _weights(model.get_decoder())
    return 2.0 * _tokens(encoded) * _weights(model.base_model)


def _tokens(encoded: Sequence[Encoded]) -> int:
    """Tokens that a decoder reads: the common prefix once, then the rest of each request."""
    prefix = len(common_prefix([request.tree for request in encoded]))
    return prefix + sum(request.tree.longest - prefix for request in encoded)


def _weights(module: Any) -> int:
    """The number of weights in the module's linear layers."""
    return sum(part.weight.numel() for part in module.modules() if isinstance(part, torch.nn.Linear))
