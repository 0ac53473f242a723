"""Whatever a tokenizer adds, drops or cannot tell apart: what is scored is the text, or it is refused."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers.processors import TemplateProcessing
from transformers import (
    AutoModelForCausalLM,
    ByT5Tokenizer,
    GPT2Config,
    OPTConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

from bench.engines import tokenizing
from bench.engines.fitting import check_tokenizer, check_window
from bench.engines.tokenizing import encode_causal, encode_prompt, encode_seq2seq
from bench.errors import BenchError
from bench.types import GenerateRequest, ScoreRequest, Tokens
from tiny import CONFIGS, ITEM, TEXTS, bpe_tokenizer, opened, prompts, save_causal, save_t5, scaled

SPECIAL = ["<unk>", "<s>", "</s>"]
LETTERS = (" A", " B", " C", " D")
OPTIONS = (" Vitamin A", " kidney", " the pancreas, most likely")


def request(prompt: str, *sets: tuple[str, ...], templated: bool = False) -> ScoreRequest:
    return ScoreRequest(ITEM, prompt, sets or (LETTERS, OPTIONS), templated)


def to_write(prompt: str, *, templated: bool = False) -> GenerateRequest:
    return GenerateRequest(ITEM, prompt, templated, 8, (), 0.0, 1, 0)


def with_ends(tokenizer: PreTrainedTokenizerFast, single: str = "<s> $A </s>") -> PreTrainedTokenizerFast:
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=single, special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    return tokenizer


def trained(model: Any, trainer: Any, **parts: Any) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(model)
    for name, part in parts.items():
        setattr(tokenizer, name, part)
    tokenizer.train_from_iterator([*TEXTS, "abcdefghijklmnopqrstuvwxyz ABCD ▁"], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    )


def metaspace(scheme: str) -> PreTrainedTokenizerFast:
    """As Llama 2's: a space before the text, and bytes for characters that it does not know."""
    return trained(
        models.BPE(unk_token="<unk>", byte_fallback=True),
        trainers.BpeTrainer(vocab_size=600, special_tokens=[*SPECIAL, *(f"<0x{n:02X}>" for n in range(256))]),
        pre_tokenizer=pre_tokenizers.Metaspace(prepend_scheme=scheme),
        decoder=decoders.ByteFallback(),
    )


def merging() -> PreTrainedTokenizerFast:
    """As Gemma's: its pre-tokenizer splits nothing, and tokens span spaces and line ends."""
    return trained(
        models.BPE(unk_token="<unk>", fuse_unk=True),
        trainers.BpeTrainer(vocab_size=300, special_tokens=SPECIAL),
        normalizer=normalizers.Replace(" ", "▁"),
        pre_tokenizer=pre_tokenizers.Split(" ", "merged_with_previous"),
    )


def words(*, lowercase: bool = True) -> PreTrainedTokenizerFast:
    """One token a word, others unknown; case may be ignored, as by uncased BERT's."""
    parts = [normalizers.NFD(), normalizers.StripAccents()] + [normalizers.Lowercase()] * lowercase
    return trained(
        models.WordLevel(unk_token="<unk>"),
        trainers.WordLevelTrainer(vocab_size=300, special_tokens=SPECIAL),
        normalizer=normalizers.Sequence(parts),
        pre_tokenizer=pre_tokenizers.Whitespace(),
    )


class Stubborn(PreTrainedTokenizerFast):
    """Adds its special tokens also where none are asked for."""

    def __call__(self, text: Any, **how: Any) -> Any:
        return super().__call__(text, **(how | {"add_special_tokens": True}))


