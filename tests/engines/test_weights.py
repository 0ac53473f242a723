"""What is in the files is what is scored: every tensor has its place and its format, or the load fails."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, GPT2Config
from transformers.integrations.bitnet import pack_weights

from architectures import BY_NAME
from architectures import save as save_architecture
from bench.engines import check_weights, convert, loading
from bench.engines.engine import Opening, in_order
from bench.engines.transformer import TransformerEngine
from bench.errors import BenchError, Unavailable
from bench.inputs import stored_format
from bench.inputs.adapter import Adapter
from bench.types import Dtype, ScoreRequest
from tiny import (
    ITEM,
    bpe_tokenizer,
    opened,
    prompts,
    save_causal,
    save_experts,
    save_shards,
    save_t5,
    scaled,
    tiny_card,
)

Tensors = dict[str, Tensor]


def letters(engine: TransformerEngine) -> list[float]:
    requests = [ScoreRequest(ITEM, text, ((" A", " B", " C"),)) for text in prompts(6)]
    replies = in_order(engine.score([engine.encode(request) for request in requests]))
    return [value for scores in replies for value in scores.logprobs[0]]


def tensors_of(folder: Path, name: str = "model.safetensors") -> Tensors:
    with safe_open(folder / name, framework="pt") as file:
        return {key: file.get_tensor(key).clone() for key in file.keys()}  # noqa: SIM118 (not a mapping)


def change(folder: Path, edit: Callable[[Tensors], object]) -> Path:
    """Change the tensors of a saved model in place."""
    tensors = tensors_of(folder)
    edit(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def configure(folder: Path, **keys: object) -> Path:
    """Set keys of `config.json`; None removes one."""
    file = folder / "config.json"
    config = json.loads(file.read_text("utf-8")) | keys
    kept = {key: value for key, value in config.items() if key not in keys or value is not None}
    file.write_text(json.dumps(kept), encoding="utf-8")
    return folder


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    return save_causal(tmp_path / "m", "llama")


def save_bitsandbytes(folder: Path, quantize: str, base: Path | None = None, **more: object) -> Path:
    """The same model as `save_causal` makes, or `base`, as bitsandbytes publishes it."""
    base = base or save_causal(folder.with_name("base"), "llama")
    how: dict[str, Any] = (
        {"load_in_8bit": True}
        if quantize == "int8"
        else {"load_in_4bit": True, "bnb_4bit_quant_type": quantize, "bnb_4bit_compute_dtype": torch.bfloat16}
    )
    load: Any = AutoModelForCausalLM.from_pretrained
    model = load(base, quantization_config=BitsAndBytesConfig(**how, **more), dtype=torch.float32)
    model.save_pretrained(folder)
    bpe_tokenizer().save_pretrained(folder)
    return folder


def save_fp8(folder: Path, block: int | None = 32) -> Path:
    """A model in 8-bit floats with a scale for each block, or one for each tensor, as Ministral 3 has it."""

    def quantise(tensors: Tensors) -> None:
        for name in [name for name in tensors if name.endswith("_proj.weight")]:
            rows, columns = tensors[name].shape
            height, width = (block, block) if block else (rows, columns)
            blocks = tensors[name].view(rows // height, height, columns // width, width)
            scale = blocks.abs().amax(dim=(1, 3)) / 448
            numbers = (blocks / scale[:, None, :, None]).reshape(rows, columns)
            tensors[name] = numbers.to(torch.float8_e4m3fn)
            tensors[f"{name}_scale_inv"] = scale if block else scale.reshape(())

    settings = {"quant_method": "fp8", "weight_block_size": [block, block] if block else None}
    settings |= {"activation_scheme": "dynamic" if block else "static"}
    return configure(change(save_causal(folder, "llama"), quantise), quantization_config=settings)


def save_bitnet(folder: Path, layer: str = "autobitlinear", mode: str = "offline") -> Path:
    """A BitNet as it is published: packed to 2 bits with a scale for each layer, or whole to be rounded."""

    def pack(tensors: Tensors) -> None:
        for name in [name for name in tensors if name.endswith("_proj.weight")]:
            mean = tensors[name].abs().mean()
            tensors[name] = pack_weights((tensors[name] / mean).round().clamp(-1, 1))
            tensors[f"{name}_scale"] = (mean if layer == "autobitlinear" else 1 / mean).reshape(1)

    save_architecture(BY_NAME["bitnet"], folder)
    settings = {"quant_method": "bitnet", "linear_class": layer, "quantization_mode": mode}
    configure(folder, quantization_config=settings)
    return change(folder, pack if mode == "offline" else lambda _: None)


SAVE: dict[str, Callable[[Path], Path]] = {
    "int8": lambda folder: save_bitsandbytes(folder, "int8"),
    "nf4": lambda folder: save_bitsandbytes(folder, "nf4"),
    "fp4": lambda folder: save_bitsandbytes(folder, "fp4"),
    "fp8": save_fp8,
    "fp8, one scale": lambda folder: save_fp8(folder, None),
}


@pytest.mark.parametrize("kind", SAVE)
def test_weights_that_are_quantised_in_their_files_score_near_the_whole_model(
    tmp_path: Path, kind: str
) -> None:
    whole = letters(opened(save_causal(tmp_path / "whole", "llama")))
    stored = letters(opened(SAVE[kind](tmp_path / "m")))
    away = sum(abs(a - b) for a, b in zip(whole, stored, strict=True)) / len(whole)
    assert 0 < away < 0.2 * (max(whole) - min(whole))


BITNETS = [("autobitlinear", "offline"), ("autobitlinear", "online"), ("bitlinear", "offline")]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(("layer", "mode"), BITNETS)
def test_bitnet_is_transformers_own(tmp_path: Path, layer: str, mode: str, dtype: Dtype) -> None:
    folder = save_bitnet(tmp_path / "m", layer, mode)
    if dtype == "bfloat16":  # transformers loads no files of another dtype
        change(folder, lambda tensors: tensors.update({
            name: value.bfloat16() for name, value in tensors.items() if value.is_floating_point()
        }))  # fmt: skip
    own = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()
    ours = loading.load_model(opened_how(folder, dtype), folder).eval()
    ids = torch.arange(3, 40)[None]
    assert torch.equal(ours(ids).logits, own(ids).logits)


@pytest.mark.parametrize(("layer", "mode"), BITNETS)
def test_bitnet_scores_alike_in_each_of_its_forms(tmp_path: Path, layer: str, mode: str) -> None:
    plain = save_architecture(BY_NAME["bitnet"], tmp_path / "plain")
    whole, rounded, form = (
        letters(opened(folder))
        for folder in (plain, save_bitnet(tmp_path / "a"), save_bitnet(tmp_path / "b", layer, mode))
    )
    assert (
        max(abs(a - b) for a, b in zip(rounded, form, strict=True)) < 0.1
    )  # a rounding that falls otherwise
    assert max(abs(a - b) for a, b in zip(rounded, whole, strict=True)) > 0.5


def test_what_shares_a_batch_moves_no_score_of_bitnet(tmp_path: Path) -> None:
    engine = opened(save_bitnet(tmp_path / "m"))
    assert engine.path == "packed"
    one_row = replace(engine, path="plain", batch_tokens=1)
    assert letters(engine) == pytest.approx(letters(one_row), abs=0.05)


def test_bitnet_s_packed_weights_without_scale_or_format_are_refused(tmp_path: Path) -> None:
    folder = save_bitnet(tmp_path / "m")
    gone = "model.layers.1.mlp.up_proj.weight"
    scale = tensors_of(folder)[f"{gone}_scale"]
    change(folder, lambda tensors: tensors.pop(f"{gone}_scale"))
    with pytest.raises(BenchError, match=re.escape(f"{gone}: quantised in the files, without the scales")):
        opened(folder)
    change(folder, lambda tensors: tensors.update({f"{gone}_scale": scale}))
    with pytest.raises(BenchError, match=r"down_proj\.weight is 8x48 in the files and 32x48 by config\.json"):
        opened(configure(folder, quantization_config=None))


@pytest.mark.parametrize("kind", ["int8", "nf4", "fp8"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_what_is_not_quantised_is_in_the_dtype_that_is_asked_for(
    tmp_path: Path, kind: str, dtype: Dtype
) -> None:
    """Not in that of the files, where the expanded weights of FP8 could not be multiplied by it."""
    folder = SAVE[kind](tmp_path / "m")

    def other(tensors: Tensors) -> None:
        half = {name: tensors[name].bfloat16() for name in tensors if re.search(r"norm|embed", name)}
        tensors |= half if dtype == "float32" else {}

    model = loading.load_model(opened_how(change(folder, other), dtype), folder)
    assert {weight.dtype for weight in model.parameters() if weight.is_floating_point()} == {
        getattr(torch, dtype)
    }
    assert model(torch.arange(9)[None]).logits.dtype == getattr(torch, dtype)


def test_what_shares_a_batch_moves_no_score_of_weights_stored_in_8_bits(tmp_path: Path) -> None:
    """The files ask for LLM.int8()'s outliers, which depend on the whole batch."""
    engine = opened(SAVE["int8"](tmp_path / "m"))
    thresholds = {module.state.threshold for module in engine.model.modules() if hasattr(module, "state")}
    assert thresholds == {0.0}
    asked = [ScoreRequest(ITEM, text, ((" A", " B", " C"),)) for text in prompts(6)]
    together = in_order(engine.score([engine.encode(one) for one in asked]))
    alone = [in_order(engine.score([engine.encode(one)]))[0] for one in asked]
    for a, b in zip(together, alone, strict=True):
        assert a.logprobs[0] == pytest.approx(b.logprobs[0], abs=0.1)


