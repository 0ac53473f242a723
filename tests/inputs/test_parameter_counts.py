"""Parameters counted from a configuration, against the real models."""

from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Qwen3Config,
    Qwen3MoeConfig,
)

from bench.inputs.parameter_counts import Counts, count_parameters
from tiny import SIZES

VISION = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
GEMMA = Gemma3Config(text_config=SIZES | {"vocab_size": 300, "head_dim": 16}, vision_config=VISION)


def size(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("tied", [True, False])
def test_a_head_is_counted_once_though_the_files_hold_it_twice(tied: bool) -> None:
    config = Qwen3Config(vocab_size=300, head_dim=16, tie_word_embeddings=tied, **SIZES)
    model = AutoModelForCausalLM.from_config(config)
    stored = sum(value.numel() for value in model.state_dict().values())
    assert stored - size(model) == (300 * SIZES["hidden_size"] if tied else 0)
    assert count_parameters(config.to_dict(), stored, "decoder") == Counts(size(model))
    assert count_parameters(config.to_dict(), None, "decoder") == Counts(size(model))


def test_a_vision_part_is_left_out_of_the_text_s_parameters() -> None:
    whole = Gemma3ForConditionalGeneration(GEMMA)
    text = AutoModelForCausalLM.from_config(GEMMA.text_config)
    assert size(text) < size(whole)
    counts = count_parameters(GEMMA.to_dict(), size(whole), "decoder")
    assert counts == Counts(size(whole), text=size(text))


def experts(number: int) -> Qwen3MoeConfig:
    sizes = SIZES | {"moe_intermediate_size": 32}
    return Qwen3MoeConfig(vocab_size=300, head_dim=16, num_experts=number, num_experts_per_tok=2, **sizes)


def test_experts_that_a_token_does_not_choose_are_not_active() -> None:
    eight, two = (size(AutoModelForCausalLM.from_config(experts(number))) for number in (8, 2))
    routing = (8 - 2) * SIZES["hidden_size"] * SIZES["num_hidden_layers"]
    assert count_parameters(experts(8).to_dict(), eight, "decoder") == Counts(eight, active=two + routing)
    assert count_parameters(experts(2).to_dict(), two, "decoder") == Counts(two)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"model_type": "no-such-model"},
        {"model_type": "qwen3", "hidden_size": "wide"},
        {"model_type": "clip"},
    ],
)
def test_what_transformers_does_not_know_is_not_counted(config: dict[str, Any]) -> None:
    assert count_parameters(config, 77, "decoder") == Counts(77)
