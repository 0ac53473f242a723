"""Weights in fewer bits: quantised here by bitsandbytes, or in the format of their files."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.nn.functional import pad
from transformers import BitsAndBytesConfig
from transformers.integrations.finegrained_fp8 import Fp8Dequantize

from bench.engines.engine import Opening
from bench.errors import BenchError
from bench.inputs.stored_format import (
    DEQUANTISED,
    StoredFormat,
    check_not_quantised_twice,
    check_stored,
    stored_format,
)

FOUR_BITS = ("nf4", "fp4")
SENSITIVE = {"decoder": ["lm_head"], "encoder-decoder": ["lm_head", "wo"]}
"""Layers that are not quantised: the output head, and T5's second feed-forward layer, whose activations
are the largest (transformers keeps it in float32 for the same reason)."""

NO_OUTLIERS = 0.0
"""The threshold that switches off LLM.int8()'s outliers. It keeps columns with an outlier anywhere in the
batch in half precision, so a score would depend on the rest of the batch. Without that, each token has its
own scale."""


def torch_dtype(opening: Opening) -> torch.dtype:
    """The opening's dtype. Raises a BenchError where it has none."""
    if opening.dtype is None:
        raise BenchError(f"{opening.card.name} cannot be opened without a dtype")
    return getattr(torch, opening.dtype)


def checked_format(folder: Path, opening: Opening) -> StoredFormat | None:
    """The format that the folder's weights are quantised in; None where they are not.

    Raises Unavailable where it cannot be loaded, or the opening quantises the weights once more.
    """
    stored = stored_format(folder)
    check_stored(stored)
    check_not_quantised_twice(stored.name if stored else "", opening.quantize)
    return stored


def quantization(opening: Opening, stored: StoredFormat | None, config: Any) -> dict[str, Any]:
    """The arguments of `from_pretrained` that say how linear layers are quantised; none where they are not.

    `config` is the configuration that the model is made of. 4 bits with quantised scales are as in QLoRA
    (Dettmers et al. 2023), 8 bits as in LLM.int8() (Dettmers et al. 2022).
    """
    if stored is not None:
        config.quantization_config = _as_scored(stored, opening)
        return {"config": config}
    # Even a None would replace the format that config.json names.
    return {} if opening.quantize == "none" else {"quantization_config": _bitsandbytes(opening)}


def _as_scored(stored: StoredFormat, opening: Opening) -> dict[str, Any]:
    """The stored format's settings, with those that no score may depend on set as for all models."""
    settings = dict(stored.settings)
    if stored.method == "bitsandbytes":
        return settings | {"llm_int8_threshold": NO_OUTLIERS, "bnb_4bit_compute_dtype": opening.dtype}
    return settings | ({"dequantize": True} if stored.method in DEQUANTISED else {})


def _bitsandbytes(opening: Opening) -> BitsAndBytesConfig:
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


@contextmanager
def whole_blocks() -> Generator[None]:
    """Within, blocks of 8-bit floats have the size that config.json gives, also where the last one is cut.

    transformers divides a weight evenly among its scales, so many numbers of such a weight would get the
    scale of another block.
    """
    untyped: Any = Fp8Dequantize
    original = untyped._dequantize_one  # noqa: SLF001 (there is no public way to replace it)

    def dequantize_one(self: Any, numbers: Tensor, scales: Tensor, output_dtype: Any = None) -> Tensor:
        block = self.hf_quantizer.quantization_config.weight_block_size
        if block is None or scales.ndim < 2 or numbers.dtype == torch.int8:  # int8: two 4-bit floats each
            return original(self, numbers, scales, output_dtype)
        rows, columns = numbers.shape[-2:]
        missing = (-rows % block[0], -columns % block[1])
        if scales.shape[-2:] != ((rows + missing[0]) // block[0], (columns + missing[1]) // block[1]):
            return original(self, numbers, scales, output_dtype)
        padded = pad(numbers.float(), (0, missing[1], 0, missing[0]))
        return original(self, padded, scales, output_dtype)[..., :rows, :columns].contiguous()

    untyped._dequantize_one = dequantize_one  # noqa: SLF001
    try:
        yield
    finally:
        untyped._dequantize_one = original  # noqa: SLF001


def keep_as_written(stored: StoredFormat | None) -> None:
    """Let BitNet's layers run as they are written, in this process.

    transformers marks parts of them for torch.compile, which needs a compiler and rounds 16 bits otherwise.
    """
    if stored and stored.method == "bitnet":
        torch.compiler.set_stance("force_eager")


def in_dtype(model: Any, dtype: torch.dtype) -> None:
    """Put what is not quantised into `dtype`: transformers leaves it as it is in the files.

    Its class may keep parts in float32 all the same.
    """
    whole = set(model._keep_in_fp32_modules_strict or ())  # noqa: SLF001 (there is no public way to ask)
    if dtype == torch.float16:
        whole |= set(model._keep_in_fp32_modules or ())  # noqa: SLF001
    for name, weight in model.named_parameters():
        if type(weight) is Parameter and weight.dtype in (torch.float32, torch.bfloat16, torch.float16):
            weight.data = weight.data.to(dtype if whole.isdisjoint(name.split(".")) else torch.float32)


def keep_unpacked(model: Any, *, unpacked: bool = True) -> None:
    """Whether a CPU dequantises 4-bit layers before it multiplies, or uses the kernel for packed weights.

    bitsandbytes made that kernel for single rows: on SmolLM2 135M it takes a third of the time at one
    token, but four times as long at 1,470. Weights that it has packed stay packed.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = not unpacked and _has_kernel()


def _has_kernel() -> bool:
    from bitsandbytes import functional

    untyped: Any = functional
    return bool(untyped.has_avx512bf16())


def footprint(model: Any) -> int:
    """The size of all weights in memory, in bytes, with the scales of quantised ones."""
    tensors: list[Tensor] = [*model.parameters(), *model.buffers()]
    total = sum(map(_bytes, tensors))
    total += sum(_scale_bytes(getattr(weight, "quant_state", None)) for weight in model.parameters())
    states = (getattr(module, "state", None) for module in model.modules())
    row_scales = (getattr(state, "SCB", None) for state in states)  # int8: one a row
    return total + sum(_bytes(scales) for scales in row_scales if isinstance(scales, Tensor))


def _scale_bytes(state: Any) -> int:
    """The scales of a 4-bit weight may be quantised, with scales of their own."""
    if state is None:
        return 0
    tensors = [tensor for tensor in (state.absmax, state.code, state.offset) if isinstance(tensor, Tensor)]
    return sum(map(_bytes, tensors)) + _scale_bytes(state.state2)


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
