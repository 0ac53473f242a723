"""Messages of other libraries, in one line that says what is wrong."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from bench.errors import (
    LONGEST,
    LONGEST_REASON,
    LONGEST_TRACE,
    BenchError,
    named_line,
    one_line,
    shown_line,
    shown_trace,
    visible,
)
from conftest import ROOT
from tiny import opened, save_causal, save_experts


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("Error(s) in loading state_dict for X:\n\tsize mismatch for a", None),
        ("401 Client Error. (Request ID: 1)\n\nRepository Not Found for url: u.", None),
        ("one line", None),
        ("Validation error for field 'x':", "Validation error for field 'x': (ValueError)"),
        ("", "(ValueError)"),
        ("Broken. For details look at the above report!", "Broken. (ValueError)"),
        ("Broken. For more details, see the log above.", "Broken. (ValueError)"),
    ],
)
def test_a_message_is_one_line_and_never_a_heading_alone(message: str, line: str | None) -> None:
    assert one_line(ValueError(message)) == (" ".join(message.split()) if line is None else line)


def test_a_heading_alone_is_followed_by_its_cause() -> None:
    error = ValueError("The file is wrong:\n")
    error.__cause__ = OSError("no space\nleft")
    assert one_line(error) == "The file is wrong: no space left"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (RuntimeError("CUDA error:\n  out of range"), "RuntimeError: CUDA error: out of range"),
        (KeyError("x"), "KeyError: 'x'"),
        (AssertionError(), "AssertionError"),
    ],
)
def test_an_error_that_nobody_foresaw_names_its_class_once(error: Exception, line: str) -> None:
    assert named_line(error) == line


def test_a_long_message_is_cut() -> None:
    line = one_line(ValueError("word " * 1000))
    assert len(line) == LONGEST
    assert line.endswith("…")


def test_messages_of_errors_are_put_into_a_line_in_one_place() -> None:
    cuts = re.compile(r"str\((error|e|exc)\)\s*\.(split|splitlines|partition)\(|__name__\}: \{(error|text)\}")
    places = [path for path in (ROOT / "bench").rglob("*.py") if cuts.search(path.read_text("utf-8"))]
    assert [path.name for path in places] == ["errors.py"]


def reshaped(folder: Path, change: Any) -> None:
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path, {"format": "pt"})


def test_a_tensor_of_another_shape_is_named_with_both_shapes(tmp_path: Path) -> None:
    folder = save_causal(tmp_path / "m", "llama")
    name = "model.layers.1.self_attn.q_proj.weight"
    reshaped(folder, lambda weights: weights | {name: torch.ones(32, 64)})
    expected = f"the weights cannot be loaded: {name} is 32x64 in the files and 64x64 by config.json"
    with pytest.raises(BenchError, match=re.escape(expected)):
        opened(folder)


def test_a_tensor_that_cannot_be_converted_is_named_with_the_reason(tmp_path: Path) -> None:
    folder = save_experts(tmp_path / "m")
    name = next(n for n in load_file(folder / "model.safetensors") if "experts.1.w1" in n)
    reshaped(folder, lambda weights: weights | {name: torch.ones(7, 64)})
    with pytest.raises(
        BenchError, match=r"the weights cannot be loaded: \S+experts\S+ cannot be converted: "
    ):
        opened(folder)


def test_what_a_terminal_or_a_file_would_act_on_is_no_part_of_a_message() -> None:
    terminal = "a\x1b[1;31mred\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x07 "
    assert visible(f"{terminal}\x00\x7f\x9b\u202eright\u2066\u200f\ud800\udfffend") == "ared link rightend"
    assert visible("naïve — 中文 👩‍⚕️\tend\n") == "naïve — 中文 👩‍⚕️\tend\n"


def test_lines_of_a_reason_become_one_of_a_stated_length() -> None:
    assert shown_line("wrong:\n  a \n\n b\r\nc") == "wrong: a; b; c"
    assert shown_line("needs \t 4\u202fGB") == "needs 4\u202fGB"
    assert len(shown_line("x" * 5_000_000)) == LONGEST_REASON


def test_of_a_long_traceback_its_beginning_and_end_are_kept() -> None:
    trace = shown_trace("first" + "x" * 5_000_000 + "last")
    assert trace.startswith("firstx")
    assert trace.endswith("xlast")
    assert "\n[… 4,980,009 characters left out …]\n" in trace
    assert len(trace) < LONGEST_TRACE + 100


class SilentError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("nothing to say")


def test_an_error_that_cannot_be_said_is_its_class() -> None:
    assert named_line(SilentError()) == "SilentError"


def test_causes_that_go_in_a_circle_come_to_an_end() -> None:
    first, second = ValueError("The file is wrong:"), ValueError("It is wrong:")
    first.__cause__, second.__cause__ = second, first
    assert one_line(first).startswith("The file is wrong: It is wrong: The file is wrong:")
