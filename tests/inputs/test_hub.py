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
from dataclasses import dataclass
from functools import partial, partialmethod
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import pytest

from bench.inputs import hub as inputs_hub
from bench.inputs.cards import all_cards
from bench.inputs.hub import hub_reachable
from bench.inputs.model_card import HubSource, ModelCard
from bench.results.result import DoneResult, FailedResult
from bench.results.store import Run, read_runs
from tiny import save_causal, save_shards

MODEL = "Org/Qwen9-Tiny"
COMMIT = "c0ffee" + "0" * 34
RUN = ["run", "-m", "qwen9-tiny", "-t", "anatomy", "--dtype", "float32"]
GATED = "gated"
"""The folder of a model whose files the hub gives with a token only."""


@dataclass(frozen=True)
class Fault:
    """An answer of the hub that is not what was asked for; status 0 closes the connection without one."""

    status: int
    code: str = ""
    body: bytes = b""
    location: str = ""


FAULTS = {
    "gated": Fault(401, "GatedRepo"),
    "waiting": Fault(403, "GatedRepo"),
    "forbidden": Fault(403),
    "missing": Fault(404, "RepoNotFound"),
    "private": Fault(401),
    "untagged": Fault(404, "RevisionNotFound"),
    "limited": Fault(429),
    "down": Fault(500),
    "page": Fault(200, body=b"<html>Please log in to the network</html>"),
    "half": Fault(200, body=b'{"id": "Org/Ha'),
    "empty": Fault(200, body=b"{}"),
    "list": Fault(200, body=b"[]"),
    "login": Fault(302, location="/login"),
    "dropped": Fault(0),
}
"""By the name of the repository, Org/NAME."""
LOGIN = "set HF_TOKEN or run: hf auth login"
RETRY = "check the network and HF_ENDPOINT, and run again"


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as one model needs: its facts and the files of a folder; and faults.

    Org/described and Org/late are gated: the hub describes them, and their files are not given. Only the
    first says that it is gated.
    """

    commit: ClassVar[str] = COMMIT
    missing: ClassVar[str] = "RepoNotFound"

    def __init__(self, folder: Path, *rest: object) -> None:
        self.folder = folder
        super().__init__(*rest)

    def do_HEAD(self) -> None:
        self.answer(head=True)

    def do_GET(self) -> None:
        self.answer(head=False)

    def answer(self, *, head: bool) -> None:
        path = urlsplit(self.path).path
        if fault := self.fault(path):
            self.fail(fault)
            return
        body = self.body(path)
        if body is None:
            self.send_response(404)
            self.send_header("X-Error-Code", self.missing)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{len(body)}"')
        self.send_header("X-Repo-Commit", self.commit)
        self.end_headers()
        if not head:
            self.wfile.write(body)

    def fault(self, path: str) -> Fault | None:
        gated = self.folder.name == GATED and not self.headers["Authorization"]
        if gated and re.search(r"/Qwen9-Tiny/(resolve|auth-check)", path):
            return FAULTS["gated"]
        match re.search(r"/Org/(\w+)(.*)", path):
            case re.Match() as match if match[1] in FAULTS:
                return FAULTS[match[1]]
            case re.Match() as match if match[1] in ("described", "late"):
                return Fault(403, "GatedRepo") if re.search("resolve|auth-check", match[2]) else None
            case _:
                return None

    def fail(self, fault: Fault) -> None:
        if not fault.status:
            self.close_connection = True
            return
        self.send_response(fault.status)
        headers = {"X-Error-Code": fault.code, "Location": fault.location}
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(fault.body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(fault.body)

    def body(self, path: str) -> bytes | None:
        files = sorted(file.name for file in self.folder.iterdir())
        if path in ("/", "/login"):
            return b"<html>hub</html>"
        path = re.sub("/Org/(described|late)", f"/{MODEL}", path)
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
            "sha": self.commit,
            "createdAt": "2025-04-27T03:40:08.000Z",
            "tags": [],
            "gated": "auto" if "described" in self.path or self.folder.name == GATED else False,
            "siblings": [{"rfilename": n, "size": (self.folder / n).stat().st_size} for n in files],
            "cardData": {"license": "apache-2.0", "language": ["en", "no"], "base_model": ["Org/Qwen9-Base"]},
            "config": {"model_type": "qwen3", "tokenizer_config": {"chat_template": "{{ messages }}"}},
            "safetensors": {"parameters": {"F32": 123456}, "total": 123456},
        }

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def hub_of(folder: Path) -> Iterator[str]:
    save_causal(folder, "qwen3")
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


@pytest.fixture
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with hub_of(tmp_path_factory.mktemp("hub")) as endpoint:
        yield endpoint


@pytest.fixture
def gated_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with hub_of(tmp_path_factory.mktemp("hub") / GATED) as endpoint:
        yield endpoint


def bench_with_hub(words: list[str], endpoint: str, folder: Path, token: str = "") -> tuple[int, str]:
    """The hub client reads its address when it is imported, so the command gets a process of its own."""
    environment = {name: value for name, value in os.environ.items() if "OFFLINE" not in name}
    environment |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(folder / "hf"), "NO_PROXY": "127.0.0.1"}
    environment["BENCH_CACHE_DIR"] = str(folder / "cache")
    environment["HF_TOKEN"] = token
    done = subprocess.run(
        [sys.executable, "-m", "bench", *words],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def add_hub_card(project: Path, name: str, hub: str, *, gated: bool = False) -> None:
    (project / "model_cards").mkdir(exist_ok=True)
    (project / "model_cards" / f"{name}.yaml").write_text(
        f"name: {name}\ntitle: Q\nfamily: qwen\nsource: {{hub: {hub}}}\n"
        f"architecture: decoder\ncontext: 512\nlicense: mit\ngated: {str(gated).lower()}\n",
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
    add_hub_card(project, "qwen9-tiny", MODEL)
    with served(partial(Hub, folder)) as address:
        code, output = bench_with_hub([*RUN, "--dry-run", "--json"], address, project)
        assert code == 0, output
        [planned] = re.findall(r'"download_bytes": (\d+)', output)
        assert weights < int(planned) < 2 * weights
        code, output = bench_with_hub(RUN, address, project)
    assert code == 0, output
    [run] = read_runs(project / "results")
    assert isinstance(run, Run)
    assert isinstance(run.result, DoneResult)
    assert run.result.cost.weights_bytes == weights
    assert not list((project / "hf").rglob("consolidated*"))
    code, output = bench_with_hub([*RUN, "--fresh", "--offline"], "http://127.0.0.1:9", project)
    assert code == 0, output


def test_a_format_that_cannot_be_loaded_is_said_before_anything_is_downloaded(
    project: Path, anatomy: Path
) -> None:
    folder = save_causal(project / "repository", "qwen3")
    add_hub_card(project, "qwen9-tiny", MODEL)
    with served(partial(QuantisedHub, folder)) as address:
        _, output = bench_with_hub(RUN, address, project)
    assert "quantised by gptq" in " ".join(output.split())
    assert not list((project / "hf").rglob("*.safetensors"))


def test_a_model_of_the_hub_is_fetched_when_its_cell_runs_and_kept_for_later(
    project: Path, anatomy: Path, hub: str
) -> None:
    add_hub_card(project, "qwen9-tiny", MODEL)
    code, output = bench_with_hub([*RUN, "--dry-run"], hub, project)
    assert code == 0, output
    assert not list((project / "hf").rglob("*.safetensors")), "a dry run downloads nothing"
    code, output = bench_with_hub(RUN, hub, project)
    assert code == 0, output
    [run] = read_runs(project / "results")
    assert isinstance(run, Run)
    assert isinstance(run.result, DoneResult)
    assert run.result.cell.weights == COMMIT
    assert run.result.cost.weights_bytes
    assert not list((project / "hf").rglob("*.bin")), "only what a model is read from is downloaded"
    code, output = bench_with_hub([*RUN, "--fresh"], "http://127.0.0.1:9", project)
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
        source=HubSource(hub="Org/Qwen9-Tiny", revision=COMMIT),
        architecture="decoder",
        parameters=123456,
        download_bytes=sum(path.stat().st_size for path in save_causal(project / "same", "qwen3").iterdir()),
        context=512,
        license="apache-2.0",
        chat=True,
        languages=("en", "no"),
        released="2025-04",
        base="Org/Qwen9-Base",
        references=("https://huggingface.co/Org/Qwen9-Tiny",),
    )
    code, output = bench_with_hub(["models", "add", MODEL], hub, project)
    assert code == 2
    assert "a card named 'qwen9-tiny' already exists" in output


def test_a_gated_model_without_a_token_is_unavailable_before_anything_runs(
    project: Path, anatomy: Path, gated_hub: str
) -> None:
    add_hub_card(project, "qwen9-tiny", MODEL, gated=True)
    words = ["run", "-m", "qwen9-tiny,chance", "-t", "anatomy", "--dtype", "float32"]
    code, output = bench_with_hub([*words, "--strict"], gated_hub, project)
    assert code == 1
    assert "unavailable: model qwen9-tiny: the model is gated, and this machine has no token" in output
    assert f"then {LOGIN}" in output
    assert not (project / "results").exists(), "nothing was started"
    code, output = bench_with_hub(words, gated_hub, project)
    assert code == 0, output
    assert [run.result.model_name for run in read_runs(project / "results")] == ["chance"]


def test_a_gated_model_with_a_token_is_announced_and_runs(
    project: Path, anatomy: Path, gated_hub: str
) -> None:
    add_hub_card(project, "qwen9-tiny", MODEL, gated=True)
    code, output = bench_with_hub([*RUN, "--dry-run", "--json"], gated_hub, project, token="hf_any")
    assert code == 0, output
    assert "gated: model qwen9-tiny: this machine's token is used" in output
    assert '"needs_token": true' in output
    code, output = bench_with_hub(RUN, gated_hub, project, token="hf_any")
    assert code == 0, output
    code, output = bench_with_hub([*RUN, "--fresh", "--dry-run", "--json"], gated_hub, project)
    assert code == 0, "files that are here need no token"
    assert "gated:" not in output
    assert '"needs_token": false' in output


def test_add_says_that_a_gated_model_s_configuration_needs_a_token(project: Path, gated_hub: str) -> None:
    code, output = bench_with_hub(["models", "add", MODEL], gated_hub, project)
    assert code == 1
    assert f"{MODEL} is gated, and there is no access to it; accept its licence" in output
    code, output = bench_with_hub(["models", "add", MODEL], gated_hub, project, token="hf_any")
    assert code == 0, output
    [card] = [file.card for file in all_cards() if file.card.name == "qwen9-tiny"]
    assert card.gated


def test_add_tells_when_the_hub_has_no_such_model(project: Path, hub: str) -> None:
    code, output = bench_with_hub(["models", "add", "Org/Missing"], hub, project)
    assert code == 1
    assert "the hub has no model 'Org/Missing', or it is private" in output
    assert "Traceback" not in output


def expected_reasons(hub: str, kind: str) -> dict[str, str]:
    """What is said of each fault of a repository Org/NAME."""
    page = f"{hub}/{'datasets/' if kind == 'data set' else ''}Org"
    absent = f"or it is private; correct the name; for a private one, {LOGIN}"
    unreachable = "the model hub is out of reach: "
    nonsense = f"{unreachable}its answer is not the hub's; does the network ask for a login?; {RETRY}"
    gated = "is gated, and there is no access to it; accept its licence at"
    return {
        "gated": f"Org/gated {gated} {page}/gated, then {LOGIN}",
        "waiting": f"Org/waiting {gated} {page}/waiting, then {LOGIN}",
        "described": f"Org/described {gated} {page}/described, then {LOGIN}",
        "forbidden": f"the hub forbids access to Org/forbidden; {LOGIN}, with a token that may read it",
        "missing": f"the hub has no {kind} 'Org/missing', {absent}",
        "private": f"the hub has no {kind} 'Org/private', {absent}",
        "untagged": "the hub has no revision 'main' of Org/untagged; correct the revision",
        "limited": "the hub limits how often it is asked; run again later",
        "down": f"{unreachable}it answered 500 Internal Server Error; {RETRY}",
        "dropped": f"{unreachable}Server disconnected without sending a response.; {RETRY}",
        **dict.fromkeys(("page", "half", "empty", "list", "login"), nonsense),
    }


def test_whatever_the_hub_answers_for_a_model_is_said_with_its_remedy_and_the_rest_runs(
    project: Path, anatomy: Path, hub: str
) -> None:
    expected = expected_reasons(hub, "model")
    for name in [*FAULTS, "described", "late"]:
        add_hub_card(project, f"bad-{name}", f"Org/{name}")
    add_hub_card(project, "good", MODEL)
    words = ["run", "-m", "bad-*,good", "-t", "anatomy", "--dtype", "float32"]
    code, output = bench_with_hub(words, hub, project)
    assert code == 1, output
    assert "Traceback" not in output
    lines = [line for line in output.splitlines() if line.startswith("unavailable: ")]
    for name, reason in expected.items():
        assert [line for line in lines if f"bad-{name}" in line and _same(reason, line)], (name, output)
    results = {
        run.result.cell.model.name: run.result for run in read_runs(project / "results") if is_cell(run)
    }
    assert isinstance(results["good"], DoneResult)
    late = results["bad-late"]
    assert isinstance(late, FailedResult)
    assert late.reason == f"Org/late {expected['gated'].partition(' ')[2].replace('/gated', '/late')}"


def is_cell(run: object) -> bool:
    return isinstance(run, Run) and isinstance(run.result, DoneResult | FailedResult)


def _same(reason: str, line: str) -> bool:
    """Whether a line says the reason; lines of several models show one remedy for all of them."""
    return all(part in line for part in reason.split("; "))


def test_whatever_the_hub_answers_for_a_data_set_is_said_and_the_rest_runs(
    project: Path, anatomy: Path, hub: str
) -> None:
    named = ["gated", "forbidden", "missing", "untagged", "page", "half", "login"]
    expected = expected_reasons(hub, "data set")
    text = anatomy.read_text(encoding="utf-8")
    for name in named:
        data = f"data: {{hub: Org/{name}, revision: main}}\n"
        other = re.sub(r"(?ms)^data:.*?^(?=\w)", data, text).replace("name: anatomy", f"name: {name}")
        (project / "tasks" / f"{name}.yaml").write_text(other, encoding="utf-8")
    words = ["run", "-m", "chance", "-t", ",".join([*named, "anatomy"])]
    code, output = bench_with_hub(words, hub, project)
    assert code == 0, output
    lines = [line for line in output.splitlines() if line.startswith("unavailable: ")]
    for name in named:
        assert [line for line in lines if name in line and _same(expected[name], line)], (name, output)
    [run] = read_runs(project / "results")
    assert isinstance(run, Run)
    assert isinstance(run.result, DoneResult)


@pytest.mark.parametrize("name", ["gated", "page"])
def test_an_adapter_that_the_hub_does_not_give_leaves_the_other_variants(
    project: Path, anatomy: Path, hub: str, name: str
) -> None:
    add_hub_card(project, "good", MODEL)
    words = ["run", "-m", "good", "-t", "anatomy", "--dtype", "float32", "--lora", "none"]
    code, output = bench_with_hub([*words, "--adapter", f"Org/{name}"], hub, project)
    assert code == 0, output
    assert f"unavailable: model good on task anatomy: {expected_reasons(hub, 'adapter')[name]}" in output
    [run] = read_runs(project / "results")
    assert isinstance(run, Run)
    assert isinstance(run.result, DoneResult)


@pytest.mark.parametrize("name", ["gated", "page", "late", "dropped"])
def test_add_says_why_the_hub_does_not_give_a_model(project: Path, hub: str, name: str) -> None:
    code, output = bench_with_hub(["models", "add", f"Org/{name}"], hub, project)
    assert code == 1, output
    same = "gated" if name == "late" else name
    assert f"bench: {expected_reasons(hub, 'model')[same].replace('Org/gated', f'Org/{name}')}" in output
    assert "Traceback" not in output
    assert not (project / "model_cards").exists()


def test_without_the_reading_of_answers_a_login_page_would_end_the_program(
    hub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The safeguard damaged: only the errors that the hub's client promises are handled."""
    from huggingface_hub import HfApi

    monkeypatch.setattr(inputs_hub, "hub_errors", lambda: (OSError,))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(HfApi, "__init__", partialmethod(HfApi.__init__, endpoint=hub))
    with pytest.raises(ValueError, match="Expecting value"):
        inputs_hub.repository("Org/page")
    monkeypatch.undo()


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
    assert "unavailable: model phi-2: the model hub is out of reach: " in output
    code, output = bench_with_hub(["models", "add", MODEL], endpoint, project)
    assert code == 1
    assert "the model hub is out of reach: " in output
    assert "Traceback" not in output


def test_a_hub_that_answers_is_reachable_and_a_closed_port_is_not(
    hub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_ENDPOINT", hub)
    assert hub_reachable()
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert not hub_reachable()
