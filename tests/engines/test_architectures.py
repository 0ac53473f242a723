"""Every architecture through our loading: scores and texts are those of transformers, one row at a time."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from architectures import ARCHITECTURES, BY_NAME, LONGEST, SHORT_WINDOW, Architecture, save
from bench.engines import shared
from bench.engines.engine import in_order
from bench.engines.packing import Path as ScoringPath
from bench.engines.transformer import TransformerEngine
from bench.types import GenerateRequest, ScoreRequest
from conftest import ROOT
from plain import LETTERS, plain_causal, plain_seq2seq, plain_text, request, score, texts
from tiny import ITEM, TEXTS, opened, prompts

TOLERANCE = 1e-4
FELT = 100 * TOLERANCE
"""How far a change of order must move a score, so that the tolerance can show a mistake in it."""
BEGINNING = TEXTS[1] + "\n\n"
"""What all prompts begin with, in the tests of a shared prefix."""
QUESTIONS = prompts(4)
OPTIONS = (" Vitamin A", " Vitamin B12", " C")
NEW_TOKENS = 6
WITH_TOWERS = ("smolvlm", "qwen3_vl", "t5gemma2")
PAGE = ROOT / "docs" / "architectures.md"


@dataclass(frozen=True, slots=True)
class Case:
    """An architecture's tiny model, opened by us, and opened whole by transformers."""

    architecture: Architecture
    engine: TransformerEngine
    model: Any

    def plain(self, one: ScoreRequest) -> list[float]:
        way = plain_causal if self.architecture.kind == "decoder" else plain_seq2seq
        return [way(self.model, self.engine.tokenizer, one.prompt, text) for text in texts(one)]


@pytest.fixture(scope="module", params=ARCHITECTURES, ids=lambda one: one.name)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    one: Architecture = request.param
    folder = save(one, tmp_path_factory.mktemp(one.name))
    model = one.auto.from_pretrained(folder, dtype=torch.float32).eval()
    return Case(one, opened(folder, one.kind, LONGEST), model)


def paths(engine: TransformerEngine) -> list[ScoringPath]:
    return sorted({engine.path, "plain"})


@pytest.mark.parametrize("beginning", ["", BEGINNING], ids=["alone", "prefix"])
def test_scores_in_a_padded_batch_are_transformers_own_of_one_row(case: Case, beginning: str) -> None:
    asked = [request(beginning + question, LETTERS, OPTIONS) for question in QUESTIONS]
    lengths = {len(case.engine.encode(one).tree.stem) for one in asked}
    assert len(lengths) == len(asked)
    assert max(lengths) > SHORT_WINDOW
    expected = [case.plain(one) for one in asked]
    for path in paths(case.engine):
        engine = replace(case.engine, path=path, batch_tokens=100_000)
        for scores, plain in zip(score(engine, asked), expected, strict=True):
            assert scores == pytest.approx(plain, abs=TOLERANCE), path


def test_the_order_of_tokens_moves_the_scores(case: Case) -> None:
    encoded = case.engine.encode(request(QUESTIONS[0]))
    stem = list(encoded.tree.stem)
    other = next(at for at in range(len(stem) - 3, 0, -1) if stem[at] != stem[-2])
    stem[-2], stem[other] = stem[other], stem[-2]
    swapped = replace(encoded, tree=replace(encoded.tree, stem=tuple(stem)))
    ours, theirs = (scores.logprobs[0] for scores in in_order(case.engine.score([encoded, swapped])))
    assert max(abs(a - b) for a, b in zip(ours, theirs, strict=True)) > FELT


def test_texts_in_a_padded_batch_are_transformers_own_of_one_row(case: Case) -> None:
    asked = [GenerateRequest(ITEM, question, False, NEW_TOKENS, (), 0.0, 1, 0) for question in QUESTIONS]
    batches = case.engine.generate(asked, [case.engine.encode_prompt(one) for one in asked])
    written = {
        index: reply[0].text
        for batch in batches
        for index, reply in zip(batch.indices, batch.replies, strict=True)
    }
    for index, question in enumerate(QUESTIONS):
        assert written[index] == plain_text(case.model, case.engine.tokenizer, question, NEW_TOKENS)


def test_only_whole_wrappers_have_towers(case: Case) -> None:
    assert (case.engine.tower_bytes is not None) == (case.architecture.name in WITH_TOWERS)


@pytest.mark.parametrize(
    "name", ["mistral", "gemma3_text", "lfm2", "qwen3_5_text", "falcon_h1", "nemotron_h"]
)
def test_a_path_that_does_not_fit_would_show(tmp_path: Path, name: str) -> None:
    one = BY_NAME[name]
    engine = opened(save(one, tmp_path), one.kind, LONGEST)
    asked = [request(question, LETTERS, OPTIONS) for question in QUESTIONS]
    right = score(engine, asked)
    wrong = score(replace(engine, path="packed"), asked)
    pairs = zip(sum(right, ()), sum(wrong, ()), strict=True)
    assert max(abs(a - b) for a, b in pairs) > FELT


RECURRENT = ("granitemoehybrid-h", "granitemoehybrid-moe", "falcon_h1", "nemotron_h", "qwen3_5_text")


@pytest.mark.parametrize(
    ("name", "state"),
    [*((name, "recurrent_states") for name in RECURRENT), *((name, "conv_states") for name in RECURRENT),
     ("lfm2", "conv_states")],
)  # fmt: skip
def test_a_state_that_is_lost_after_the_stem_would_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, state: str
) -> None:
    one = BY_NAME[name]
    engine = opened(save(one, tmp_path), one.kind, LONGEST)
    assert engine.path == "shared"
    asked = [request(question, LETTERS, OPTIONS) for question in QUESTIONS]
    right = score(engine, asked)
    run: Any = vars(shared)["_run"]

    def forgetting(*args: Any) -> Any:
        states = run(*args)
        with torch.inference_mode():
            for kept in (kept for layer in states.layers for kept in vars(layer).get(state, {}).values()):
                kept.zero_()
        return states

    monkeypatch.setattr(shared, "_run", forgetting)
    pairs = zip(sum(right, ()), sum(score(engine, asked), ()), strict=True)
    assert max(abs(a - b) for a, b in pairs) > FELT


def table(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import architecture_table

    return architecture_table


def test_the_page_says_which_path_it_takes(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    docs = table(monkeypatch)
    is_opened = docs.Opened(type(case.engine.model).__name__, case.engine.path)
    assert docs.row(case.architecture, is_opened) in PAGE.read_text(encoding="utf-8"), "run make reference"


def test_the_page_has_these_rows_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    docs = table(monkeypatch)
    text = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+)` \| `(\w+)` \|.*\| (\w+) \|$", text, re.MULTILINE)
    assert [name for name, *_ in rows] == list(BY_NAME), "run make reference"
    assert text == docs.page({name: docs.Opened(*facts) for name, *facts in rows}), "run make reference"
