"""The real hub client against a small hub on this machine: cards, downloads, and silence."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import pytest

from bench.inputs.cards import all_cards
from bench.inputs.hub import hub_reachable
from bench.inputs.model_card import HubSource, ModelCard
from bench.results.result import DoneResult
from bench.results.store import Run, read_runs
from tiny import save_causal, save_shards

MODEL = "Org/Qwen9-Tiny"
COMMIT = "c0ffee" + "0" * 34


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as one model needs: its facts and the files of a folder."""

    def __init__(self, folder: Path, *rest: object) -> None:
        self.folder = folder
        super().__init__(*rest)

    def do_HEAD(self) -> None:
        self.answer(head=True)

    def do_GET(self) -> None:
        self.answer(head=False)

    def answer(self, *, head: bool) -> None:
        body = self.body(urlsplit(self.path).path)
        if body is None:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{len(body)}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if not head:
            self.wfile.write(body)

    def body(self, path: str) -> bytes | None:
        files = sorted(file.name for file in self.folder.iterdir())
        if path == "/":
            return b"hub"
        if path.startswith(f"/api/models/{MODEL}/tree/"):
            rows = [
                {"type": "file", "path": n, "size": (self.folder / n).stat().st_size, "oid": n} for n in files
            ]
            return json.dumps(rows).encode()
        if path.startswith(f"/api/models/{MODEL}"):
            return json.dumps(self.facts(files)).encode()
        name = path.removeprefix(f"/{MODEL}/resolve/").partition("/")[2]
        return (self.folder / name).read_bytes() if name in files else None

    def facts(self, files: list[str]) -> dict[str, object]:
        return {
            "id": MODEL,
            "modelId": MODEL,
            "sha": COMMIT,
            "createdAt": "2025-04-27T03:40:08.000Z",
            "tags": [],
            "siblings": [{"rfilename": n, "size": (self.folder / n).stat().st_size} for n in files],
            "cardData": {"license": "apache-2.0", "language": ["en", "no"]},
            "config": {"model_type": "qwen3", "tokenizer_config": {"chat_template": "{{ messages }}"}},
            "safetensors": {"parameters": {"F32": 123456}, "total": 123456},
        }

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = save_causal(tmp_path_factory.mktemp("hub"), "qwen3")
    (folder / "README.md").write_text("A model as the hub has them.", encoding="utf-8")
    (folder / "pytorch_model.bin").write_bytes(b"the same weights, pickled")
    with served(partial(Hub, folder)) as address:
        yield address


@contextmanager
def served(handler: Callable[..., Hub]) -> Generator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def bench_with_hub(words: list[str], endpoint: str, folder: Path) -> tuple[int, str]:
    """The hub client reads its address when it is imported, so the command gets a process of its own."""
    environment = {name: value for name, value in os.environ.items() if "OFFLINE" not in name}
    environment |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(folder / "hf"), "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(
        [sys.executable, "-m", "bench", *words],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def add_hub_card(project: Path) -> None:
    (project / "model_cards").mkdir()
    (project / "model_cards" / "qwen9-tiny.yaml").write_text(
        f"name: qwen9-tiny\ntitle: Q\nfamily: qwen\nsource: {{hub: {MODEL}}}\n"
        "architecture: decoder\ncontext: 512\nlicense: mit\n",
        encoding="utf-8",
    )


class QuantisedHub(Hub):
    """A hub that says how the model's weights are quantised."""

    format: ClassVar[dict[str, object]] = {"quant_method": "gptq", "bits": 4}

    def facts(self, files: list[str]) -> dict[str, object]:
        return super().facts(files) | {"config": {"quantization_config": self.format}}


def test_of_an_original_beside_the_shards_nothing_is_planned_or_downloaded(
    project: Path, anatomy: Path
) -> None:
    folder = save_causal(project / "repository", "qwen3")
    save_shards(folder)
    weights = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    (folder / "consolidated.safetensors").write_bytes(bytes(10 * weights))
    (folder / "adapter_config.json").write_text("{}", encoding="utf-8")
    add_hub_card(project)
    words = ["run", "-m", "qwen9-tiny", "-t", "anatomy", "--dtype", "float32"]
    with served(partial(Hub, folder)) as address:
        code, output = bench_with_hub([*words, "--dry-run", "--json"], address, project)
        assert code == 0, output
        [planned] = re.findall(r'"download_bytes": (\d+)', output)
        assert weights < int(planned) < 2 * weights
        code, output = bench_with_hub(words, address, project)
    assert code == 0, output
    [run] = read_runs(project / "results")
    assert isinstance(run, Run)
    assert isinstance(run.result, DoneResult)
    assert run.result.cost.weights_bytes == weights
    assert not list((project / "hf").rglob("consolidated*"))
    code, output = bench_with_hub([*words, "--fresh", "--offline"], "http://127.0.0.1:9", project)
    assert code == 0, output


