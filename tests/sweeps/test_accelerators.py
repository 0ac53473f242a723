"""Several accelerators in one machine: cells are spread over them, and a large model over several."""

import threading
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import dispatch_model
from click.testing import Result

from bench.board.facts import costs
from bench.cells.cell import Cell, Runnable
from bench.cells.forecast import loaded_bytes, weights_bytes
from bench.engines import device
from bench.engines.device import accelerators
from bench.engines.engine import in_order
from bench.engines.torch_device import placement
from bench.engines.transformer import TransformerEngine
from bench.inputs.model_card import ModelCard
from bench.results.result import DoneResult
from bench.scoring.asking import Asking, score_request
from bench.sweeps import local
from bench.sweeps.accelerators import Accelerators, memory_each
from bench.sweeps.events import Event, Last, Terms
from bench.sweeps.local import LocalProcesses
from bench.sweeps.supervise import run_cell
from played import add_fake, cell_of, fake_card
from tiny import opened, save_causal

GPU_BYTES = 2**30


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with two accelerators of a gigabyte, as its driver's files show them."""
    for name in ("nvidiactl", "nvidia0", "nvidia1", "nvidia-uvm"):
        (tmp_path / "dev" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "dev" / name).touch()
    monkeypatch.setattr(device, "_DRIVER", tmp_path / "dev" / "nvidiactl")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(local, "memory_each", lambda: GPU_BYTES)


def model_of(quiz: Path, project: Path, name: str, parameters: int = 1_000_000) -> Cell:
    """A cell of a model with so many parameters in four bytes, as its card says."""
    facts = {"name": name, "title": name, "family": "tiny", "license": "mit", "context": 512}
    source = {"path": str(save_causal(project / name, "llama"))}
    more = {"architecture": "decoder", "source": source, "parameters": parameters}
    return cell_of(quiz, ModelCard.model_validate(facts | more))


@pytest.mark.parametrize(
    ("given", "names"),
    [(None, ("0", "1")), ("1", ("1",)), ("3, 2", ("3", "2")), ("", ()), ("-1", ()), ("0,-1,1", ("0",))],
)
@pytest.mark.usefixtures("two")
def test_accelerators_are_those_that_the_process_may_use(
    given: str | None, names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    if given is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert accelerators() == names


def test_a_machine_without_a_driver_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_DRIVER", tmp_path / "none")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert accelerators() == ()


@pytest.mark.usefixtures("two")
def test_models_have_an_accelerator_each_and_baselines_none(
    quiz: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, tuple[str, ...]] = {}
    ends = {name: threading.Event() for name in ("one", "two", "played")}

    def played(cell: Runnable, _results: Path, terms: Terms, _stop: threading.Event) -> Generator[Event]:
        given[cell.model_name] = terms.devices
        ends[cell.model_name].wait(30)
        yield from ()

    one, two, large = (
        model_of(quiz, project, name, size)
        for name, size in (("one", 1_000_000), ("two", 1_000_000), ("large", 400_000_000))
    )
    baseline = cell_of(quiz, fake_card("played"))
    assert weights_bytes(one) == 0, "they go to the accelerator's memory"
    assert loaded_bytes(large) == 1_600_000_000
    monkeypatch.setattr(local, "run_cell", played)
    executor = LocalProcesses(project / "results", Terms(jobs=4))
    executor.start(one)
    assert executor.has_room(two)
    assert not executor.has_room(large), "it needs both"
    executor.start(two)
    assert not executor.has_room(model_of(quiz, project, "third"))
    assert executor.has_room(baseline)
    executor.start(baseline)
    for end in ends.values():
        end.set()
    executor.close()
    assert given == {"one": ("0",), "two": ("1",), "played": ()}


@pytest.mark.usefixtures("two")
def test_an_accelerator_is_free_after_the_last_event(quiz: Path, project: Path) -> None:
    executor = LocalProcesses(project / "results", Terms(jobs=2))
    large = model_of(quiz, project, "large", 400_000_000)
    small = model_of(quiz, project, "small")
    executor.start(small)
    assert not executor.has_room(large)
    while not ((report := executor.next_event(None)) and isinstance(report[1], Last)):
        pass
    assert executor.has_room(large)
    executor.close()


def test_what_a_model_wants(quiz: Path, project: Path) -> None:
    huge = model_of(quiz, project, "huge", 10_000_000_000)
    assert Accelerators(("0", "1", "2"), GPU_BYTES).wanted(huge) == 3, "all, and loading says what is missing"
    assert Accelerators(("0", "1", "2"), None).wanted(huge) == 1
    assert Accelerators((), None).wanted(huge) == 0
    assert memory_each() is None or torch.cuda.is_available()


def test_a_worker_sees_its_accelerators_alone(quiz: Path, project: Path) -> None:
    cell = cell_of(quiz, fake_card(shows="CUDA_VISIBLE_DEVICES"))
    *_, last = run_cell(cell, project / "results", Terms(devices=("3", "1")))
    assert isinstance(last, DoneResult)
    assert last.engine.path == "3,1"


@pytest.mark.usefixtures("two")
def test_cells_are_spread_over_accelerators_by_default(
    quiz: Path, project: Path, bench: Callable[..., Result]
) -> None:
    add_fake(project, "one")
    add_fake(project, "two")
    done = bench("run", "-m", "one,two", "-t", "quiz", "--json")
    assert done.exit_code == 0, done.output
    assert '"jobs": 2' in done.stdout
    done = bench("run", "-m", "one,two", "-t", "quiz", "--json", "--fresh", "--jobs", "1")
    assert '"jobs": 1' in done.stdout


def test_weights_fill_the_first_accelerators_that_have_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda number: (1000 * (number + 1), 5000))
    assert placement() == {"device_map": "sequential", "max_memory": {0: 850, 1: 1700}}
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert placement() == {"device_map": {"": "cuda"}}


