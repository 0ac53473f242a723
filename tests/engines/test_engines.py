"""Every family's scores are those of the model's own plain forward pass, in any batch."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from bench.engines.choose_path import best_path
from bench.engines.engine import Opening, in_order
from bench.engines.kinds import open_engine
from bench.engines.loading import load_model, open_transformers, readable_folder
from bench.engines.packing import Layout
from bench.engines.prefix import prefill
from bench.engines.tokenizing import encode_causal
from bench.engines.torch_device import best_dtype
from bench.engines.transformer import TransformerEngine
from bench.errors import BenchError, PromptTooLong
from bench.inputs.cards import read_card
from bench.inputs.model_card import ModelCard
from bench.inputs.weights import find_weights
from bench.types import Tokens
from conftest import ROOT
from plain import LETTERS, OPTIONS, plain_causal, plain_seq2seq, replies, request, score, texts
from tiny import CONFIGS, TEXTS, bpe_tokenizer, opened, prompts, save_causal, save_t5

TOLERANCE = 1e-5
TOKENIZERS = [
    bpe_tokenizer(),
    bpe_tokenizer(
        [f"{n} nswer: {letter}" for n in "abcdefghijkl" for letter in "AB"], size=26, crosses_words=True
    ),
]


@pytest.mark.parametrize("family", sorted(CONFIGS))
def test_order_batch_subset_sets_and_path_do_not_move_a_score(tmp_path: Path, family: str) -> None:
    engine = opened(save_causal(tmp_path / family, family))
    holds_still(engine, " ".join(TEXTS) * 2)


def holds_still(engine: TransformerEngine, beginning: str) -> None:
    """The same alone and together, forwards and backwards, packed and plain, with and without a prefix."""
    assert engine.path == "packed"
    asked = [request(beginning + prompt, LETTERS, OPTIONS) for prompt in prompts(9)]
    together = score(engine, asked)
    ways = {
        "alone": [score(engine, [one])[0] for one in asked],
        "backwards": score(engine, asked[::-1])[::-1],
        "a part": [*score(engine, asked[:4]), *score(engine, asked[4:])],
        "one row a batch": score(replace(engine, batch_tokens=1), asked),
        "plain": score(replace(engine, path="plain"), asked),
        "plain, one by one": score(replace(engine, path="plain", batch_tokens=1), asked),
        "one set at a time": [
            sum(score(engine, [request(one.prompt, LETTERS), request(one.prompt, OPTIONS)]), ())
            for one in asked
        ],
    }
    for way, scores in ways.items():
        for a, b in zip(scores, together, strict=True):
            assert a == pytest.approx(b, abs=TOLERANCE, rel=1e-6), way
    assert max(abs(a - b) for a, b in zip(together[0], together[1], strict=True)) > 100 * TOLERANCE


def test_a_shared_beginning_is_run_once(tmp_path: Path) -> None:
    engine = opened(save_causal(tmp_path / "m", "llama"))
    fed: list[int] = []
    engine.model.model.embed_tokens.register_forward_hook(lambda _m, _i, output: fed.append(output.shape[1]))
    beginning = " ".join(TEXTS)
    asked = [request(beginning + prompt, LETTERS) for prompt in prompts(6)]
    lengths = [len(engine.encode(one).tree.stem) for one in asked]
    shared = len(engine.tokenizer(beginning)["input_ids"])
    score(engine, asked)
    assert fed[0] >= shared - 1
    assert sum(fed[1:]) <= sum(lengths) - 6 * (shared - 1) + 6 * 50  # padding at most


def test_scores_tell_tokens_and_greed(tmp_path: Path) -> None:
    engine = opened(save_causal(tmp_path / "m", "llama"))
    prompt = prompts(1)[0]
    ids = engine.tokenizer(prompt, return_tensors="pt")["input_ids"]
    likeliest = engine.tokenizer.decode(int(engine.model(ids).logits[0, -1].argmax()))
    [reply] = replies(engine, [request(prompt, (likeliest, " A"), OPTIONS)])
    assert reply.greedy[0] == (True, False)
    assert reply.tokens[1] == tuple(len(engine.tokenizer(text)["input_ids"]) for text in OPTIONS)


class Fickle(torch.nn.Module):
    """An output head that gives other logits each time: no two paths can agree on it."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner, self.weight = inner, inner.weight
        self.calls = 0

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return self.inner(hidden) * (1 + self.calls)


def test_a_model_whose_tree_scores_otherwise_takes_the_plain_path(tmp_path: Path) -> None:
    engine = opened(save_causal(tmp_path / "m", "llama"))
    engine.model.lm_head = Fickle(engine.model.lm_head)
    assert best_path(engine.model, 512) == "plain"


