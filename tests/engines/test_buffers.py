"""What a model computes for itself, what files hold of it, and files that hold nothing."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from test_weights import Tensors, change, configure, letters, save_gpt2
from torch import Tensor

from bench.errors import BenchError
from tiny import opened, save_causal


def zeros(*endings: str) -> Callable[[Tensors], object]:
    """Set to zero all matrices whose names have one of the endings."""
    return lambda tensors: [
        value.zero_() for name, value in tensors.items() if name.endswith(endings) and value.ndim > 1
    ]


@pytest.mark.parametrize(
    ("family", "edit", "message"),
    [
        ("llama", zeros(""), r"model\.embed_tokens\.weight, .* and 19 more hold zeros alone: copy the files"),
        ("llama", zeros("embed_tokens.weight"), r"model\.embed_tokens\.weight holds zeros alone: copy the"),
        ("qwen2", zeros("lm_head.weight"), r"lm_head\.weight holds zeros alone: copy the"),
    ],
)
def test_weights_of_zeros_alone_are_refused(
    tmp_path: Path, family: str, edit: Callable[[Tensors], object], message: str
) -> None:
    with pytest.raises(BenchError, match=message):
        opened(change(save_causal(tmp_path / "m", family), edit))


def test_a_layer_of_zeros_is_a_model_all_the_same(tmp_path: Path) -> None:
    assert opened(change(save_causal(tmp_path / "m", "llama"), zeros("0.mlp.down_proj.weight"))).path


ATTENTION = "model.layers.0.self_attn.rotary_emb"
FREQUENCIES = 10_000 ** (-torch.arange(8) / 8)
ANGLES = torch.outer(torch.arange(20.0), FREQUENCIES).repeat(1, 2)[None, None]


def with_tensor(folder: Path, name: str, value: Tensor) -> Path:
    return change(folder, lambda tensors: tensors.update({name: value.clone()}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (f"{ATTENTION}.inv_freq", FREQUENCIES),
        (f"{ATTENTION}.inv_freq", FREQUENCIES.half()),
        (f"{ATTENTION}.inv_freq", FREQUENCIES.bfloat16().float()),
        (f"{ATTENTION}.cos_cached", ANGLES.cos()),
        (f"{ATTENTION}.sin_cached", ANGLES.sin().bfloat16()),
        ("vision_tower.layers.0.rotary_emb.inv_freq", 2 * FREQUENCIES),
    ],
)
def test_what_a_model_computes_may_be_in_its_files(tmp_path: Path, name: str, value: Tensor) -> None:
    assert opened(with_tensor(save_causal(tmp_path / "m", "llama"), name, value)).path


def test_positions_may_be_in_the_files_as_they_are_before_they_are_scaled(tmp_path: Path) -> None:
    folder = with_tensor(save_causal(tmp_path / "m", "llama"), f"{ATTENTION}.inv_freq", FREQUENCIES)
    scaling = {"rope_type": "linear", "factor": 4.0, "rope_theta": 10_000.0}
    assert opened(configure(folder, rope_parameters=scaling)).path


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (f"{ATTENTION}.inv_freq", FREQUENCIES * 1.01),
        (f"{ATTENTION}.inv_freq", 500_000 ** (-torch.arange(8) / 8)),
        (f"{ATTENTION}.inv_freq", 10_000 ** (-torch.arange(4) / 4)),
        (f"{ATTENTION}.cos_cached", (ANGLES / 2).cos()),
        (f"{ATTENTION}.sin_cached", ANGLES.cos()),
        ("model.embeddings.position_ids", torch.arange(2, 9)),
    ],
)
def test_what_a_model_would_compute_otherwise_is_named(tmp_path: Path, name: str, value: Tensor) -> None:
    """transformers would leave it out, and score another model than the one that was saved."""
    folder = with_tensor(save_causal(tmp_path / "m", "llama"), name, value)
    with pytest.raises(BenchError, match=f"{re.escape(name)} is not what config.json makes of it: correct"):
        opened(folder)


def test_a_mask_is_causal(tmp_path: Path) -> None:
    name = "transformer.h.0.attn.bias"
    folder = with_tensor(save_gpt2(tmp_path / "m"), name, torch.ones(1, 1, 512, 512).tril())
    assert letters(opened(folder))
    with_tensor(folder, name, torch.ones(1, 1, 512, 512))
    with pytest.raises(BenchError, match=f"{re.escape(name)} is not what config.json makes of it"):
        opened(folder)
