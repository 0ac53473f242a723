"""Adapters made by peft: scored as peft scores them, merged only where that is the same, or refused."""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from bench.engines import adapter_tokenizer, adapters, loading
from bench.engines.engine import Opening, in_order
from bench.engines.transformer import TransformerEngine
from bench.errors import BenchError, Unavailable
from bench.inputs.adapter import read_adapter
from bench.inputs.adapter_fit import check_fits
from bench.inputs.weights import RemoteWeights, Weights
from bench.types import Dtype, Message, ScoreRequest
from tiny import ITEM, bpe_tokenizer, prompts, save_causal, save_experts, tiny_card

ADDED = ["<one>", "<two>", "<three>"]
WHOLE = {"save_embedding_layers": True}
PARTS = {"save_embedding_layers": False}
TIED = "llama"
UNTIED = "qwen3"


def save_adapter(
    folder: Path, base: Path, *, more: int = 0, save: dict[str, bool] | None = None, **settings: Any
) -> Path:
    """A LoRA adapter with random weights, trained with `more` tokens than the base has; as peft writes it."""
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    if more:
        model.resize_token_embeddings(model.config.vocab_size + more, mean_resizing=False)
    config = LoraConfig(task_type="CAUSAL_LM", r=4, **({"target_modules": ["q_proj"]} | settings))
    adapted: Any = get_peft_model(model, config)
    with torch.no_grad():
        for weight in adapted.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.2)
    adapted.save_pretrained(folder, **(save or {}))
    return folder


def opened(base: Path, adapter: Path | None, dtype: Dtype = "float32", **how: Any) -> TransformerEngine:
    opening = Opening(tiny_card(base), dtype, adapter=read_adapter(adapter) if adapter else None, **how)
    return loading.open_transformers(opening, Weights(base, "sha256:0", 0))


def scores(engine: TransformerEngine) -> list[float]:
    requests = [ScoreRequest(ITEM, text, ((" A", " B", " C"),)) for text in prompts(3)]
    replies = in_order(engine.score([engine.encode(request) for request in requests]))
    return [value for reply in replies for value in reply.logprobs[0]]


