"""llama.cpp's tokens beside those that transformers makes with the tokenizer of the same file."""

from pathlib import Path

import pytest

from bench.engines.llama_cpp.model import load
from bench.engines.llama_cpp.token_check import compare
from bench.engines.llama_cpp.tokenizer import Tokenizer
from gguf_files import save_gguf
from tiny import TEXTS, save_causal

pytestmark = pytest.mark.llama_cpp


def test_prompts_with_other_tokens_are_counted_with_an_example(tmp_path: Path) -> None:
    """By its name the file's pattern splits numbers into digits, which transformers does not read."""
    folder = save_causal(tmp_path / "m", "llama")
    texts = [*TEXTS, "fever 12345"]
    same = save_gguf(folder, tmp_path / "same.gguf")
    assert compare(same, texts, tokens(same, texts)) == ""
    other = save_gguf(folder, tmp_path / "other.gguf", words="smollm")
    sentence = compare(other, texts, tokens(other, texts))
    assert sentence == (
        "llama.cpp makes other tokens of 2 of 4 prompts than transformers does with the tokenizer of "
        r"the same file, such as '1' '2' '\n' in place of '12' '\n' 'C'"
    )


def test_a_file_that_cannot_be_compared_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = save_gguf(save_causal(tmp_path / "m", "llama"), tmp_path / "m.gguf")
    file.write_bytes(file.read_bytes()[:5000])
    assert compare(file, TEXTS, [[1]] * len(TEXTS)) == ""


def tokens(file: Path, texts: list[str]) -> list[list[int]]:
    return Tokenizer(load(file, gpu_layers=None))(texts, add_special_tokens=False)["input_ids"]