def stubborn() -> PreTrainedTokenizerFast:
    tokenizer = with_ends(bpe_tokenizer()).backend_tokenizer
    return Stubborn(tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>")


TOKENIZERS: dict[str, PreTrainedTokenizerFast | ByT5Tokenizer] = {
    "bytes": bpe_tokenizer(),
    "BOS": with_ends(bpe_tokenizer(), "<s> $A"),
    "EOS": with_ends(bpe_tokenizer(), "$A </s>"),
    "BOS and EOS": with_ends(bpe_tokenizer()),
    "a space before the text": with_ends(metaspace("always")),
    "a space before the first word": with_ends(metaspace("first"), "<s> $A"),
    "tokens across spaces": with_ends(merging()),
    "lower case": with_ends(words()),
    "without offsets": ByT5Tokenizer(extra_ids=0),
}


def own_tokens(tokenizer: Any, text: str) -> list[int]:
    """The tokens of a text alone, by the tokenizers library or, without it, by tokenize()."""
    if tokenizer.is_fast:
        return tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids
    return tokenizer.convert_tokens_to_ids(tokenizer.tokenize(text))


def rows(tokenizer: Any, one: ScoreRequest) -> list[list[int]]:
    tree = encode_causal(tokenizer, one).tree
    return [[*tree.stem, *branch.tokens] for branch in tree.flat]


@pytest.mark.parametrize("name", TOKENIZERS)
@given(
    st.lists(
        st.sampled_from([" ", "\n", "  ", "word", "Vitamin", "A.", ":", "(", "é", "日", "ﬁ", "</s>"]),
        min_size=1,
    ),
    st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_what_is_scored_is_the_text_after_the_bos(name: str, parts: list[str], templated: bool) -> None:
    tokenizer = TOKENIZERS[name]
    one = request("Question: " + "".join(parts) + "\nAnswer:", templated=templated)
    bos = [1] if "BOS" in name or name in BEGINNING else []
    texts = [text for texts in one.continuations for text in texts]
    right = [[*([] if templated else bos), *own_tokens(tokenizer, one.prompt + text)] for text in texts]
    assert rows(tokenizer, one) == right
    start = own_tokens(tokenizer, one.prompt)
    written = encode_prompt(tokenizer, to_write(one.prompt, templated=templated), 512)
    assert list(written) == [*([] if templated else bos), *start]


BEGINNING = {"a space before the text", "a space before the first word", "tokens across spaces", "lower case"}


def test_a_tokenizer_that_adds_special_tokens_unasked_is_read_without_them() -> None:
    tokenizer, plain = stubborn(), bpe_tokenizer()
    one = request("Why?\nAnswer:")
    right = [[1, *own_tokens(plain, one.prompt + text)] for text in (*LETTERS, *OPTIONS)]
    assert rows(tokenizer, one) == right
    assert encode_prompt(tokenizer, to_write("Why?", templated=True), 99) == tuple(own_tokens(plain, "Why?"))


def test_scores_with_an_eos_at_the_end_are_those_without_it(tmp_path: Path) -> None:
    one = request(prompts(1)[0])
    plain = opened(save_causal(tmp_path / "plain", "llama"))
    ended = opened(save_causal(tmp_path / "ended", "llama", with_ends(bpe_tokenizer(), "$A </s>")))
    [[expected], [scored]] = [
        [reply for batch in engine.score([engine.encode(one)]) for reply in batch.replies]
        for engine in (plain, ended)
    ]
    assert scored == expected
    assert ended.encode_prompt(to_write("Why?"))[-1] != 2


def keep_ends(tokenizer: Any, _frame: object, texts: Sequence[str]) -> list[Tokens]:
    return [tuple(row) for row in tokenizer(list(texts))["input_ids"]]


def test_without_the_frame_an_eos_would_be_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer, one = TOKENIZERS["EOS"], request("Why?\nAnswer:")
    assert all(row[-1] != 2 for row in rows(tokenizer, one))
    monkeypatch.setattr(tokenizing, "encode_texts", keep_ends)
    assert all(row[-1] == 2 for row in rows(tokenizer, one))


def test_the_end_is_encoded_alone_only_where_the_tokenizer_splits(monkeypatch: pytest.MonkeyPatch) -> None:
    # "yA" is merged first, which leaves the space to "x"; in the prompt alone it belongs to "y".
    vocabulary = ["<unk>", "x", "y", "A", "B", "▁", "yA", "▁y", "x▁"]
    model = models.BPE(
        {word: at for at, word in enumerate(vocabulary)},
        [("y", "A"), ("▁", "y"), ("x", "▁")],
        unk_token="<unk>",
    )
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    fast, one = (
        PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>"),
        request("xx y", ("A", "B")),
    )
    right = [own_tokens(fast, one.prompt + text) for text in "AB"]
    monkeypatch.setattr(tokenizing, "_PROBE", "x A")
    assert rows(fast, one) == right
    monkeypatch.setattr(tokenizing, "_splits", lambda *_texts: True)
    assert rows(fast, one) != right


def test_an_option_without_tokens_is_one_line() -> None:
    tokenizer = trained(models.BPE(), trainers.BpeTrainer(vocab_size=200, special_tokens=SPECIAL))
    with pytest.raises(BenchError, match="item q: the tokenizer makes no token of the option '日', so"):
        encode_causal(tokenizer, request("Answer:", ("A", "日")))
    with pytest.raises(BenchError, match="item q: the tokenizer makes no token of the option '日', so"):
        encode_seq2seq(tokenizer, request("Answer:", ("A", "日")))


def test_t5_s_encoder_reads_an_eos_and_its_decoder_none(tmp_path: Path) -> None:
    engine = opened(save_t5(tmp_path / "t5"), "encoder-decoder")
    tree = engine.encode(request("Answer:")).tree
    assert tree.stem[-1] == engine.tokenizer.eos_token_id == 1
    assert engine.encode_prompt(to_write("Answer:")) == tree.stem
    assert engine.encode_prompt(to_write("Answer:", templated=True)) == tree.stem
    assert all(1 not in branch.tokens for branch in tree.flat)


def test_an_encoder_s_templated_prompt_gets_no_second_bos() -> None:
    tokenizer = TOKENIZERS["BOS and EOS"]
    tree = encode_seq2seq(tokenizer, request("<s>Answer:", templated=True)).tree
    assert (tree.stem.count(1), tree.stem[-1]) == (1, 2)


def without_files(folder: Path) -> Path:
    save_causal(folder, "qwen2")
    for file in folder.glob("token*"):
        file.unlink()
    return folder


def test_a_folder_without_a_tokenizer_is_one_line(tmp_path: Path) -> None:
    # transformers makes an empty tokenizer of Qwen2's class, which encodes every text as nothing.
    with pytest.raises(BenchError, match="the tokenizer makes no tokens of 'Answer: A'; use the tokenizer"):
        opened(without_files(tmp_path / "m"))


def with_dropout(folder: Path) -> Path:
    """The folder, its tokenizer left as it was trained: it leaves out merges by chance."""
    file = folder / "tokenizer.json"
    saved = json.loads(file.read_text("utf-8"))
    saved["model"]["dropout"] = 0.5
    file.write_text(json.dumps(saved), encoding="utf-8")
    return folder


def test_a_tokenizer_that_was_trained_with_dropout_gives_a_text_the_same_tokens(tmp_path: Path) -> None:
    folder = save_causal(tmp_path / "m", "llama")
    right = opened(folder).encode(request(TEXTS[0]))
    engine = opened(with_dropout(folder))
    assert [engine.encode(request(TEXTS[0])) for _ in range(5)] == [right] * 5


def test_code_that_a_tokenizer_needs_is_named_by_our_flag(tmp_path: Path) -> None:
    folder = save_causal(tmp_path / "m", "llama")
    file = folder / "tokenizer_config.json"
    config = json.loads(file.read_text("utf-8")) | {"auto_map": {"AutoTokenizer": ["code.Tokenizer", None]}}
    file.write_text(json.dumps(config | {"tokenizer_class": "Tokenizer"}), encoding="utf-8")
    with pytest.raises(
        BenchError, match=r"the tokenizer cannot be loaded: it needs Python .* --trust-remote-code"
    ):
        opened(folder)


def test_a_tokenizer_larger_than_the_model_is_one_line_before_the_first_batch(tmp_path: Path) -> None:
    folder = save_causal(tmp_path / "m", "llama")
    bpe_tokenizer([" ".join(TEXTS), "other words of another tokenizer"], size=450).save_pretrained(folder)
    with pytest.raises(
        BenchError, match=r"the tokenizer has \d+ tokens that the model lacks, such as '.+' \(id"
    ):
        opened(folder)


def test_a_far_smaller_tokenizer_is_not_the_model_s() -> None:
    model = AutoModelForCausalLM.from_config(
        Qwen2Config(vocab_size=1800, hidden_size=8, intermediate_size=8, num_hidden_layers=1,
                    num_attention_heads=1, num_key_value_heads=1)
    )  # fmt: skip
    with pytest.raises(
        BenchError, match=r"the tokenizer has \d+ tokens and the model 1800, so it is not this"
    ):
        check_tokenizer(model, bpe_tokenizer())


def test_a_special_token_that_the_model_lacks_is_an_error_where_it_is_used(tmp_path: Path) -> None:
    folder = save_causal(tmp_path / "m", "llama")
    tokenizer = bpe_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    tokenizer.save_pretrained(folder)
    engine = opened(folder)
    assert engine.encode(request("Why?\nAnswer:"))
    lacking = (
        r"item q: its prompt or options contain '<image>' \(token \d+\), and the model has only \d+ tokens"
    )
    with pytest.raises(BenchError, match=lacking):
        engine.encode(request("<image>\nAnswer:"))
    with pytest.raises(BenchError, match=lacking):
        engine.encode(request("Why?\nAnswer:", (" A", " <image>")))
    with pytest.raises(BenchError, match=lacking):
        engine.encode_prompt(to_write("<image>"))


POSITIONS: dict[str, Callable[[int], Any]] = {
    "gpt2": lambda size: GPT2Config(vocab_size=size, n_embd=16, n_layer=1, n_head=2, n_positions=64),
    "opt": lambda size: OPTConfig(
        vocab_size=size, hidden_size=16, word_embed_proj_dim=16, ffn_dim=16, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=64,
    ),
}  # fmt: skip


@pytest.mark.parametrize("family", POSITIONS)
def test_a_window_beyond_the_learned_positions_is_one_line(tmp_path: Path, family: str) -> None:
    tokenizer, folder = bpe_tokenizer(), tmp_path / family
    scaled(AutoModelForCausalLM.from_config(POSITIONS[family](len(tokenizer)))).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    with pytest.raises(BenchError, match=r"tiny's card gives a context of 65 tokens.*; write context: 64"):
        opened(folder, context=65)
    engine = opened(folder, context=64)
    ids = tokenizer(" ".join(TEXTS))["input_ids"][:64]
    assert engine.model(torch.tensor([ids])).logits.shape[1] == 64
    with pytest.raises(IndexError):
        engine.model(torch.tensor([[*ids, 3]]))
    assert opened(folder, context=None).window == 64


@pytest.mark.parametrize("family", sorted(CONFIGS))
def test_rotary_models_may_have_any_window(family: str) -> None:
    model = AutoModelForCausalLM.from_config(CONFIGS[family](400))
    check_window("tiny", 10_000, model)
