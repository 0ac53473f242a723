"""Headers of GGUF files, whole and damaged, and where the files are found."""

import struct
from pathlib import Path

import pytest

from bench.errors import Unavailable
from bench.inputs.gguf_file import parts_of, read_header
from bench.inputs.gguf_weights import format_in, local_gguf
from gguf_files import save_gguf
from tiny import save_causal


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_causal(tmp_path_factory.mktemp("saved") / "llama", "llama")


@pytest.mark.parametrize(("form", "bits"), [("F32", 32), ("F16", 16), ("Q8_0", 8.5)])
def test_a_header_says_format_bits_and_window(folder: Path, form: str, bits: float) -> None:
    weights = local_gguf(save_gguf(folder, folder / f"{form}.gguf", form))
    header = read_header(weights.path)
    assert (header.architecture, header.context, header.has_tokenizer) == ("llama", 512, True)
    assert header.format == weights.format == form
    assert weights.bits == pytest.approx(bits, rel=0.02)
    assert weights.bytes == weights.path.stat().st_size
    assert weights.revision.startswith("sha256:")


def test_a_damaged_file_is_refused_with_the_reason(folder: Path, tmp_path: Path) -> None:
    whole = save_gguf(folder, tmp_path / "whole.gguf").read_bytes()
    damaged = {
        "empty": (b"", "its header is damaged or cut off"),
        "text": (b"<html>not found</html>", "it does not begin with GGUF"),
        "old": (whole[:4] + struct.pack("<I", 1) + whole[8:], "it is of version 1"),
        "header": (whole[:900], "cut off"),
        "torn": (whole[:-1000], f"it has {len(whole) - 1000} of "),
        "keys": (whole[:16] + struct.pack("<Q", 2**60) + whole[24:], "damaged or cut off|unknown type"),
        "length": (whole[:24] + struct.pack("<Q", 2**63) + whole[32:], "cut off"),
    }
    for name, (data, reason) in damaged.items():
        file = tmp_path / f"{name}.gguf"
        file.write_bytes(data)
        with pytest.raises(Unavailable, match=rf"{name}\.gguf is not a whole GGUF file: .*({reason})"):
            read_header(file)
    with pytest.raises(Unavailable, match="No such file"):
        read_header(tmp_path / "missing.gguf")


def test_a_file_without_a_tokenizer_cannot_be_used(folder: Path, tmp_path: Path) -> None:
    bare = save_gguf(folder, tmp_path / "bare.gguf", tokenizer=False)
    with pytest.raises(Unavailable, match=r"bare\.gguf holds no tokenizer"):
        local_gguf(bare)


def test_the_parts_of_a_split_file_are_all_named(tmp_path: Path) -> None:
    first = tmp_path / "m-Q4_K_M-00001-of-00003.gguf"
    assert [path.name for path in parts_of(first)] == [f"m-Q4_K_M-0000{at}-of-00003.gguf" for at in (1, 2, 3)]
    assert parts_of(tmp_path / "m.gguf") == [tmp_path / "m.gguf"]


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("SmolLM2-135M-Instruct.Q4_1.gguf", "Q4_1"),
        ("qwen3-4b-q4_k_m.gguf", "Q4_K_M"),
        ("Q8_0/model-Q8_0-00001-of-00002.gguf", "Q8_0"),
        ("gemma-3-1b-it-bf16.gguf", "BF16"),
        ("model-IQ4_XS.gguf", "IQ4_XS"),
        ("model.gguf", "GGUF"),
    ],
)
def test_a_name_says_the_format_before_the_file_is_here(name: str, form: str) -> None:
    assert format_in(name) == form
