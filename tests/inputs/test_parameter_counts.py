"""Parameters counted from a configuration, against the real models."""

import json
from pathlib import Path
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

from architectures import BY_NAME
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
    gemma = Gemma3ForConditionalGeneration(GEMMA)
    text = AutoModelForCausalLM.from_config(GEMMA.text_config)
    assert size(text) < size(gemma)
    counts = count_parameters(GEMMA.to_dict(), size(gemma), "decoder")
    assert counts == Counts(size(gemma), text=size(text))


def experts(number: int) -> Qwen3MoeConfig:
    sizes = SIZES | {"moe_intermediate_size": 32}
    return Qwen3MoeConfig(vocab_size=300, head_dim=16, num_experts=number, num_experts_per_tok=2, **sizes)


def test_experts_that_a_token_does_not_choose_are_not_active() -> None:
    eight, two = (size(AutoModelForCausalLM.from_config(experts(number))) for number in (8, 2))
    routing = (8 - 2) * SIZES["hidden_size"] * SIZES["num_hidden_layers"]
    assert count_parameters(experts(8).to_dict(), eight, "decoder") == Counts(eight, active=two + routing)
    assert count_parameters(experts(2).to_dict(), two, "decoder") == Counts(two)


def whole(name: str, folder: Path) -> tuple[dict[str, Any], torch.nn.Module]:
    """`config.json` as it is saved, and the tiny model."""
    one = BY_NAME[name]
    config = one.config()
    config.save_pretrained(folder)
    return json.loads((folder / "config.json").read_text("utf-8")), one.auto.from_config(config)


@pytest.mark.parametrize("name", ["mistral3", "qwen3_vl"])
def test_the_text_part_of_a_wrapper_is_counted_in_the_whole(tmp_path: Path, name: str) -> None:
    config, model = whole(name, tmp_path)
    tower = sum(weight.numel() for part, weight in model.named_parameters() if "language_model" not in part)
    head = model.get_output_embeddings().weight
    own = 0 if head is model.get_input_embeddings().weight else head.numel()
    assert count_parameters(config, size(model), "decoder") == Counts(size(model), size(model) - tower + own)


def test_experts_of_a_model_with_infinite_settings_are_counted(tmp_path: Path) -> None:
    config, model = whole("granitemoehybrid-moe", tmp_path)
    assert config["time_step_limit"][1] == {"__float__": "Infinity"}
    experts = sum(weight.numel() for name, weight in model.named_parameters() if ".experts." in name)
    expected = Counts(size(model), active=size(model) - experts // 2)
    assert count_parameters(config, size(model), "decoder") == expected


def test_packed_weights_are_counted_by_the_configuration() -> None:
    config = Qwen3Config(vocab_size=300, head_dim=16, tie_word_embeddings=False, **SIZES)
    packed = config.to_dict() | {
        "quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}
    }
    expected = Counts(size(AutoModelForCausalLM.from_config(config)))
    assert count_parameters(packed, 77, "decoder") == expected
    assert count_parameters({"quantization_config": {"quant_method": "awq"}}, 77, "decoder") == Counts(None)


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