def every_token_before(layout: Layout, width: int) -> torch.Tensor:
    return torch.ones(width, width, dtype=torch.bool).tril().repeat(len(layout.rows), 1, 1)


def empty_prefix(model: Any, tokens: Tokens) -> Any:
    cache = prefill(model, tokens)
    for layer in cache.layers if cache else ():
        layer.prefix_values = torch.zeros_like(layer.prefix_values)
    return cache


def test_exemplars_of_a_group_run_once_for_the_questions_of_that_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = opened(save_causal(tmp_path / "m", "llama"))
    assert engine.path == "packed"
    starts = {name: f"{name} " + " ".join(prompts(4)) for name in ("kidney", "fever")}
    requests = [
        replace(request(f"{starts[name]}\n\n{prompt}", LETTERS), beginning=name)
        for prompt, name in zip(prompts(6), list(starts) * 3, strict=True)
    ]
    computed: list[Tokens] = []

    def counted(model: Any, tokens: Tokens) -> Any:
        computed.append(tokens)
        return prefill(model, tokens)

    monkeypatch.setattr("bench.engines.causal.prefill", counted)
    scores = replies(engine, requests)
    assert len(computed) == 2
    assert all(len(tokens) >= len(engine.tokenizer(starts["fever"])["input_ids"]) - 2 for tokens in computed)
    for one, reply in zip(requests, scores, strict=True):
        [alone] = replies(engine, [one])
        assert reply.logprobs[0] == pytest.approx(alone.logprobs[0], abs=TOLERANCE)


@pytest.fixture(scope="module")
def rounded(cache: Path) -> Any:
    """The embedded model in bfloat16."""
    file = read_card(ROOT / "model_cards" / "smollm2-135m-instruct-q4_1.yaml")
    folder = readable_folder(find_weights(file, offline=True))
    return load_model(Opening(file.card, "bfloat16"), folder).eval()


@pytest.mark.model
@pytest.mark.parametrize(
    ("layers", "broken", "piece"),
    [
        (5, "bench.engines.causal.ancestors", every_token_before),
        (5, "bench.engines.causal.prefill", empty_prefix),
        # The first layers hardly use positions.
        (30, "bench.engines.packing.Row.positions", property(lambda row: tuple(range(len(row.tokens))))),
    ],
)
def test_the_check_sees_a_broken_tree_of_a_real_model_through_bfloat16_s_rounding(
    rounded: Any, monkeypatch: pytest.MonkeyPatch, layers: int, broken: str, piece: object
) -> None:
    monkeypatch.setitem(rounded.model._modules, "layers", rounded.model.layers[:layers])
    monkeypatch.setattr(rounded.config, "num_hidden_layers", layers)
    assert best_path(rounded, 8192) == "packed"
    monkeypatch.setattr(broken, piece)
    assert best_path(rounded, 8192) == "shared"


