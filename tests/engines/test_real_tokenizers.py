"""Prompts, letters and special tokens of published tokenizers, which .ci/tokenizers fetches."""

import base64
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers.decoders import ByteLevel
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from bench.engines.chat import render
from bench.engines.fitting import check_tokenizer, check_tokens
from bench.engines.tokenizing import encode_causal, encode_prompt
from bench.errors import BenchError
from bench.types import GenerateRequest, Message, ScoreRequest
from conftest import REAL_TOKENIZERS
from tiny import ITEM

pytestmark = pytest.mark.tokenizers
BOS = {"qwen3": None, "gemma3": "<bos>", "llama3_1": "<|begin_of_text|>", "llama2": "<s>"}
CHAT = ["qwen3", "gemma3", "llama3_1"]
QUESTION = "Question: Which organ makes insulin?\nA. Liver\nB. Pancreas\nC. Spleen\nD. Kidney\nAnswer:"
SOLVED = (
    Message("system", "Be brief."),
    Message("user", "Question: Why?\nAnswer:"),
    Message("assistant", "B"),
    Message("user", QUESTION),
)
ENDS = {
    "qwen3": "Answer:<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
    "gemma3": "Answer:<end_of_turn>\n<start_of_turn>model\n",
    "llama3_1": "Answer:<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
}


@cache
def real(name: str) -> PreTrainedTokenizerFast:
    return AutoTokenizer.from_pretrained(REAL_TOKENIZERS / name, local_files_only=True)


@pytest.mark.parametrize("name", BOS)
def test_a_plain_prompt_has_the_bos_that_the_model_was_trained_with_once(name: str) -> None:
    tokenizer = real(name)
    one = ScoreRequest(ITEM, QUESTION, ((" A", " B", " C", " D"),))
    tree = encode_causal(tokenizer, one).tree
    tokens = tokenizer.convert_ids_to_tokens(tree.stem)
    if bos := BOS[name]:
        assert tokens[0] == bos
    assert tokens.count(bos) == (1 if bos else 0)
    assert len({branch.tokens for branch in tree.flat}) == 4
    assert all(branch.scored == 1 for branch in tree.flat)


@pytest.mark.parametrize("name", CHAT)
def test_a_letter_is_scored_where_the_assistant_speaks(name: str) -> None:
    tokenizer = real(name)
    prompt = render(tokenizer, SOLVED, thinking=False)
    assert prompt.endswith(ENDS[name])
    assert all(prompt.count(message.content) == 1 for message in (SOLVED[0], SOLVED[-1]))
    tree = encode_causal(tokenizer, ScoreRequest(ITEM, prompt, (("A", "B", "C", "D"),), templated=True)).tree
    tokens = tokenizer.convert_ids_to_tokens(tree.stem)
    assert tokens.count(BOS[name]) == (1 if BOS[name] else 0)
    assert [tokenizer.decode(branch.tokens) for branch in tree.flat] == ["A", "B", "C", "D"]
    assert all(branch.scored == 1 for branch in tree.flat)


@pytest.mark.parametrize("name", CHAT)
@pytest.mark.parametrize("thinking", [False, True])
def test_a_prompt_is_transformers_own_tokens(name: str, thinking: bool) -> None:
    tokenizer = real(name)
    turns = [{"role": message.role, "content": message.content} for message in SOLVED]
    own = tokenizer.apply_chat_template(
        turns, add_generation_prompt=True, enable_thinking=thinking, return_dict=False
    )
    prompt = render(tokenizer, SOLVED, thinking=thinking)
    request = GenerateRequest(
        ITEM, prompt, templated=True, max_new_tokens=8, stop=(), temperature=0.0, samples=1, seed=0
    )
    assert list(encode_prompt(tokenizer, request, 4096)) == own


def test_qwen_thinks_only_where_it_writes() -> None:
    assert "<think>" not in render(real("qwen3"), SOLVED, thinking=True)


def test_gemma_s_system_text_stands_in_its_first_question() -> None:
    prompt = render(real("gemma3"), SOLVED, thinking=False)
    assert prompt.startswith("<bos><start_of_turn>user\nBe brief.\n\nQuestion: Why?")


def test_a_tokenizer_without_a_template_names_the_plain_prompt() -> None:
    with pytest.raises(BenchError, match="--prompt plain"):
        render(real("llama2"), SOLVED, thinking=False)


@pytest.mark.parametrize("name", BOS)
@given(st.text("aB1 \n.,:é日▁\t'\"", max_size=40))
@settings(max_examples=60, deadline=None)
def test_the_prompt_s_end_alone_has_the_tokens_that_it_has_in_the_whole(name: str, text: str) -> None:
    tokenizer = real(name)
    one = ScoreRequest(ITEM, f"Question:{text}\nAnswer:", ((" A", " B"), (" the pancreas", "\nx", "  y")))
    tree = encode_causal(tokenizer, one).tree
    texts = [text for texts in one.continuations for text in texts]
    wholes = [tuple(tokenizer(one.prompt + text)["input_ids"]) for text in texts]
    assert [tree.stem + branch.tokens for branch in tree.flat] == wholes


def test_gemma_s_text_models_may_lack_its_image_token() -> None:
    tokenizer, size = real("gemma3"), 262_144
    config = LlamaConfig(vocab_size=size, hidden_size=4, intermediate_size=4, num_hidden_layers=1,
                         num_attention_heads=1, num_key_value_heads=1, tie_word_embeddings=True)  # fmt: skip
    check_tokenizer(LlamaForCausalLM(config), tokenizer)
    with pytest.raises(BenchError, match="item q: its prompt or options contain '<image_soft_token>'"):
        check_tokens("q", tokenizer("<image_soft_token>")["input_ids"], tokenizer, size)


@pytest.mark.parametrize(("name", "other"), [("qwen3", "llama3_1"), ("llama3_1", "llama2")])
def test_another_model_s_tokenizer_is_refused(name: str, other: str) -> None:
    config: Any = LlamaConfig(vocab_size=len(real(other)), hidden_size=4, intermediate_size=4,
                              num_hidden_layers=1, num_attention_heads=1, num_key_value_heads=1)  # fmt: skip
    with pytest.raises(BenchError, match="so it is not this model's; use the tokenizer files"):
        check_tokenizer(LlamaForCausalLM(config), real(name))


def test_qwen_s_tokens_are_those_of_a_second_source() -> None:
    lines = (REAL_TOKENIZERS / "qwen.tiktoken").read_bytes().splitlines()
    ranks = {base64.b64decode(token): int(rank) for token, rank in map(bytes.split, lines)}
    tokenizer, text = real("qwen3"), f"{QUESTION} A B C D the pancreas é 日本"
    ids = tokenizer(text)["input_ids"]
    pieces = [tokenizer.convert_ids_to_tokens(token) for token in ids]
    assert ByteLevel().decode(pieces) == text
    characters = {character: byte for byte, character in _byte_characters()}
    assert [ranks[bytes(characters[c] for c in piece)] for piece in pieces] == ids


def _byte_characters() -> list[tuple[int, str]]:
    """Byte-level BPE's character for each byte: itself where it is printable, else the next from 256 on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in printable]
    return [(byte, chr(byte)) for byte in printable] + [(byte, chr(256 + at)) for at, byte in enumerate(rest)]