@pytest.mark.parametrize("kind", ["int8", "nf4", "fp8"])
def test_stored_numbers_without_their_format_or_scales_are_refused(tmp_path: Path, kind: str) -> None:
    folder = configure(SAVE[kind](tmp_path / "m"), quantization_config=None)
    with pytest.raises(BenchError, match=r"_proj\.weight|config\.json has no place for"):
        opened(folder)


@pytest.mark.parametrize(
    ("kind", "part"), [("int8", "SCB"), ("nf4", "weight.quant_map"), ("fp4", "weight.absmax")]
)
def test_a_part_of_one_weight_that_is_missing_is_named(tmp_path: Path, kind: str, part: str) -> None:
    layer = "model.layers.1.mlp.up_proj"
    folder = change(SAVE[kind](tmp_path / "m"), lambda tensors: tensors.pop(f"{layer}.{part}"))
    named = part.removeprefix("weight.")
    with pytest.raises(BenchError, match=re.escape(f"{layer}.weight lacks its {named}, which the other")):
        opened(folder)


PLAIN: dict[str, dict[str, object]] = {
    "int8": {"quant_method": "bitsandbytes", "load_in_8bit": True},
    "nf4": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
    "fp8": {"quant_method": "fp8", "weight_block_size": [32, 32]},
    "compressed-tensors-int-quantized": {"quant_method": "compressed-tensors", "format": "int-quantized"},
}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_weights_under_the_name_of_a_format_are_refused(llama: Path, name: str) -> None:
    text = (
        f"config.json says that they are quantised ({name}), and no tensor in them is: remove quantization_c"
    )
    with pytest.raises(BenchError, match=f"cannot be loaded: {re.escape(text)}"):
        opened(configure(llama, quantization_config=PLAIN[name]))
    assert opened(configure(llama, quantization_config=None)).path == "packed"