def test_a_model_whose_cache_is_no_list_of_keys_takes_the_plain_path(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, MambaConfig

    config = MambaConfig(vocab_size=400, hidden_size=32, state_size=4, num_hidden_layers=2)
    model = AutoModelForCausalLM.from_config(config).eval()
    assert best_path(model, 512) == "plain"
    folder = tmp_path / "mamba"
    model.save_pretrained(folder)
    bpe_tokenizer().save_pretrained(folder)
    engine = opened(folder, context=512)
    assert engine.path == "plain"
    asked = [request(prompt, LETTERS, OPTIONS) for prompt in prompts(3)]
    loaded = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    for one, scores in zip(asked, score(engine, asked), strict=True):
        plain = [plain_causal(loaded, engine.tokenizer, one.prompt, text) for text in texts(one)]
        assert scores == pytest.approx(plain, abs=TOLERANCE * 10)


def test_a_model_with_a_window_shorter_than_its_prompts_is_not_packed(tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(save_causal(tmp_path / "m", "phi3"))
    model.config.sliding_window = 100
    assert best_path(model, 512) == "shared"
    assert best_path(model, 100) == "packed"


def test_a_batch_that_does_not_fit_is_scored_in_smaller_ones(tmp_path: Path) -> None:
    engine = opened(save_causal(tmp_path / "m", "llama"))
    asked = [request(prompt) for prompt in prompts(12)]
    expected = score(engine, asked)
    small = engine.model.forward

    def forward(input_ids: torch.Tensor, **rest: Any) -> Any:
        if input_ids.numel() > 200:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried")
        return small(input_ids=input_ids, **rest)

    engine.model.forward = forward
    batches = list(engine.score([engine.encode(one) for one in asked]))
    assert batches[-1].batch_tokens < 400
    shrunk = [scores.logprobs[0] for scores in in_order(batches)]
    assert shrunk == [pytest.approx(one, abs=TOLERANCE) for one in expected]


@given(
    st.lists(
        st.sampled_from([" ", "\n", "  ", "\n\n", "word", "Vitamin", "A.", ":", "(", "é", "—", "7"]),
        min_size=3,
    )
)
def test_tokenising_the_end_alone_gives_the_whole_s_tokens(parts: list[str]) -> None:
    prompt = "Question: " + "".join(parts) + "\nAnswer:"
    for tokenizer in TOKENIZERS:
        tree = encode_causal(tokenizer, request(prompt, LETTERS, OPTIONS, ("\n", "x  y"))).tree
        one = request(prompt, LETTERS, OPTIONS, ("\n", "x  y"))
        wholes = [tuple(tokenizer(prompt + text)["input_ids"]) for text in texts(one)]
        assert [tree.stem + branch.tokens for branch in tree.flat] == wholes


def test_the_output_head_sees_only_the_rows_that_are_read(tmp_path: Path) -> None:
    engine = opened(save_causal(tmp_path / "m", "llama"))
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
    assert [list(encoded.tree.stem + branch.tokens) for branch in encoded.tree.flat] == whole
    with torch.no_grad():
        logits = model(torch.tensor(whole)).logits.double()
    logprobs = torch.log_softmax(logits, dim=-1)
    at = len(encoded.tree.stem)
    expected = [
        sum(float(logprobs[row, i - 1, ids[i]]) for i in range(at, len(ids))) for row, ids in enumerate(whole)
    ]
    assert score(engine, [encoded.request])[0] == pytest.approx(expected, abs=TOLERANCE)


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
    assert encoded.tree.stem[0] == 1
    assert 1 not in encoded.tree.stem[1:]
    assert all(1 not in branch.tokens for branch in encoded.tree.flat)


def test_a_prompt_beyond_the_window_is_that_item_s_error(tmp_path: Path) -> None:
    engine = opened(save_causal(tmp_path / "m", "llama"), context=8)
    with pytest.raises(PromptTooLong, match=r"the prompt has \d+ tokens, the model takes 8"):
        engine.encode(request("Question: Which organ makes insulin?\nAnswer:"))
    assert engine.encode(request("Answer:"))


def test_t5_s_scores_are_the_plain_forward_pass_s_in_any_batch(tmp_path: Path) -> None:
    folder = save_t5(tmp_path / "t5")
    model = AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    engine = opened(folder, "encoder-decoder", context=512)
    asked = [request(prompt, LETTERS, OPTIONS) for prompt in prompts(6)]
    for one, together in zip(asked, score(engine, asked), strict=True):
        plain = [plain_seq2seq(model, tokenizer, one.prompt, text) for text in texts(one)]
        assert together == pytest.approx(plain, abs=TOLERANCE * 10)
        assert score(engine, [one])[0] == pytest.approx(together, abs=TOLERANCE, rel=1e-6)
    assert engine.path == "packed"
    holds_still(engine, "")


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
    card = ModelCard(name="m", title="M", family="f", engine="chanse", architecture="baseline", license="mit")
    with pytest.raises(BenchError, match="no engine is named 'chanse'; did you mean 'chance'"):
        open_engine(Opening(card), None)


@pytest.mark.model
def test_the_embedded_model_is_converted_once_and_answers_as_the_gguf_does(cache: Path) -> None:
    file = read_card(ROOT / "model_cards" / "smollm2-135m-instruct-q4_1.yaml")
    weights = find_weights(file, offline=True)
    assert weights is not None
    assert weights.is_gguf
    engine = open_transformers(Opening(file.card, "float32"), weights)
    folder = readable_folder(weights)
    assert folder.is_relative_to(cache)
    before = (folder / "model.safetensors").stat().st_mtime_ns
    again = open_transformers(Opening(file.card, "float32"), weights)
    assert (folder / "model.safetensors").stat().st_mtime_ns == before

    source = {"gguf_file": weights.path.name, "local_files_only": True}
    model = AutoModelForCausalLM.from_pretrained(weights.path.parent, dtype=torch.float32, **source)
    tokenizer = AutoTokenizer.from_pretrained(weights.path.parent, **source)
    one = request("Question: Which organ makes insulin?\nA. Liver\nB. Pancreas\nAnswer:", (" A", " B"))
    plain = [plain_causal(model, tokenizer, one.prompt, text) for text in texts(one)]
    assert score(engine, [one])[0] == pytest.approx(plain, abs=1e-4)
    assert score(again, [replace(one)]) == score(engine, [one])
