"""Vision and audio wrappers: the text part alone is loaded where it scores as the whole does."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import Result
from peft import LoraConfig, get_peft_model
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForMultimodalLM,
    Gemma3nConfig,
    Mistral3Config,
)

from architectures import BY_NAME, HEADS, IMAGE, LONGEST, PIXTRAL, Architecture, save
from bench.engines import auto_class
from bench.engines.auto_class import TEXT_ALONE, TEXT_NAMES, choose_class
from bench.engines.check_weights import DROPPED
from bench.engines.quantizing import footprint
from bench.errors import BenchError
from bench.inputs.adapter import read_adapter
from bench.inputs.weights import NO_TRUST
from plain import plain_causal, request, score, texts
from tiny import add_card, opened, prompts

ALONE = [name for name in TEXT_ALONE if name in BY_NAME]
WHOLE = ["smolvlm", "qwen3_vl"]
TOLERANCE = 1e-4


def names(folder: Path) -> list[str]:
    opening: Any = safe_open
    with opening(folder / "model.safetensors", "pt") as file:
        return sorted(file.keys())


def check_scores(engine: Any, model: Any) -> None:
    asked = [request(prompt) for prompt in prompts(3)]
    for one, scores in zip(asked, score(engine, asked), strict=True):
        plain = [plain_causal(model, engine.tokenizer, one.prompt, text) for text in texts(one)]
        assert scores == pytest.approx(plain, abs=TOLERANCE)


@pytest.mark.parametrize("name", ALONE)
def test_the_text_part_alone_is_loaded_and_scores_as_the_wrapper(tmp_path: Path, name: str) -> None:
    one = BY_NAME[name]
    folder = save(one, tmp_path / name)
    whole = one.auto.from_pretrained(folder, dtype=torch.float32).eval()
    engine = opened(folder, context=LONGEST)
    assert engine.model.config.model_type == TEXT_ALONE[name]
    assert engine.model_bytes < footprint(whole)
    check_scores(engine, whole)


@pytest.mark.parametrize("name", ALONE)
def test_the_tensors_that_are_left_out_are_exactly_the_towers(tmp_path: Path, name: str) -> None:
    folder = save(BY_NAME[name], tmp_path / name)
    left_out = [key for key in names(folder) if DROPPED.search(key)]
    kept = [key for key in names(folder) if key not in left_out]
    chosen = choose_class(folder, "decoder", NO_TRUST)
    model, info = chosen.auto.from_pretrained(folder, output_loading_info=True, **chosen.arguments)
    assert info["missing_keys"] == set()
    assert info["unexpected_keys"] <= set(left_out)
    for pattern, replacement in TEXT_NAMES.items():
        kept = [re.sub(pattern, replacement, key) for key in kept]
    assert set(kept) <= set(model.state_dict())


@pytest.mark.parametrize("name", WHOLE)
def test_a_wrapper_that_is_not_known_to_allow_it_is_loaded_whole(tmp_path: Path, name: str) -> None:
    folder = save(BY_NAME[name], tmp_path / name)
    engine = opened(folder, context=LONGEST)
    assert type(engine.model).__name__.endswith("ForConditionalGeneration")


def test_a_run_says_what_the_tower_of_a_whole_wrapper_takes(
    bench: Callable[..., Result], anatomy: Path, tmp_path: Path
) -> None:
    for name in ("smolvlm", "gemma3"):
        add_card(tmp_path, name, save(BY_NAME[name], tmp_path / name))
    ran = bench("run", "--models", "smolvlm,gemma3", "--tasks", "anatomy", "--dtype", "float32", "--offline")
    assert ran.exit_code == 0, ran.output
    costs = {path.parts[-3]: read(path)["cost"] for path in tmp_path.glob("results/*/*/*/result.json")}
    model = BY_NAME["smolvlm"].auto.from_config(BY_NAME["smolvlm"].config())
    tower = footprint(model.model.vision_model) + footprint(model.model.connector)
    assert costs["smolvlm"]["tower_bytes"] == tower
    assert 0 < tower < costs["smolvlm"]["model_bytes"]
    assert "tower_bytes" not in costs["gemma3"]


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_wrapper_with_another_text_part_is_loaded_whole(tmp_path: Path) -> None:
    one = Architecture(
        "mistral3-qwen2", "", "",
        lambda: Mistral3Config(
            text_config=HEADS | {"model_type": "qwen2"}, vision_config=PIXTRAL, image_token_index=IMAGE
        ),
        wraps=True,
    )  # fmt: skip
    engine = opened(save(one, tmp_path / "m"), context=LONGEST)
    assert type(engine.model).__name__ == "Mistral3ForConditionalGeneration"


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("name", ["mistral3", "qwen3_5"])
def test_the_wrapper_decides_whether_the_head_is_the_embedding(tmp_path: Path, name: str, tied: bool) -> None:
    one = BY_NAME[name]

    def config() -> Any:
        wrapper = one.config()
        wrapper.tie_word_embeddings = tied
        wrapper.text_config.tie_word_embeddings = not tied
        return wrapper

    folder = save(Architecture(name, "", "", config, wraps=True), tmp_path / name)
    assert any("lm_head" in key for key in names(folder)) != tied
    engine = opened(folder, context=LONGEST)
    same = engine.model.lm_head.weight is engine.model.model.embed_tokens.weight
    assert same == tied
    check_scores(engine, one.auto.from_pretrained(folder, dtype=torch.float32).eval())


def test_gemma_3n_s_text_part_is_loaded_by_the_names_in_the_wrapper_s_files(tmp_path: Path) -> None:
    folder = save(BY_NAME["gemma3n_text"], tmp_path / "gemma3n")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    weights = load_file(folder / "model.safetensors")
    wrapped = {f"model.language_model.{key.removeprefix('model.')}": weights[key] for key in weights}
    wrapped |= {"model.vision_tower.stem": torch.ones(2), "model.embed_audio.norm": torch.ones(2)}
    save_file(wrapped, folder / "model.safetensors", metadata={"format": "pt"})
    Gemma3nConfig(text_config=AutoConfig.from_pretrained(folder).to_dict()).save_pretrained(folder)
    engine = opened(folder, context=LONGEST)
    assert type(engine.model).__name__ == "Gemma3nForCausalLM"
    check_scores(engine, model)


def test_without_the_renaming_the_text_part_is_not_taken_for_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save(BY_NAME["gemma3"], tmp_path / "m")
    monkeypatch.setattr(auto_class, "TEXT_NAMES", {})
    with pytest.raises(BenchError, match="is not in them"):
        opened(folder, context=LONGEST)


def test_a_wrapper_s_quantisation_is_its_text_part_s(tmp_path: Path) -> None:
    folder = save(BY_NAME["gemma3"], tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "fp8", "weight_block_size": [128, 128]}
    (folder / "config.json").write_text(json.dumps(config))
    chosen = choose_class(folder, "decoder", NO_TRUST)
    assert chosen.arguments["config"].quantization_config["quant_method"] == "fp8"


@pytest.mark.parametrize("name", ["gemma3", "mistral3", "qwen3_5"])
def test_an_adapter_that_was_trained_on_the_wrapper_is_scored_on_it(tmp_path: Path, name: str) -> None:
    folder = save(BY_NAME[name], tmp_path / "m")
    wrapper: Any = AutoModelForMultimodalLM.from_pretrained(folder, dtype=torch.float32)
    torch.manual_seed(1)
    adapted: Any = get_peft_model(wrapper, LoraConfig(task_type="CAUSAL_LM", r=4, target_modules=["q_proj"]))
    with torch.no_grad():
        for weight in adapted.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.2)
    adapted.save_pretrained(tmp_path / "a")
    engine = opened(folder, context=LONGEST, adapter=read_adapter(tmp_path / "a"))
    check_scores(engine, adapted.eval())