@pytest.mark.parametrize("kind", ["int8", "nf4"])
def test_a_plain_weight_among_quantised_ones_is_named_unless_the_format_leaves_it_out(
    tmp_path: Path, kind: str
) -> None:
    layer = "model.layers.1.mlp.up_proj"
    folder = SAVE[kind](tmp_path / "m")
    whole = tensors_of(tmp_path / "base")[f"{layer}.weight"]

    def unquantise(tensors: Tensors) -> None:
        for name in [name for name in tensors if name.startswith(layer)]:
            del tensors[name]
        tensors[f"{layer}.weight"] = whole

    change(folder, unquantise)
    with pytest.raises(
        BenchError, match=rf"{re.escape(layer)}\.weight is not quantised .* llm_int8_skip_modules"
    ):
        opened(folder)
    settings = json.loads((folder / "config.json").read_text("utf-8"))["quantization_config"]
    left_out = [*(settings["llm_int8_skip_modules"] or []), layer, "lm_head"]
    configure(folder, quantization_config=settings | {"llm_int8_skip_modules": left_out})
    assert torch.equal(opened(folder).model.get_submodule(layer).weight, whole)


@pytest.mark.parametrize("number", [torch.int8, torch.float8_e4m3fn])
@pytest.mark.parametrize("experts", [1, None])
def test_experts_without_their_scales_are_refused(
    tmp_path: Path, number: torch.dtype, experts: int | None
) -> None:
    """transformers stacks the experts of a layer, and casts them all."""
    folder = save_experts(tmp_path / "m")
    names = sorted(name for name in tensors_of(folder) if ".experts." in name)[:experts]
    change(folder, lambda tensors: tensors.update({name: (9 * tensors[name]).to(number) for name in names}))
    with pytest.raises(BenchError, match=f"{re.escape(names[0])}.*: quantised in the files, without the"):
        opened(folder)


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"hidden_act": "nonsense"}, "KeyError: 'nonsense'"),
        ({"num_attention_heads": 0}, "zero"),
        ({"layer_types": ["full_attention"]}, "layer_types"),
    ],
)
def test_a_config_that_makes_no_model_is_one_line(tmp_path: Path, keys: dict[str, Any], reason: str) -> None:
    folder = configure(save_causal(tmp_path / "m", "qwen3"), **keys)
    with pytest.raises(BenchError, match="the weights cannot be loaded: ") as caught:
        opened(folder)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_scale_that_is_missing_is_named_by_its_weight(tmp_path: Path) -> None:
    gone = "model.layers.1.mlp.up_proj.weight"
    folder = change(save_fp8(tmp_path / "m"), lambda tensors: tensors.pop(f"{gone}_scale_inv"))
    with pytest.raises(BenchError, match=f"{re.escape(gone)}: quantised in the files, without the scales"):
        opened(folder)


