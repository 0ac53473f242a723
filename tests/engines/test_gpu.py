"""On CUDA: 4 bits, LoRA and QLoRA, and the packed path. `make gpu-check` runs these and keeps a report."""

from pathlib import Path

import pytest

from bench.engines.engine import Opening, in_order
from bench.engines.kinds import prepare
from bench.engines.loading import open_transformers
from bench.engines.transformer import TransformerEngine
from bench.inputs.adapter import Adapter, Recipe, read_adapter
from bench.inputs.cards import read_card
from bench.inputs.data import load_split
from bench.inputs.task import read_task
from bench.inputs.weights import Weights, find_weights
from bench.scoring.asking import Asking, score_request
from bench.tuning.job import Job
from bench.tuning.training import tune
from bench.types import Item, Quantization
from conftest import ROOT

pytestmark = [pytest.mark.gpu, pytest.mark.model, pytest.mark.usefixtures("cache")]
TASK = read_task(ROOT / "tasks" / "medqa_sample.yaml")


def items(role: str, count: int) -> tuple[Item, ...]:
    split = load_split(TASK, "train" if role == "train" else "test", data_dir=None, offline=True)
    assert split
    return split.items[:count]


CARD = read_card(ROOT / "model_cards" / "smollm2-135m-instruct-q4_1.yaml")


def weights() -> Weights:
    local = prepare(CARD.card, find_weights(CARD, offline=True))
    assert local
    return local


def opened(quantize: Quantization, adapter: Adapter | None = None) -> TransformerEngine:
    return open_transformers(Opening(CARD.card, "bfloat16", quantize=quantize, adapter=adapter), weights())


def letters(engine: TransformerEngine, count: int = 16) -> list[float]:
    asking = Asking(TASK.task)
    requests = [score_request(asking, item, lambda _messages: "") for item in items("test", count)]
    scored = in_order(engine.score([engine.encode(request) for request in requests]))
    return [value for scores in scored for value in scores.logprobs[0]]


@pytest.mark.parametrize("quantize", ["none", "int8", "nf4", "fp4"])
def test_every_quantisation_runs_packed_and_near_the_whole_model(
    quantize: Quantization,
) -> None:
    whole, held = opened("none"), opened(quantize)
    assert held.model.device.type == "cuda"
    assert held.path == "packed"
    want, got = letters(whole), letters(held)
    assert sum(abs(a - b) for a, b in zip(want, got, strict=True)) / len(want) < 2.5
    if quantize != "none":
        assert held.model_bytes < (0.62 if quantize == "int8" else 0.45) * whole.model_bytes


@pytest.mark.parametrize("quantize", ["none", "nf4"])
def test_lora_and_qlora_learn_on_the_device(quantize: Quantization, tmp_path: Path) -> None:
    recipe = Recipe(
        steps=60, learning_rate=1e-3, held_out=0.0, quantize=quantize, dtype="bfloat16", prompt="plain"
    )
    train = items("train", 16)
    asking, test, out = Asking(TASK.task), items("test", 100), tmp_path / "a"
    opening = Opening(CARD.card, "bfloat16", quantize=quantize)
    job = Job(opening, asking, recipe, train, test, "", "", weights(), out, "k")
    outcome = tune(job, weights(), lambda _event: None, lambda: (None, None)).outcome
    assert outcome.train_loss_last < 0.2 * outcome.train_loss_first
    tuned = opened(quantize, read_adapter(job.out))
    assert letters(tuned) != letters(opened(quantize))
