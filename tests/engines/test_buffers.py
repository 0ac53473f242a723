"""What a model computes for itself, what files hold of it, and files that hold nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest
from test_weights import Tensors, change

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