@pytest.mark.parametrize("quantize", ["int8", "nf4"])
def test_stored_formats_are_not_quantised_again(tmp_path: Path, quantize: Any) -> None:
    with pytest.raises(Unavailable, match=r"quantised already \(fp8\); leave --quantize out"):
        opened(save_fp8(tmp_path / "m"), quantize=quantize)


def layer_more(tensors: Tensors) -> None:
    tensors |= {name.replace(".2.", ".3."): value.clone() for name, value in tensors.items() if ".2." in name}


def under_two_names(tensors: Tensors) -> None:
    tensors["norm.weight"] = tensors["model.norm.weight"] * 2


def not_a_number(tensors: Tensors) -> None:
    tensors["model.layers.1.mlp.up_proj.weight"][3, 5] = float("nan")


def other_head(tensors: Tensors) -> None:
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"] * 2


def same_head(tensors: Tensors) -> None:
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (layer_more, r"no place for model\.layers\.3\.input_layernorm\.weight, .*, .* and 6 more"),
        (under_two_names, r"model\.norm\.weight and norm\.weight are two tensors for one place"),
        (
            not_a_number,
            r"layers\.1\.mlp\.up_proj\.weight holds .* not finite numbers in float32",
        ),
        (
            other_head,
            r"lm_head\.weight and model\.embed_tokens\.weight are one weight by config\.json",
        ),
        (lambda tensors: tensors.pop("model.norm.weight"), r"model\.norm\.weight is not in them"),
        (lambda tensors: tensors.update({"score.weight": torch.ones(2, 64)}), r"no place for score\.weight"),
    ],
)
def test_files_and_model_that_differ_are_refused_with_the_names(
    llama: Path, edit: Callable[[Tensors], object], message: str
) -> None:
    with pytest.raises(BenchError, match=f"the weights cannot be loaded: .*{message}"):
        opened(change(llama, edit))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"num_hidden_layers": 2}, r"no place for model\.layers\.2\.input_layernorm\.weight"),
        ({"num_hidden_layers": 4}, r"model\.layers\.3\..* is not in them"),
        ({"num_key_value_heads": 4}, r"k_proj\.weight is 32x64 in the files and 64x64 by config\.json"),
        ({"intermediate_size": 64}, r"down_proj\.weight is 64x128 in the files and 64x64 by config\.json"),
    ],
)
def test_a_config_of_another_model_is_refused_with_the_names(
    llama: Path, keys: dict[str, object], message: str
) -> None:
    with pytest.raises(BenchError, match=message):
        opened(configure(llama, **keys))


