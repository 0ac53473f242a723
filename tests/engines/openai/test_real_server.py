"""The server of llama-cpp-python, started here, against the engine llama.cpp on the same file."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.engines.engine import Opening, in_order
from bench.engines.openai.engine import ServerEngine, open_openai
from bench.inputs.model_card import ModelCard
from bench.inputs.weights import Weights
from bench.types import GenerateRequest, Item, Message, PromptStyle, ScoreRequest
from gguf_files import embedded_file, expand, with_bos

pytestmark = [pytest.mark.llama_cpp, pytest.mark.llama_server, pytest.mark.model]

ITEM = Item("q1", "Which organ?", ("Liver", "Pancreas"), 1)
QUESTIONS = (
    "Which organ makes insulin?\nA. Liver\nB. Pancreas\nAnswer:",
    "Which vitamin is missing in scurvy?\nA. Vitamin C\nB. Vitamin B12\nAnswer:",
    "Which bone is in the thigh?\nA. Tibia\nB. Femur\nAnswer:",
)
FAR = 0.02
"""Batches of other shapes are added in another order."""


@contextmanager
def server(file: Path, folder: Path) -> Iterator[str]:
    """The server with a model; yields its address when it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [
        sys.executable, "-m", "llama_cpp.server", "--model", str(file), "--host", "127.0.0.1",
        "--port", str(port), "--logits_all", "True", "--n_ctx", "256", "--n_threads", "2",
        "--model_alias", "smollm2",
    ]  # fmt: skip
    log = folder / "server.log"
    with log.open("w") as out, subprocess.Popen(words, stdout=out, stderr=out) as process:
        try:
            deadline = time.monotonic() + 60
            while socket.socket().connect_ex(("127.0.0.1", port)):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()


def card(engine: str, **settings: str | int) -> ModelCard:
    return ModelCard(
        name="smollm2", title="SmolLM2", family="smollm2", engine=engine, architecture="decoder",
        license="apache-2.0", chat=True, context=256, settings=settings,
    )  # fmt: skip


def asked(url: str, style: PromptStyle = "plain") -> ServerEngine:
    settings: dict[str, str | int] = {"url": url, "model": "smollm2", "concurrency": 1}
    return open_openai(Opening(card("openai", **settings), style=style))


def in_process(file: Path) -> Any:
    from bench.engines.llama_cpp.engine import open_llama_cpp

    return open_llama_cpp(Opening(card("llama.cpp", threads=2)), Weights(file, "", 1))


def scored(engine: Any, requests: list[ScoreRequest]) -> list[tuple[tuple[float, ...], ...]]:
    return [each.logprobs for each in in_order(engine.score([engine.encode(one) for one in requests]))]


def requests(engine: Any, style: PromptStyle) -> list[ScoreRequest]:
    if style == "plain":
        return [ScoreRequest(ITEM, text, ((" A", " B"), (" Liver", " Pancreas"))) for text in QUESTIONS]
    prompts = [engine.render([Message("user", text)], thinking=False) for text in QUESTIONS]
    return [ScoreRequest(ITEM, text, (("A", "B"), ("Liver", "Pancreas")), templated=True) for text in prompts]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded model in 16 bits: quantised kernels would round by the shape of a batch."""
    return expand(embedded_file(), tmp_path_factory.mktemp("files") / "smollm2-F16.gguf", "F16")


@pytest.fixture(scope="module")
def url(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with server(file, tmp_path_factory.mktemp("server")) as address:
        yield address


@pytest.mark.parametrize("style", ["plain", "chat"])
def test_its_letters_are_those_of_the_engine_in_this_process(
    url: str, file: Path, style: PromptStyle
) -> None:
    served, ours = asked(url, style), in_process(file)
    theirs = [values[0] for values in scored(served, requests(served, style))]
    mine = [values[0] for values in scored(ours, requests(ours, style))]
    assert served.letters_only
    for a, b in zip(theirs, mine, strict=True):
        assert a == pytest.approx(b, abs=FAR)
        assert (a[0] > a[1]) == (b[0] > b[1])


def test_texts_are_not_used_where_the_server_gives_those_of_the_next_place(url: str) -> None:
    """For tokenizers without a BOS token, as this one."""
    assert "contradict those of the next token" in asked(url).limits[0]


def test_it_writes_and_says_how_much_memory_it_takes(url: str, file: Path) -> None:
    engine, ours = asked(url), in_process(file)
    request = GenerateRequest(ITEM, QUESTIONS[0], False, 8, (), 0, 1, 0)
    [theirs] = engine.generate([request], [()])
    [mine] = ours.generate([request], [ours.encode_prompt(request)])
    assert theirs.replies == mine.replies
    assert theirs.prompt_tokens == mine.prompt_tokens
    facts = engine.server_facts()
    assert (facts.model, facts.runs_here) == ("smollm2", True)
    memory = engine.server_memory_bytes()
    assert memory
    assert 100e6 < memory < 2e9


def test_with_a_bos_token_all_views_are_those_of_the_engine_in_this_process(
    file: Path, tmp_path: Path
) -> None:
    begun = with_bos(file, tmp_path / "with-bos.gguf")
    ours = in_process(begun)
    with server(begun, tmp_path) as address:
        served = asked(address)
        assert not served.letters_only, served.limits
        theirs = scored(served, requests(served, "plain")[:1])
    mine = scored(ours, requests(ours, "plain")[:1])
    assert list(theirs[0]) == [pytest.approx(values, abs=FAR) for values in mine[0]]