@pytest.mark.parametrize("kind", ["llama", "qwen2"])
def test_a_model_in_several_places_scores_as_in_one(quiz: Path, project: Path, kind: str) -> None:
    """Layers on the disk stand in for another accelerator: accelerate moves tensors by the same hooks."""
    cell = cell_of(quiz, fake_card())
    folder = save_causal(project / "m", kind)
    asking = Asking(cell.task)

    def scores(engine: TransformerEngine) -> list[float]:
        requests = [score_request(asking, item, lambda _messages: "") for item in cell.items[:12]]
        encoded = [engine.encode(request) for request in requests]
        return [
            one
            for reply in in_order(engine.score(encoded))
            for logprobs in reply.logprobs
            for one in logprobs
        ]

    whole = opened(folder)
    want = scores(whole)
    places: dict[str, Any] = {"model.embed_tokens": "cpu", "model.norm": "cpu", "lm_head": "cpu"}
    places |= {"model.rotary_emb": "cpu", "model.layers.0": "cpu"}
    places |= {f"model.layers.{at}": "disk" for at in range(1, len(whole.model.model.layers))}
    spread = dispatch_model(whole.model, places, main_device="cpu", offload_dir=str(project / "disk"))
    engine = replace(whole, model=spread)
    assert scores(engine) == pytest.approx(want, abs=1e-5)
    assert engine.accelerators is None
    spread.hf_device_map = {"model.layers.0": 0, "model.layers.1": 1, "lm_head": 1}
    assert engine.accelerators == 2


def test_the_result_says_over_how_many_a_model_was_spread(quiz: Path, project: Path) -> None:
    *_, last = run_cell(cell_of(quiz, fake_card()), project / "results")
    assert isinstance(last, DoneResult)
    assert "Accelerators" not in dict(costs(last))
    spread = last.model_copy(update={"engine": last.engine.model_copy(update={"accelerators": 2})})
    assert dict(costs(spread))["Accelerators"] == "2, each with a part of the layers"
