"""Eight and four bits a weight, by bitsandbytes, on the GPU and on the CPU."""

from typing import Any

import torch
from torch import Tensor
from transformers import BitsAndBytesConfig

from bench.engines.engine import Opening
from bench.errors import BenchError

FOUR_BITS = ("nf4", "fp4")
SENSITIVE = {"decoder": ["lm_head"], "encoder-decoder": ["lm_head", "wo"]}
"""Layers that stay in the dtype: the output head, and T5's second feed-forward layer, whose activations
are the largest (transformers keeps it in float32 for the same reason)."""

NO_OUTLIERS = 0.0
"""LLM.int8() keeps columns with an outlier anywhere in the batch in half precision, so a score would
depend on what shares its batch. Without that every token has its own scale, alone."""


def torch_dtype(opening: Opening) -> torch.dtype:
    """Raises a BenchError where the opening names none."""
    if opening.dtype is None:
        raise BenchError(f"{opening.card.name} cannot be opened without a dtype")
    return getattr(torch, opening.dtype)


def quantization(opening: Opening) -> BitsAndBytesConfig | None:
    """How linear layers are quantised: in 4 bits as QLoRA does (scales too), in 8 as LLM.int8() does."""
    if opening.quantize == "none":
        return None
    if opening.quantize == "int8":
        return BitsAndBytesConfig(
            load_in_8bit=True,
            llm_int8_threshold=NO_OUTLIERS,
            llm_int8_skip_modules=_skipped(opening),
        )
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=opening.quantize,
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch_dtype(opening),
        llm_int8_skip_modules=_skipped(opening),
    )


def _skipped(opening: Opening) -> list[str]:
    return SENSITIVE[opening.card.architecture]


def keep_unpacked(model: Any, *, unpacked: bool = True) -> None:
    """Whether a CPU dequantises a 4-bit layer and multiplies, or takes the kernel for packed weights.

    That kernel, bitsandbytes' own, is made for a row at a time: on SmolLM2 135M it takes a third of
    the time at one token and four times as long at 1,470. Weights that it has packed stay packed.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = not unpacked and _has_kernel()


def _has_kernel() -> bool:
    from bitsandbytes import functional

    known: Any = functional
    return bool(known.has_avx512bf16())


def footprint(model: Any) -> int:
    """Bytes of all weights as they are held, the scales of quantised ones included."""
    tensors: list[Tensor] = [*model.parameters(), *model.buffers()]
    held = sum(map(_bytes, tensors))
    held += sum(_scales(getattr(weight, "quant_state", None)) for weight in model.parameters())
    states = (getattr(module, "state", None) for module in model.modules())
    rows = (getattr(state, "SCB", None) for state in states)  # int8: a scale a row
    return held + sum(_bytes(scales) for scales in rows if isinstance(scales, Tensor))


def _scales(state: Any) -> int:
    if state is None:
        return 0
    held = [tensor for tensor in (state.absmax, state.code, state.offset) if isinstance(tensor, Tensor)]
    return sum(map(_bytes, held)) + _scales(state.state2)


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
