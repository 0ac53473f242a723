"""Scales and the numbers that they belong to: of the right kind and shape, or the load fails."""

from pathlib import Path
from typing import Any

import pytest
import torch
from test_weights import Tensors, change, configure, letters
from torch import Tensor
from transformers import LlamaForCausalLM

from tiny import CONFIGS, bpe_tokenizer, opened, scaled

FP8: dict[str, object] = {"quant_method": "fp8", "weight_block_size": [128, 128]}


def blocks_of(weight: Tensor, height: int, width: int) -> Tensor:
    """The scales of a weight, one a block; the last blocks may be cut."""
    return torch.stack([
        torch.stack([part.abs().max() / 448 for part in rows.split(width, 1)])
        for rows in weight.split(height)
    ])  # fmt: skip


def spread(scales: Tensor, like: Tensor, height: int, width: int) -> Tensor:
    whole = scales.repeat_interleave(height, 0).repeat_interleave(width, 1)
    return whole[: like.shape[0], : like.shape[1]]


def save_odd(folder: Path, *, expanded: bool) -> Path:
    """A llama with 192 inner features in blocks of 128, in 8-bit floats, or expanded again by hand."""
    tokenizer = bpe_tokenizer()
    config: Any = CONFIGS["llama"](len(tokenizer))
    config.intermediate_size = 192
    torch.manual_seed(7)
    model: Any = scaled(LlamaForCausalLM(config), 4.0)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)

    def quantise(tensors: Tensors) -> None:
        for name in [name for name in tensors if name.endswith("_proj.weight")]:
            weight = tensors[name] * torch.linspace(0.2, 3, tensors[name].shape[0])[:, None]
            scales = blocks_of(weight, 128, 128)
            each = spread(scales, weight, 128, 128)
            tensors[name] = (weight / each).to(torch.float8_e4m3fn)
            if expanded:
                tensors[name] = tensors[name].float() * each
            else:
                tensors[f"{name}_scale_inv"] = scales

    change(folder, quantise)
    return folder if expanded else configure(folder, quantization_config=FP8)


def test_a_last_block_that_is_cut_has_the_scale_of_its_own(tmp_path: Path) -> None:
    by_hand = letters(opened(save_odd(tmp_path / "a", expanded=True)))
    assert letters(opened(save_odd(tmp_path / "b", expanded=False))) == pytest.approx(by_hand, abs=1e-5)
