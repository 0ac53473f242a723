"""Every family's scores are those of the model's own plain forward pass, in any batch."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from bench.engines.engine import Engine, Opening
from bench.engines.loading import best_dtype, cache_folder, open_transformers
from bench.engines.opening import open_engine
from bench.errors import BenchError, PromptTooLong
from bench.inputs.model_card import Architecture, EngineSource, ModelCard, PathSource, read_card
from bench.inputs.weights import Weights, find_weights
from bench.types import Item, ScoreRequest
from conftest import ROOT
from tiny import CONFIGS, TEXTS, bpe_tokenizer, save_causal, save_t5

TOLERANCE = 1e-5
LETTERS = (" A", " B", " C", " D")
OPTIONS = (" Vitamin A", " Vitamin B12", " kidney", " the pancreas, most likely", " C")
ITEM = Item("q", "?", ("x", "y"), 0)


def request(prompt: str, continuations: tuple[str, ...] = LETTERS) -> ScoreRequest:
    return ScoreRequest(ITEM, prompt, continuations)


def prompts(count: int) -> list[str]:
    """Prompts of many lengths, made of the words the tokenizers know."""
    words = " ".join(TEXTS).split()
    rng = random.Random(3)
    return [" ".join(rng.choices(words, k=rng.randint(3, 40))) + "\nAnswer:" for _ in range(count)]


def opened(folder: Path, architecture: Architecture = "decoder", context: int | None = None) -> Engine:
    card = ModelCard(
        name="tiny", title="Tiny", family="tiny", source=PathSource(path="."), architecture=architecture,
        license="mit", context=context,
    )  # fmt: skip
    return open_transformers(Opening(card, Weights(folder, "sha256:0", 0), "float32", (), 0))


def score(engine: Engine, requests: list[ScoreRequest]) -> list[tuple[float, ...]]:
    return [scores.logprobs for scores in engine.score([engine.encode(one) for one in requests])]


def plain_causal(model: Any, tokenizer: Any, prompt: str, continuation: str) -> float:
    """The textbook way: the whole text through the model, the whole vocabulary at every position."""
    start = tokenizer(prompt)["input_ids"]
    ids = tokenizer(prompt + continuation)["input_ids"]
    assert ids[: len(start)] == start
    with torch.no_grad():
        logprobs = torch.log_softmax(model(torch.tensor([ids])).logits[0].double(), dim=-1)
    return sum(float(logprobs[at - 1, ids[at]]) for at in range(len(start), len(ids)))


@pytest.mark.parametrize("family", sorted(CONFIGS))
def test_a_decoder_s_scores_are_the_plain_forward_pass_s(tmp_path: Path, family: str) -> None:
    folder = save_causal(tmp_path / family, family)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    engine = opened(folder)
    asked = [request(prompt, LETTERS + OPTIONS) for prompt in prompts(5)]
    for one, found in zip(asked, score(engine, asked), strict=True):
        plain = [plain_causal(model, tokenizer, one.prompt, text) for text in one.continuations]
        assert found == pytest.approx(plain, abs=TOLERANCE * 10)


@pytest.mark.parametrize("family", sorted(CONFIGS))
def test_order_and_batch_do_not_move_a_score(tmp_path: Path, family: str) -> None:
    engine = opened(save_causal(tmp_path / family, family))
    asked = [request(prompt) for prompt in prompts(12)]
    alone = [score(engine, [one])[0] for one in asked]
    together = score(engine, asked)
    backwards = score(engine, asked[::-1])[::-1]
    for one, two, three in zip(alone, together, backwards, strict=True):
        assert two == pytest.approx(one, abs=TOLERANCE)
        assert three == pytest.approx(one, abs=TOLERANCE)
    assert max(abs(a - b) for a, b in zip(alone[0], alone[1], strict=True)) > 100 * TOLERANCE


def test_the_output_head_sees_only_the_rows_that_are_read(tmp_path: Path) -> None:
    engine: Any = opened(save_causal(tmp_path / "m", "llama"))
    shapes: list[torch.Size] = []
    engine.model.lm_head.register_forward_hook(lambda _module, _inputs, output: shapes.append(output.shape))
    score(engine, [request(prompt) for prompt in prompts(6)])
    assert [shape[:2] for shape in shapes] == [(1, 6)]


def test_a_tokenizer_that_merges_across_the_border_is_scored_by_the_merged_token(tmp_path: Path) -> None:
    texts = [f"{n} nswer: {letter}" for n in "abcdefghijkl" for letter in "AB"]
    tokenizer = bpe_tokenizer(texts, size=26, crosses_words=True)
    folder = save_causal(tmp_path / "m", "llama", tokenizer)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    alone = tokenizer("a nswer:")["input_ids"]
    whole = [tokenizer("a nswer:" + letter)["input_ids"] for letter in (" A", " B")]
    assert whole[0][: len(alone)] != alone, "the tokenizer of this test must merge across the border"
    engine = opened(folder)
    encoded = engine.encode(request("a nswer:", (" A", " B")))
    assert [list(encoded.stem + branch) for branch in encoded.branches] == whole
    with torch.no_grad():
        logits = model(torch.tensor(whole)).logits.double()
    logprobs = torch.log_softmax(logits, dim=-1)
    at = len(encoded.stem)
    expected = [
        sum(float(logprobs[row, i - 1, ids[i]]) for i in range(at, len(ids))) for row, ids in enumerate(whole)
    ]
    assert engine.score([encoded])[0].logprobs == pytest.approx(expected, abs=TOLERANCE)


def test_an_answer_with_nothing_before_it_cannot_be_scored(tmp_path: Path) -> None:
    engine = opened(save_causal(tmp_path / "m", "llama"))
    with pytest.raises(BenchError, match="no token stands before the answer"):
        engine.encode(request("", ("A", "B")))


def test_a_tokenizer_that_wants_a_bos_gets_exactly_one(tmp_path: Path) -> None:
    from tokenizers.processors import TemplateProcessing

    tokenizer = bpe_tokenizer()
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    engine = opened(save_causal(tmp_path / "m", "llama", tokenizer))
    encoded = engine.encode(request("Answer:"))
    assert encoded.stem[0] == 1
    assert 1 not in encoded.stem[1:]
    assert all(1 not in branch for branch in encoded.branches)


def test_a_prompt_beyond_the_window_is_that_item_s_error(tmp_path: Path) -> None:
    engine = opened(save_causal(tmp_path / "m", "llama"), context=8)
    with pytest.raises(PromptTooLong, match=r"the prompt has \d+ tokens, the model takes 8"):
        engine.encode(request("Question: Which organ makes insulin?\nAnswer:"))
    assert engine.encode(request("Answer:"))


def plain_t5(model: Any, tokenizer: Any, prompt: str, continuation: str) -> float:
    source = tokenizer(prompt, return_tensors="pt")
    labels = torch.tensor([tokenizer(continuation, add_special_tokens=False)["input_ids"]])
    with torch.no_grad():
        logits = model(**source, labels=labels).logits.double()
    logprobs = torch.log_softmax(logits, dim=-1)
    return float(logprobs.gather(2, labels[..., None]).sum())


def test_t5_s_scores_are_the_plain_forward_pass_s_in_any_batch(tmp_path: Path) -> None:
    folder = save_t5(tmp_path / "t5")
    model = AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    engine = opened(folder, "encoder-decoder", context=512)
    asked = [request(prompt, LETTERS + OPTIONS) for prompt in prompts(6)]
    for one, together in zip(asked, score(engine, asked), strict=True):
        plain = [plain_t5(model, tokenizer, one.prompt, text) for text in one.continuations]
        assert together == pytest.approx(plain, abs=TOLERANCE * 10)
        assert score(engine, [one])[0] == pytest.approx(together, abs=TOLERANCE, rel=1e-6)


def test_t5_keeps_an_output_head_of_its_own(tmp_path: Path) -> None:
    # FLAN-T5 has one; tying it to the embeddings would give other numbers, silently.
    engine: Any = opened(save_t5(tmp_path / "t5"), "encoder-decoder", context=512)
    assert not torch.equal(engine.model.lm_head.weight, engine.model.shared.weight)


def test_t5_counts_a_prompt_against_the_card_s_window(tmp_path: Path) -> None:
    engine = opened(save_t5(tmp_path / "t5"), "encoder-decoder", context=8)
    with pytest.raises(PromptTooLong):
        engine.encode(request(prompts(1)[0]))


def test_damaged_weights_are_one_message(tmp_path: Path) -> None:
    folder = save_causal(tmp_path / "m", "llama")
    (folder / "model.safetensors").write_bytes(b"not a tensor")
    with pytest.raises(BenchError, match="the weights cannot be loaded"):
        opened(folder)


@pytest.mark.parametrize(
    ("able", "dtype"),
    [({"avx512_bf16": True}, "bfloat16"), ({"amx_bf16": True}, "bfloat16"), ({"avx2": True}, "float32")],
)
def test_auto_is_bfloat16_only_where_the_processor_multiplies_it_natively(
    monkeypatch: pytest.MonkeyPatch, able: dict[str, bool], dtype: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert best_dtype() == dtype


def test_an_unknown_engine_is_told_with_the_nearest_name() -> None:
    source = EngineSource(engine="chanse")
    card = ModelCard(name="m", title="M", family="f", source=source, architecture="baseline", license="mit")
    with pytest.raises(BenchError, match="no engine is named 'chanse'; did you mean 'chance'"):
        open_engine(Opening(card, None, None, (), 0))


@pytest.mark.model
def test_the_embedded_model_is_converted_once_and_answers_as_the_gguf_does(cache: Path) -> None:
    file = read_card(ROOT / "model_cards" / "smollm2-135m-instruct-q4_1.yaml")
    weights = find_weights(file, offline=True)
    assert weights is not None
    assert weights.is_gguf
    engine = open_transformers(Opening(file.card, weights, "float32", (), 0))
    [folder] = [path for path in cache_folder().iterdir() if path.is_dir()]
    assert folder.parent == cache
    before = (folder / "model.safetensors").stat().st_mtime_ns
    again = open_transformers(Opening(file.card, weights, "float32", (), 0))
    assert (folder / "model.safetensors").stat().st_mtime_ns == before

    source = {"gguf_file": weights.path.name, "local_files_only": True}
    model = AutoModelForCausalLM.from_pretrained(weights.path.parent, dtype=torch.float32, **source)
    tokenizer = AutoTokenizer.from_pretrained(weights.path.parent, **source)
    one = request("Question: Which organ makes insulin?\nA. Liver\nB. Pancreas\nAnswer:", (" A", " B"))
    plain = [plain_causal(model, tokenizer, one.prompt, text) for text in one.continuations]
    assert score(engine, [one])[0] == pytest.approx(plain, abs=1e-4)
    assert score(again, [replace(one)]) == score(engine, [one])
