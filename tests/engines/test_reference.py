"""Every view's scores are lm-evaluation-harness's, on the same prompts, in float32."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.engines.loading import readable_folder
from bench.evaluate import evaluate
from bench.inputs.cards import read_card
from bench.inputs.data import load_split
from bench.inputs.model_card import Architecture
from bench.inputs.prompts import Exemplars
from bench.inputs.tasks import find_tasks
from bench.inputs.weights import find_weights
from bench.lm_eval.reference import reference_scores
from bench.scoring.asking import Asking, score_request
from bench.scoring.record import Record
from bench.scoring.recording import view_scores, views_of
from bench.types import Item, ScoreRequest, Scores
from bench.views import best
from conftest import ROOT
from foreign import reference
from tiny import SIZES, opened, save_causal, save_t5

TOLERANCE = 1e-4


def bare(item: Item) -> ScoreRequest:
    texts = tuple(f" {option.strip()}" for option in item.options)
    return ScoreRequest(item, "Answer:", (texts,))


def compare(folder: Path, architecture: Architecture, items: Sequence[Item], shots: Sequence[Item]) -> None:
    """Score the items both ways: the largest difference, and the same answer to every question."""
    [file] = find_tasks(["medqa_sample"])
    engine = opened(folder, architecture, context=8192)
    assert engine.path == "packed"
    asking = Asking(file.task, Exemplars(tuple(shots), len(shots)))
    records: dict[str, Record] = {
        record.question_id: record for batch in evaluate(asking, items, engine) for record in batch.records
    }
    asked = [request for item in items for request in (score_request(asking, item, str), bare(item))]
    # In larger batches, rows of questions of other lengths are padded: a fifth more to compute.
    flat = iter(reference_scores(reference(folder, architecture, batch=2), asked))
    for item in items:
        letters, texts, alone = (tuple(next(flat) for _ in item.options) for _ in range(3))
        counts = tuple(
            len(engine.tokenizer(" " + text.strip(), add_special_tokens=False)["input_ids"])
            for text in item.options
        )
        passes = Scores("", 0, (letters, texts), (counts, counts)), Scores("", 0, (alone,), (counts,))
        for view, theirs in view_scores(item, views_of(file.task.scoring), *passes).items():
            ours = records[item.id].scores[view]
            assert max(abs(a - b) for a, b in zip(ours, theirs, strict=True)) < TOLERANCE, view
            assert best(ours) == best(theirs), view


def sample(count: int) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    [file] = find_tasks(["medqa_sample"])
    test, train = (load_split(file, role, data_dir=None, offline=True) for role in ("test", "train"))
    assert test is not None
    assert train is not None
    return test.items[:count], train.items[:2]


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3", "phi", "phi3"])
def test_a_decoder_s_scores_are_the_reference_s(
    tmp_path: Path, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SIZES, "max_position_embeddings", 8192)
    items, shots = sample(6)
    folder = save_causal(tmp_path / "m", family)
    compare(folder, "decoder", items, ())
    compare(folder, "decoder", items, shots)


def test_t5_s_scores_are_the_reference_s(tmp_path: Path) -> None:
    # The reference cuts an encoder's input at 512 tokens without a word; short questions are equal.
    short = [Item(f"i{n}", f"Which organ makes insulin {n}?", ("a", "b", "c", "d"), 0) for n in range(6)]
    compare(save_t5(tmp_path / "m"), "encoder-decoder", short, ())


@pytest.mark.model
@pytest.mark.medqa
def test_the_embedded_model_s_scores_on_real_questions_are_the_reference_s(
    cache: Path, medqa_dir: Path
) -> None:
    weights = find_weights(read_card(ROOT / "model_cards" / "smollm2-135m-instruct-q4_1.yaml"), offline=True)
    assert weights is not None
    [medqa] = find_tasks(["medqa"])
    test = load_split(medqa, "test", data_dir=medqa_dir, offline=True)
    assert test is not None
    compare(readable_folder(weights), "decoder", test.items[:6], ())