@pytest.mark.parametrize("name", ["Qwen3ForCausalLM", "MistralForCausalLM", "Gemma3ForConditionalGeneration"])
def test_a_class_of_another_model_is_refused(llama: Path, name: str) -> None:
    """transformers goes by model_type, and would score these tensors as a llama's."""
    message = rf"names {name} in architectures and llama in model_type, which are two models: copy config"
    with pytest.raises(BenchError, match=message):
        opened(configure(llama, architectures=[name]))


@pytest.mark.parametrize("name", ["LlamaForCausalLM", "LLaMAForCausalLM", "LlamaForSequenceClassification"])
def test_classes_of_the_model_and_unknown_ones_pass(llama: Path, name: str) -> None:
    assert opened(configure(llama, architectures=[name])).path == "packed"


def test_a_class_that_transformers_shares_among_models_passes(llama: Path) -> None:
    """InternLM 3 has llama's class."""
    folder = configure(llama, model_type="internlm3", architectures=["LlamaForCausalLM"])
    assert opened(folder).path == "packed"


def test_weights_too_large_for_the_dtype_are_refused(llama: Path) -> None:
    change(llama, lambda tensors: tensors["model.norm.weight"].mul_(1e6))
    with pytest.raises(BenchError, match=r"model\.norm\.weight holds .* not finite numbers in float16"):
        loading.load_model(opened_how(llama, "float16"), llama)


def opened_how(folder: Path, dtype: Dtype) -> Opening:
    return Opening(tiny_card(folder), dtype)


COMPUTED = {
    "model.layers.0.self_attn.rotary_emb.inv_freq": 10_000 ** (-torch.arange(8) / 8),
    "model.embeddings.position_ids": torch.arange(9)[None],
}


def test_what_changes_no_score_of_a_text_may_be_left_out(llama: Path) -> None:
    before = letters(opened(llama))
    names = [
        "vision_tower.blocks.0.weight",
        "model.visual.merger.weight",
        "multi_modal_projector.linear.weight",
        "mtp.layers.0.norm.weight",
        "model.layers.3.mlp.up_proj.weight",
        "model.layers.3.eh_proj.weight",
        "model.layers.4.mlp.up_proj.weight",
        "model.layers.4.transformer.shared_head.output.weight",
    ]
    configure(llama, num_nextn_predict_layers=2)
    change(llama, lambda tensors: tensors.update({name: torch.ones(4) for name in names} | COMPUTED))
    change(llama, same_head)
    assert letters(opened(llama)) == before


@pytest.mark.parametrize("more", [{}, {"model.layers.3.eh_proj.weight": torch.ones(64, 128)}])
def test_a_layer_of_the_model_is_not_taken_for_one_that_predicts_further_tokens(
    llama: Path, more: Tensors
) -> None:
    """A number of layers that is too small, beside a number of further ones that is too large."""
    configure(llama, num_hidden_layers=2, num_nextn_predict_layers=1 + len(more))
    change(llama, lambda tensors: tensors.update(more))
    with pytest.raises(BenchError, match=r"no place for model\.layers\.2\.input_layernorm.* and 6 more$"):
        opened(llama)


def test_a_scale_of_rounding_is_left_out_of_quantised_files_alone(tmp_path: Path) -> None:
    """Beside plain weights it may be one of the model's own."""
    scale = {"model.layers.0.self_attn.k_scale": torch.ones(1)}
    folder = change(save_fp8(tmp_path / "a"), lambda tensors: tensors.update(scale))
    assert opened(folder).path == "packed"
    folder = change(save_causal(tmp_path / "b", "llama"), lambda tensors: tensors.update(scale))
    with pytest.raises(BenchError, match=r"no place for model\.layers\.0\.self_attn\.k_scale"):
        opened(folder)


def save_gpt2(folder: Path) -> Path:
    tokenizer = bpe_tokenizer()
    config = GPT2Config(vocab_size=len(tokenizer), n_embd=64, n_layer=2, n_head=4, n_positions=512)
    torch.manual_seed(7)
    model: Any = scaled(AutoModelForCausalLM.from_config(config))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_tensor_that_transformers_leaves_out_without_a_word_is_named(tmp_path: Path) -> None:
    """GPT-2's class drops everything named attn.bias: causal masks, and a real bias as well."""
    folder = save_gpt2(tmp_path / "m")
    mask = torch.ones(1, 1, 512, 512).tril()
    change(folder, lambda tensors: tensors.update({"transformer.h.0.attn.bias": mask}))
    assert letters(opened(folder))
    change(folder, lambda tensors: tensors.update({"transformer.h.0.attn.bias": torch.ones(192)}))
    with pytest.raises(BenchError, match=r"no place for transformer\.h\.0\.attn\.bias"):
        opened(folder)