def test_a_format_that_cannot_be_loaded_is_said_before_anything_is_downloaded(
    project: Path, anatomy: Path
) -> None:
    folder = save_causal(project / "repository", "qwen3")
    add_hub_card(project)
    with served(partial(QuantisedHub, folder)) as address:
        words = ["run", "-m", "qwen9-tiny", "-t", "anatomy"]
        _, output = bench_with_hub(words, address, project)
    assert "quantised by gptq" in " ".join(output.split())
    assert not list((project / "hf").rglob("*.safetensors"))


def test_a_model_of_the_hub_is_fetched_when_its_cell_runs_and_kept_for_later(
    project: Path, anatomy: Path, hub: str
) -> None:
    add_hub_card(project)
    words = ["run", "-m", "qwen9-tiny", "-t", "anatomy", "--dtype", "float32"]
    code, output = bench_with_hub([*words, "--dry-run"], hub, project)
    assert code == 0, output
    assert not list((project / "hf").rglob("*.safetensors")), "a dry run downloads nothing"
    code, output = bench_with_hub(words, hub, project)
    assert code == 0, output
    [run] = read_runs(project / "results")
    assert isinstance(run, Run)
    assert isinstance(run.result, DoneResult)
    assert run.result.cell.weights == COMMIT
    assert run.result.cost.weights_bytes
    assert not list((project / "hf").rglob("*.bin")), "only what a model is read from is downloaded"
    code, output = bench_with_hub([*words, "--fresh"], "http://127.0.0.1:9", project)
    assert code == 0, output
    assert "the model hub is unreachable" in output
    [again] = read_runs(project / "results")
    assert isinstance(again, Run)
    assert again.result.cell == run.result.cell


def test_add_writes_a_card_of_the_hub_s_facts(project: Path, hub: str) -> None:
    code, output = bench_with_hub(["models", "add", MODEL], hub, project)
    assert code == 0, output
    [card] = [file.card for file in all_cards() if file.card.name == "qwen9-tiny"]
    assert card == ModelCard(
        name="qwen9-tiny",
        title="Qwen9-Tiny",
        family="qwen3",
        source=HubSource(hub="Org/Qwen9-Tiny"),
        architecture="decoder",
        parameters=123456,
        context=512,
        license="apache-2.0",
        chat=True,
        languages=("en", "no"),
        released="2025-04",
        references=("https://huggingface.co/Org/Qwen9-Tiny",),
    )
    code, output = bench_with_hub(["models", "add", MODEL], hub, project)
    assert code == 2
    assert "a card named 'qwen9-tiny' already exists" in output


def test_add_tells_when_the_hub_has_no_such_model(project: Path, hub: str) -> None:
    code, output = bench_with_hub(["models", "add", "Org/Missing"], hub, project)
    assert code == 2
    assert "the hub has no model 'Org/Missing'" in output
    assert "Traceback" not in output


def test_a_hub_that_drops_its_answers_is_one_message(project: Path, anatomy: Path) -> None:
    """It answers the probe, and closes the connection on every question after that."""
    server = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        while True:
            connection, _ = server.accept()
            if connection.recv(4096).startswith(b"HEAD / "):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            connection.close()

    threading.Thread(target=answer, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
    code, output = bench_with_hub(["run", "-m", "phi-2,chance", "-t", "anatomy"], endpoint, project)
    assert code == 0, output
    assert "unavailable: model phi-2: the hub did not describe microsoft/phi-2" in output
    code, output = bench_with_hub(["models", "add", MODEL], endpoint, project)
    assert code == 1
    assert f"the hub did not describe {MODEL}" in output
    assert "Traceback" not in output


def test_a_hub_that_answers_is_reachable_and_a_closed_port_is_not(
    hub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_ENDPOINT", hub)
    assert hub_reachable()
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert not hub_reachable()