def scores_by_peft(base: Path, adapter: Path, rows: int | None = None) -> list[float]:
    """The scores with the adapter as peft loads it itself, never merged."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    if rows:
        model.resize_token_embeddings(rows, mean_resizing=False)
    adapted = PeftModel.from_pretrained(model, str(adapter)).eval()
    return scores(replace(opened(base, None), model=adapted.get_base_model(), path="plain"))


def is_merged(engine: TransformerEngine) -> bool:
    return not any(
        "lora_" in name or "trainable_tokens" in name for name, _ in engine.model.named_parameters()
    )


KINDS: dict[str, tuple[dict[str, Any], bool]] = {
    "attention": ({}, True),
    "all linear layers": ({"target_modules": "all-linear"}, True),
    "the embeddings": ({"target_modules": ["q_proj", "embed_tokens"]}, False),
    "the output head": ({"target_modules": ["q_proj", "lm_head"]}, False),
    "both ends": ({"target_modules": ["embed_tokens", "lm_head"]}, False),
    "both ends, tied": ({"target_modules": ["embed_tokens", "q_proj"], "ensure_weight_tying": True}, False),
    "DoRA": ({"use_dora": True}, True),
    "DoRA on the embeddings": ({"target_modules": ["embed_tokens"], "use_dora": True}, False),
    "rsLoRA on the head": ({"target_modules": ["lm_head"], "use_rslora": True}, False),
    "a new head": ({"modules_to_save": ["lm_head"]}, True),
    "new embeddings": ({"modules_to_save": ["embed_tokens"]}, True),
    "new ends": ({"modules_to_save": ["embed_tokens", "lm_head"]}, True),
    "new ends, tied": ({"modules_to_save": ["embed_tokens"], "ensure_weight_tying": True}, True),
    "trained tokens": ({"trainable_token_indices": [5, 9]}, True),
    "other tokens at each end": (
        {"trainable_token_indices": {"embed_tokens": [5, 9], "lm_head": [3]}}, False
    ),
    "ranks and scales by layer": (
        {"rank_pattern": {"0.self_attn.q_proj": 2}, "alpha_pattern": {"q_proj": 3}}, True
    ),
    "the last layer alone": ({"layers_to_transform": [2], "layers_pattern": "layers"}, True),
}  # fmt: skip


ONLY_TIED = {"both ends, tied", "new ends, tied", "LoRA on the embeddings"}
"""Kinds for which an untied model has nothing to tie, or peft does not save its grown head."""


def by_family(kinds: Iterable[str]) -> list[tuple[str, str]]:
    return [(TIED, kind) for kind in kinds] + [(UNTIED, kind) for kind in kinds if kind not in ONLY_TIED]


@pytest.mark.parametrize(("family", "kind"), by_family(KINDS))
def test_an_adapter_is_scored_as_peft_scores_it(tmp_path: Path, family: str, kind: str) -> None:
    settings, merged_if_tied = KINDS[kind]
    base = save_causal(tmp_path / "m", family)
    adapter = save_adapter(tmp_path / "a", base, **settings)
    engine = opened(base, adapter)
    expected = scores_by_peft(base, adapter)
    assert scores(engine) == pytest.approx(expected, abs=1e-3)
    assert expected != pytest.approx(scores(opened(base, None)), abs=0.01)
    assert is_merged(engine) == (merged_if_tied or family == UNTIED)


@pytest.mark.parametrize(
    ("save", "settings"),
    [
        (partial(save_causal, family="qwen3"), {"lora_bias": True}),  # a bias that the layer has no place for
        (save_experts, {"target_modules": "all-linear"}),
        (save_experts, {"target_parameters": ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]}),
    ],
)
def test_adapters_of_experts_and_biases_are_scored_as_peft_scores_them(
    tmp_path: Path, save: Callable[[Path], Path], settings: dict[str, Any]
) -> None:
    base = save(tmp_path / "m")
    adapter = save_adapter(tmp_path / "a", base, **settings)
    expected = scores_by_peft(base, adapter)
    assert scores(opened(base, adapter)) == pytest.approx(expected, abs=1e-3)
    assert expected != pytest.approx(scores(opened(base, None)), abs=0.01)


@pytest.mark.parametrize("settings", [{"target_modules": ["embed_tokens", "q_proj"]}, {}])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_in_16_bits_merging_is_decided_in_the_same_way(
    tmp_path: Path, dtype: Dtype, settings: dict[str, Any]
) -> None:
    base = save_causal(tmp_path / "m", TIED)
    adapter = save_adapter(tmp_path / "a", base, **settings)
    engine = opened(base, adapter, dtype)
    assert is_merged(engine) == (not settings)
    assert {weight.dtype for weight in engine.model.parameters()} == {getattr(torch, dtype)}
    assert scores(engine) == pytest.approx(scores_by_peft(base, adapter), abs=2.0)


def test_each_safeguard_alone_keeps_a_wrong_merge_out_and_without_both_it_would_be_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = save_causal(tmp_path / "m", TIED)
    adapter = save_adapter(tmp_path / "a", base, target_modules=["embed_tokens", "q_proj"])
    expected = scores_by_peft(base, adapter)
    monkeypatch.setattr(adapters, "_shares_weights", lambda *_: False)
    engine = opened(base, adapter)
    assert not is_merged(engine)
    assert scores(engine) == pytest.approx(expected, abs=1e-3)
    monkeypatch.setattr(adapters, "_agree", lambda *_: True)
    assert scores(opened(base, adapter)) != pytest.approx(expected, abs=0.5)
    monkeypatch.undo()
    monkeypatch.setattr(adapters, "_agree", lambda *_: True)
    assert scores(opened(base, adapter)) == pytest.approx(expected, abs=1e-3)


GROWN: dict[str, dict[str, Any]] = {
    "kept as they are": {"save": WHOLE},
    "LoRA on the embeddings": {"target_modules": ["q_proj", "embed_tokens"]},
    "LoRA on both ends": {"target_modules": ["embed_tokens", "lm_head"]},
    "new ends": {"modules_to_save": ["embed_tokens", "lm_head"]},
    "new ends alone": {"modules_to_save": ["embed_tokens", "lm_head"], "save": PARTS},
    "trained one by one": {"trainable_token_indices": [379, 380, 381], "save": WHOLE},
}


@pytest.mark.parametrize(("family", "kind"), by_family(GROWN))
def test_added_tokens_are_scored_with_their_own_embeddings(tmp_path: Path, family: str, kind: str) -> None:
    base = save_causal(tmp_path / "m", family)
    adapter = save_adapter(tmp_path / "a", base, more=3, **GROWN[kind])
    tokenizer = bpe_tokenizer()
    rows = len(tokenizer) + tokenizer.add_tokens(ADDED)
    tokenizer.save_pretrained(adapter)
    engine = opened(base, adapter)
    assert engine.tokenizer.get_vocab()["<two>"] == rows - 2
    assert engine.model.get_input_embeddings().weight.shape[0] == rows
    assert scores(engine) == pytest.approx(scores_by_peft(base, adapter, rows), abs=1e-3)
    text = "<one> Which <two> organ <three>"
    ids = torch.tensor([engine.tokenizer(text)["input_ids"]])
    assert int(ids.max()) == rows - 1
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    model.resize_token_embeddings(rows, mean_resizing=False)
    expected: Any = PeftModel.from_pretrained(model, str(adapter)).eval()
    with torch.inference_mode():
        assert torch.allclose(engine.model(ids).logits, expected(input_ids=ids).logits, atol=1e-3)


def rewritten(adapter: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = adapter / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    change(config)
    path.write_text(json.dumps(config), encoding="utf-8")


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a token that was trained alone": (
        {"more": 3, "trainable_token_indices": [379, 381], "save": PARTS},
        "it trained token 381, and the model has embeddings of 379 tokens; save it with save_",
    ),
    "embeddings without the head": (
        {"more": 3, "modules_to_save": ["embed_tokens"], "save": PARTS},
        "it adds 3 tokens, and lacks their rows of lm_head; save it with save_embedding_layers=True",
    ),
    "LoRA on embeddings that it lacks": (
        {"more": 3, "target_modules": ["embed_tokens"], "save": PARTS},
        "Error(s) in loading state_dict for PeftModel: size mismatch for ",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_added_tokens_without_embeddings_are_refused(tmp_path: Path, kind: str) -> None:
    settings, reason = REFUSED[kind]
    base = save_causal(tmp_path / "m", TIED)
    adapter = save_adapter(tmp_path / "a", base, **settings)
    expected = f"the adapter a (made for {base}) does not fit this model: {reason}"
    with pytest.raises(BenchError, match=re.escape(expected)):
        opened(base, adapter)


def test_a_head_that_would_be_partly_random_is_refused(tmp_path: Path) -> None:
    base = save_causal(tmp_path / "m", UNTIED)
    adapter = save_adapter(tmp_path / "a", base, more=3, target_modules=["embed_tokens"])
    with pytest.raises(BenchError, match=r"adds 3 tokens, and lacks their rows of lm_head"):
        opened(base, adapter)


def test_repeated_layers_that_the_model_cannot_run_are_refused_in_one_line(tmp_path: Path) -> None:
    base = save_causal(tmp_path / "m", "qwen2")
    adapter = save_adapter(tmp_path / "a", base, layer_replication=[[0, 3], [1, 3]])
    with pytest.raises(BenchError, match="layer_replication makes 5 layers of 3, which Qwen2ForCausalLM "):
        opened(base, adapter)


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("alpha_pattern", {"nowhere": 4}, "alpha_pattern of adapter_config.json names no layer of it: no"),
        ("rank_pattern", {"q_proj": 2}, "size mismatch for base_model.model.model.layers.0.self_attn.q_proj"),
        ("layers_to_transform", [17], "Target modules {'q_proj'} not found in the base model."),
        ("target_modules", ["q_proj", "k_proj"], "the adapter lacks base_model.model.model.layers.0.self_"),
        ("modules_to_save", ["lm_head"], "the adapter lacks base_model.model.lm_head.weight"),
        ("lora_alpha", "much", "unsupported operand"),
        ("init_lora_weights", "pissa_niter_4", "it was trained on what a random decomposition left of"),
        ("alora_invocation_tokens", [5, 6], "an activated LoRA (aLoRA) takes effect only after those tok"),
        ("megatron_config", {"size": 1}, "it was trained on layers of Megatron"),
    ],
)  # fmt: skip
def test_a_configuration_that_is_not_the_weights_is_refused_in_one_line(
    tmp_path: Path, key: str, value: object, reason: str
) -> None:
    base = save_causal(tmp_path / "m", TIED)
    adapter = save_adapter(tmp_path / "a", base)
    rewritten(adapter, lambda config: config.update({key: value}))
    with pytest.raises(BenchError, match=re.escape(reason)) as caught:
        opened(base, adapter)
    assert str(caught.value).startswith("the adapter a")
    assert "\n" not in str(caught.value)


def test_tied_matrices_that_the_adapter_holds_twice_must_be_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = save_causal(tmp_path / "m", TIED)
    adapter = save_adapter(tmp_path / "a", base, more=3, save=WHOLE)
    path = adapter / "adapter_model.safetensors"
    weights = load_file(path)
    save_file(weights | {"base_model.model.lm_head.weight": torch.randn(382, 64)}, path)
    with pytest.raises(BenchError, match=r"the model does not hold base_model\S+ as the adapter has it"):
        opened(base, adapter)
    monkeypatch.setattr(adapters, "_check_complete", lambda *_: None)
    opened(base, adapter)


TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}{{ '<assistant>' }}"


def test_a_chat_template_alone_is_used_with_the_models_own_tokenizer(tmp_path: Path) -> None:
    base = save_causal(tmp_path / "m", TIED)
    adapter = save_adapter(tmp_path / "a", base)
    plain = read_adapter(adapter)
    (adapter / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")
    engine = opened(base, adapter)
    assert engine.render([Message("user", "Hi")], thinking=False) == "<user>Hi<assistant>"
    assert read_adapter(adapter).sha256 != plain.sha256
    (adapter / "chat_template.jinja").unlink()
    (adapter / "tokenizer_config.json").write_text(json.dumps({"chat_template": TEMPLATE}), encoding="utf-8")
    engine = opened(base, adapter)
    assert engine.render([Message("user", "Hi")], thinking=False) == "<user>Hi<assistant>"
    assert read_adapter(adapter).sha256 != plain.sha256


def test_a_tokenizer_beside_the_adapter_is_used_and_counts_for_the_identity(tmp_path: Path) -> None:
    base = save_causal(tmp_path / "m", TIED)
    adapter = save_adapter(tmp_path / "a", base)
    before = read_adapter(adapter).sha256
    tokenizer = bpe_tokenizer()
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(adapter)
    after = read_adapter(adapter).sha256
    assert after != before
    assert opened(base, adapter).tokenizer.chat_template == TEMPLATE
    tokenizer.chat_template = None
    tokenizer.save_pretrained(adapter)
    (adapter / "chat_template.jinja").unlink()
    assert read_adapter(adapter).sha256 not in (before, after)


def test_a_tokenizer_without_a_template_keeps_the_models_own(tmp_path: Path) -> None:
    tokenizer = bpe_tokenizer()
    tokenizer.chat_template = TEMPLATE
    base = save_causal(tmp_path / "m", TIED, tokenizer)
    adapter = save_adapter(tmp_path / "a", base)
    bpe_tokenizer().save_pretrained(adapter)
    assert opened(base, adapter).tokenizer.chat_template == TEMPLATE


def test_a_tokenizer_beside_the_adapter_leaves_out_no_merges_by_chance(tmp_path: Path) -> None:
    base = save_causal(tmp_path / "m", TIED)
    adapter = save_adapter(tmp_path / "a", base)
    tokenizer = bpe_tokenizer()
    right = tokenizer(prompts(1)[0])["input_ids"]
    tokenizer.backend_tokenizer.model.dropout = 0.5
    tokenizer.save_pretrained(adapter)
    assert json.loads((adapter / "tokenizer.json").read_text("utf-8"))["model"]["dropout"] == 0.5
    used = opened(base, adapter).tokenizer
    assert [used(prompts(1)[0])["input_ids"] for _ in range(5)] == [right] * 5


def broken_tokenizer(kind: str, adapter: Path) -> str:
    """Put a tokenizer that does not fit beside the adapter; returns what the message says of it."""
    match kind:
        case "more tokens than embeddings":
            tokenizer = bpe_tokenizer()
            tokenizer.add_tokens(ADDED)
            tokenizer.save_pretrained(adapter)
            return "adds the token '<three>' with id 381, and the model has embeddings of 379 tokens"
        case "other ids":
            bpe_tokenizer(["zz zz zz qq qq"], size=300).save_pretrained(adapter)
            return ", where the model's own has "
        case "damaged":
            (adapter / "tokenizer.json").write_text("{", encoding="utf-8")
            return "the tokenizer of a cannot be loaded: "
        case "added tokens alone":
            (adapter / "added_tokens.json").write_text('{"<one>": 379}', encoding="utf-8")
            return "the adapter a adds the token '<one>', but has no tokenizer.json"
        case "not UTF-8":
            (adapter / "chat_template.jinja").write_bytes(b"\xe9\xff")
            return "chat_template.jinja of the adapter a is not UTF-8 text"
        case settings:
            (adapter / "tokenizer_config.json").write_text(settings, encoding="utf-8")
            return "tokenizer_config.json of the adapter a is damaged: "


@pytest.mark.parametrize(
    "kind",
    [
        "more tokens than embeddings",
        "other ids",
        "damaged",
        "added tokens alone",
        "not UTF-8",
        "[1]",
        '{"added_tokens_decoder": [1]}',
        '{"added_tokens_decoder": {"5": {}}}',
        '{"chat_template": [{"name": "a"}]}',
    ],
)
def test_a_tokenizer_that_does_not_fit_is_refused(tmp_path: Path, kind: str) -> None:
    base = save_causal(tmp_path / "m", TIED)
    adapter = save_adapter(tmp_path / "a", base)
    reason = broken_tokenizer(kind, adapter)
    with pytest.raises(BenchError, match=re.escape(reason)):
        opened(base, adapter)


def test_without_the_check_of_ids_another_tokenizer_would_give_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = save_causal(tmp_path / "m", TIED)
    adapter = save_adapter(tmp_path / "a", base)
    bpe_tokenizer(["zz zz zz qq qq"], size=300).save_pretrained(adapter)
    monkeypatch.setattr(adapter_tokenizer, "_check_ids", lambda *_: None)
    assert all(value < 0 for value in scores(opened(base, adapter)))


EARLIER = "ea5e73b262a1a2b2363a484821260ca0ac25b475ae5f3f0cb591c5d65179107e"


def test_an_adapter_without_a_tokenizer_keeps_its_digest(tmp_path: Path) -> None:
    """The digest is part of ids: those of earlier runs must stay."""
    base = save_causal(tmp_path / "m", TIED)
    adapter = save_adapter(tmp_path / "a", base)
    rewritten(adapter, lambda config: config.clear() or config.update({"peft_type": "LORA", "r": 4}))
    save_file({"x": torch.zeros(1)}, adapter / "adapter_model.safetensors")
    assert read_adapter(adapter).sha256 == EARLIER


@pytest.mark.parametrize(
    ("revision", "reason"),
    [
        (None, None),
        ("main", None),
        ("v2", None),
        ("c0ffee", None),
        ("v1", "the adapter a was made for revision v1 of org/base"),
    ],
)
def test_an_adapter_for_another_revision_is_refused(
    tmp_path: Path, revision: str | None, reason: str | None
) -> None:
    adapter = save_adapter(tmp_path / "a", save_causal(tmp_path / "m", TIED))
    rewritten(adapter, lambda config: config.update(base_model_name_or_path="org/base", revision=revision))
    source = {"hub": "Org/Base", "revision": "v2"}
    card = tiny_card(tmp_path, source=source)
    weights = RemoteWeights("Org/Base", "v2", "c0ffee" + "0" * 34)
    if reason is None:
        check_fits(read_adapter(adapter), card, weights)
        return
    with pytest.raises(Unavailable) as caught:
        check_fits(read_adapter(adapter), card, weights)
    assert caught.value.reason == reason
    assert caught.value.remedy == "write source: {hub: Org/Base, revision: v1} in a card"


def test_quantised_weights_are_never_merged_into(tmp_path: Path) -> None:
    base = save_causal(tmp_path / "m", TIED)
    adapter = save_adapter(tmp_path / "a", base, modules_to_save=["lm_head"])
    engine = opened(base, adapter, quantize="nf4")
    assert not is_merged(engine)
    assert scores(engine) != pytest.approx(scores(opened(base, None, quantize="nf4")), abs=0.01)


def test_an_adapter_whose_scores_overflow_is_refused(tmp_path: Path) -> None:
    base = save_causal(tmp_path / "m", TIED)
    adapter = save_adapter(tmp_path / "a", base)
    file = adapter / "adapter_model.safetensors"
    save_file({name: value * 1e30 for name, value in load_file(file).items()}, file)
    with pytest.raises(BenchError, match=r"the adapter .* makes scores that are not finite numbers"):
        opened(base, adapter)