def test_t5_s_unused_bias_is_left_out(tmp_path: Path) -> None:
    folder = save_t5(tmp_path / "m")
    name = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"
    change(folder, lambda tensors: tensors.update({name: torch.ones(32, 4)}))
    assert opened(folder, "encoder-decoder").path == "packed"


def test_t5_without_the_head_of_its_own_is_refused(tmp_path: Path) -> None:
    """transformers 5 would score with the embeddings, as if they were tied."""
    folder = change(save_t5(tmp_path / "m"), lambda tensors: tensors.pop("lm_head.weight"))
    configure(folder, tie_word_embeddings=False)
    with pytest.raises(BenchError, match=r"lm_head\.weight is not in them"):
        opened(folder, "encoder-decoder")


def test_t5_s_own_head_is_used_though_its_configuration_ties_it(tmp_path: Path) -> None:
    """As transformers 5 saves it."""
    folder = configure(save_t5(tmp_path / "m"), tie_word_embeddings=True)
    model = opened(folder, "encoder-decoder").model
    assert not torch.equal(model.lm_head.weight, model.shared.weight)


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_t5_has_one_embedding(tmp_path: Path, part: str) -> None:
    folder = save_t5(tmp_path / "m")
    before = letters(opened(folder, "encoder-decoder"))
    name = f"{part}.embed_tokens.weight"
    change(folder, lambda tensors: tensors.update({name: tensors["shared.weight"].clone()}))
    assert letters(opened(folder, "encoder-decoder")) == before
    change(folder, lambda tensors: tensors.update({name: tensors["shared.weight"] * 2}))
    with pytest.raises(
        BenchError, match=rf"{re.escape(name)} and shared\.weight are one weight by config\.json"
    ):
        opened(folder, "encoder-decoder")


@pytest.mark.parametrize(
    ("family", "name"),
    [
        ("t5gemma", "lm_head.out_proj.weight"),
        ("t5gemma2", "lm_head.out_proj.weight"),
        ("t5gemma2", "model.decoder.embed_tokens.weight"),
    ],
)
def test_encoder_decoders_keep_what_config_json_ties(tmp_path: Path, family: str, name: str) -> None:
    folder = save_architecture(BY_NAME[family], tmp_path / "m")

    def other(tensors: Tensors) -> None:
        tensors[name] = next(2 * tensors[key] for key in tensors if key.endswith("embed_tokens.weight"))

    with pytest.raises(BenchError, match=rf"{re.escape(name)} and .* are one weight by config\.json and two"):
        opened(change(folder, other), "encoder-decoder")


def test_a_tensor_in_two_files_is_refused_where_its_values_differ(llama: Path) -> None:
    before = letters(opened(llama))
    first, second = save_shards(llama)
    again = tensors_of(llama, second.name) | {
        "model.embed_tokens.weight": tensors_of(llama, first.name)["model.embed_tokens.weight"]
    }
    save_file(again, second, metadata={"format": "pt"})
    assert letters(opened(llama)) == before
    again["model.embed_tokens.weight"] = again["model.embed_tokens.weight"] * 2
    save_file(again, second, metadata={"format": "pt"})
    message = f"model.embed_tokens.weight is in {first.name} and in {second.name} with other values"
    with pytest.raises(BenchError, match=re.escape(message)):
        opened(llama)


def test_a_tensor_that_only_the_index_names_is_missing(llama: Path) -> None:
    """The model needs no lm_head.weight, so transformers would tie it."""
    save_shards(llama)
    index = llama / "model.safetensors.index.json"
    names = json.loads(index.read_text("utf-8"))["weight_map"]
    names |= {"lm_head.weight": names["model.norm.weight"]}
    index.write_text(json.dumps({"metadata": {}, "weight_map": names}), encoding="utf-8")
    with pytest.raises(
        BenchError, match=r"index\.json names lm_head\.weight, not in its files: copy the whole"
    ):
        opened(llama)


def test_other_files_than_the_folder_s_are_not_read(llama: Path) -> None:
    with pytest.raises(BenchError, match=r"config\.json names other files in transformers_weights: remove"):
        opened(configure(llama, transformers_weights="other.safetensors"))


@pytest.mark.parametrize("length", [0, 5, 2000, -1])
def test_a_damaged_file_is_named(llama: Path, length: int) -> None:
    _, second = save_shards(llama)
    second.write_bytes(second.read_bytes()[:length])
    with pytest.raises(BenchError, match=f"{re.escape(second.name)} is damaged: .*; copy it again"):
        opened(llama)


def save_pickle(folder: Path, edit: Callable[[Tensors], object]) -> Path:
    tensors = tensors_of(folder)
    edit(tensors)
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / "pytorch_model.bin")
    return folder


def open_pickled(folder: Path) -> Any:
    return loading.load_model(opened_how(folder, "float32"), folder, pickled=True)


def test_pickled_weights_are_checked_alike(llama: Path) -> None:
    assert open_pickled(save_pickle(llama, lambda _: None)).num_parameters()
    folder = save_causal(llama.with_name("more"), "llama")
    with pytest.raises(BenchError, match=r"no place for model\.layers\.3\."):
        open_pickled(save_pickle(folder, layer_more))
    (folder / "pytorch_model.bin").write_bytes(b"PK not a pickle")
    with pytest.raises(BenchError, match=r"pytorch_model\.bin is damaged"):
        open_pickled(folder)


def test_a_fully_tuned_model_is_checked_alike(llama: Path) -> None:
    tuned = change(save_causal(llama.with_name("tuned"), "llama"), layer_more)
    adapter = Adapter(tuned, "tuned", "", "full", "", "", None)
    with pytest.raises(BenchError, match=r"no place for model\.layers\.3\."):
        opened(llama, adapter=adapter)


def test_an_adapter_beside_the_model_is_not_added_unasked(llama: Path) -> None:
    (llama / "adapter_config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BenchError, match=r"adapter_config\.json"):
        opened(llama)


@pytest.mark.parametrize(
    ("check", "edit"),
    [
        ("_check_dropped", layer_more),
        ("_check_taken_once", under_two_names),
        ("_check_tied", other_head),
        ("_check_values", not_a_number),
    ],
)
def test_each_check_is_what_refuses_its_fault(
    llama: Path, monkeypatch: pytest.MonkeyPatch, check: str, edit: Callable[[Tensors], object]
) -> None:
    """Without it, transformers loads the folder without a word."""
    change(llama, edit)
    monkeypatch.setattr(check_weights, check, lambda *_: None)
    assert loading.load_model(opened_how(llama, "float32"), llama).num_parameters()


def test_without_the_check_of_scales_stored_numbers_are_scored_as_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = letters(opened(save_causal(tmp_path / "whole", "llama")))
    folder = configure(save_fp8(tmp_path / "m"), quantization_config=None)
    monkeypatch.setattr(check_weights, "_check_scales", lambda *_: None)
    monkeypatch.setattr(check_weights, "_check_dropped", lambda *_: None)
    garbage = letters(opened(folder))
    assert max(abs(a - b) for a, b in zip(whole, garbage, strict=True)) > 1


def save_gguf(file: Path, *, factors: float = 1.0, scaling: str = "", extra: str = "") -> Path:
    """A llama of random weights as llama.cpp writes it, without a tokenizer's merges."""
    rng = np.random.default_rng(7)
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_context_length(512)
    writer.add_embedding_length(64)
    writer.add_block_count(2)
    writer.add_feed_forward_length(128)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(32)
    if scaling:
        writer.add_rope_scaling_type(gguf.RopeScalingType(scaling))
        writer.add_rope_scaling_factor(4.0)
    writer.add_name("tiny")
    shapes: dict[str, tuple[int, ...]] = {"token_embd": (32, 64), "output_norm": (64,)}
    for layer in range(2):
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in LAYER.items()}
    shapes |= {extra: (64,)} if extra else {}
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", rng.standard_normal(shape).astype(np.float32))
    writer.add_tensor("rope_freqs.weight", np.full(8, factors, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


LAYER: dict[str, tuple[int, ...]] = {
    "attn_norm": (64,), "ffn_norm": (64,), "attn_q": (64, 64), "attn_k": (32, 64), "attn_v": (32, 64),
    "attn_output": (64, 64), "ffn_gate": (128, 64), "ffn_up": (128, 64), "ffn_down": (64, 128),
}  # fmt: skip


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"factors": 8.0}, r"it holds rope_freqs\.weight, which transformers leaves out"),
        ({"scaling": "linear"}, r"its positions are scaled \(linear\), which transformers leaves out"),
        (
            {"extra": "blk.1.attn_sinks"},
            r"it holds blk\.1\.attn_sinks\.weight, which transformers leaves out",
        ),
    ],
)
def test_a_gguf_file_that_would_lose_a_part_is_not_converted(
    tmp_path: Path, how: dict[str, Any], message: str
) -> None:
    file = save_gguf(tmp_path / "m.gguf", **how)
    with pytest.raises(BenchError, match=message):
        convert.convert(file, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_gguf_file_with_factors_of_one_passes_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = save_gguf(tmp_path / "m.gguf")
    monkeypatch.setattr(convert.AutoTokenizer, "from_pretrained", lambda *_, **__: bpe_tokenizer())
    convert.convert(file, tmp_path / "out")
    assert (tmp_path / "out" / "model.safetensors").is_file()


def test_without_its_check_a_gguf_file_is_converted_and_loses_a_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = save_gguf(tmp_path / "m.gguf", factors=8.0)
    monkeypatch.setattr(convert.AutoTokenizer, "from_pretrained", lambda *_, **__: bpe_tokenizer())
    monkeypatch.setattr(convert, "check_file", lambda *_: None)
    convert.convert(file, tmp_path / "out")
    assert not any("rope" in name for name in tensors_of(tmp_path / "out"))
    assert json.loads((tmp_path / "out" / "config.json").read_text("utf-8"))["rope_parameters"] == {
        "rope_theta": 10000.0,
        "rope_type": "default",
    }


def save_compressed(folder: Path, form: str) -> Path:
    """A model as llm-compressor saves it: a scale for each row; 4 bits are packed, eight to an int32."""
    bits, kind, largest = FORMS[form]

    def quantise(tensors: Tensors) -> None:
        for name in [name for name in tensors if name.endswith("_proj.weight")]:
            weight = tensors.pop(name)
            tensors[f"{name}_scale"] = weight.abs().amax(1, keepdim=True) / largest
            numbers = weight / tensors[f"{name}_scale"]
            if form == "pack-quantized":
                parts = (numbers.round() + 8).to(torch.int32).view(weight.shape[0], -1, 8)
                shifts = torch.arange(0, 32, 4, dtype=torch.int32)
                tensors[f"{name}_packed"] = (parts << shifts).sum(-1).to(torch.int32)
                tensors[f"{name}_shape"] = torch.tensor(weight.shape)
            else:
                tensors[name] = numbers.to(torch.float8_e4m3fn) if kind == "float" else numbers.round().char()

    weights = {"num_bits": bits, "type": kind, "symmetric": True, "strategy": "channel"}
    settings = {"quant_method": "compressed-tensors", "format": form, "quantization_status": "compressed"}
    groups = {"group_0": {"targets": ["Linear"], "weights": weights}}
    configured = settings | {"ignore": ["lm_head"], "config_groups": groups}
    return configure(change(save_causal(folder, "llama"), quantise), quantization_config=configured)


FORMS = {
    "int-quantized": (8, "int", 127),
    "float-quantized": (8, "float", 448),
    "pack-quantized": (4, "int", 7),
}


@pytest.mark.parametrize("form", FORMS)
def test_compressed_tensors_score_near_the_whole_model(tmp_path: Path, form: str) -> None:
    whole = letters(opened(save_causal(tmp_path / "whole", "llama")))
    stored = letters(opened(save_compressed(tmp_path / "m", form)))
    away = sum(abs(a - b) for a, b in zip(whole, stored, strict=True)) / len(whole)
    assert 0 < away < 0.2 * (max(whole) - min(whole))


@pytest.mark.parametrize("form", FORMS)
def test_without_its_package_a_format_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    folder = save_compressed(tmp_path / "m", form)
    monkeypatch.setattr(stored_format, "find_spec", lambda _name: None)
    message = "quantised by compressed-tensors, which needs .*; pip install compressed-tensors"
    with pytest.raises(Unavailable, match=message):
        opened(folder)
