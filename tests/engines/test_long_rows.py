"""Rotary frequencies that change with length: no score depends on what shares its batch, or ran before."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import Result
from transformers import AutoModelForCausalLM, LlamaConfig

from architectures import BORDER, BY_NAME, LONGEST, SIZES, save
from bench.engines.engine import in_order
from bench.engines.long_rows import by_length
from bench.engines.transformer import TransformerEngine
from bench.types import Branch, Encoded, GenerateRequest, Tree
from plain import request, score
from tiny import ITEM, add_card, opened, prompts

ASKED = [request(prompt) for prompt in prompts(6)]


LONGROPE = BY_NAME["phi3-longrope"]
NTK = {"rope_type": "dynamic", "rope_theta": 500.0, "factor": 4.0}
ONE_LENGTH = SIZES | {"max_position_embeddings": BORDER}


def dynamic() -> LlamaConfig:
    return LlamaConfig(**ONE_LENGTH, rope_parameters=NTK)


DYNAMIC = replace(BY_NAME["llama"], config=dynamic, scale=10.0)


@pytest.fixture(params=[LONGROPE, DYNAMIC], ids=["longrope", "dynamic"])
def engine(tmp_path: Path, request: pytest.FixtureRequest) -> TransformerEngine:
    return replace(opened(save(request.param, tmp_path), context=LONGEST), batch_tokens=100_000)


def plain_rows(folder: Path, one: Encoded) -> list[float]:
    """By transformers: a model that has run nothing else for each row, which ends before its last token."""
    scores: list[float] = []
    for branch in one.tree.flat:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        ids = [*one.tree.stem, *branch.tokens]
        with torch.no_grad():
            logprobs = torch.log_softmax(model(torch.tensor([ids[:-1]])).logits[0].double(), dim=-1)
        scored = range(len(one.tree.stem) + branch.given, len(ids))
        scores.append(sum(float(logprobs[at - 1, ids[at]]) for at in scored))
    return scores


def largest_difference(engine: TransformerEngine) -> float:
    """Between scores in one batch and scores alone."""
    together, alone = score(engine, ASKED), [score(engine, [one])[0] for one in ASKED]
    pairs = zip(sum(together, ()), sum(alone, ()), strict=True)
    return max(abs(a - b) for a, b in pairs)


def test_long_and_short_rows_score_together_as_alone(engine: TransformerEngine) -> None:
    short, long = by_length([engine.encode(one) for one in ASKED], BORDER)
    assert short
    assert long
    assert sorted(short + long) == list(range(len(ASKED)))
    assert largest_difference(engine) < 1e-4


def test_in_one_batch_the_longest_row_would_change_the_others(
    engine: TransformerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.engines.transformer.frequency_border", lambda model: None)
    assert largest_difference(engine) > 0.01


def test_each_row_scores_as_in_a_model_that_has_run_nothing_else(
    engine: TransformerEngine, tmp_path: Path
) -> None:
    encoded = [engine.encode(one) for one in ASKED]
    stem = max((one.tree.stem for one in encoded), key=len)[: BORDER - 1]
    short, long = Branch((5, 6)), Branch((5, 6, 7, 8, 9))  # the border is between them
    encoded.append(replace(encoded[0], tree=Tree(stem, ((short, long), (Branch((8,)), Branch((9, 5, 6)))))))
    by_transformers = [plain_rows(tmp_path, one) for one in encoded]
    for _ in range(2):  # the second time after long rows
        for scores, plain in zip(in_order(engine.score(encoded)), by_transformers, strict=True):
            assert sum(scores.logprobs, ()) == pytest.approx(plain, abs=1e-4)


def test_a_row_as_long_as_the_border_after_a_longer_one_has_the_first_frequencies(
    engine: TransformerEngine,
) -> None:
    ids = engine.encode(max(ASKED, key=lambda one: len(one.prompt))).tree.stem
    at_border = Encoded(ASKED[0], Tree(ids[:BORDER], ((Branch((5,)), Branch((6,))),)))
    longer = Encoded(ASKED[0], Tree(ids[: BORDER + 9], at_border.tree.branches))
    [before] = in_order(engine.score([at_border]))
    list(engine.score([longer]))
    [after] = in_order(engine.score([at_border]))
    assert after.logprobs == before.logprobs


def test_resuming_skips_by_the_requests_own_places(engine: TransformerEngine) -> None:
    encoded = [engine.encode(one) for one in ASKED]
    whole = in_order(engine.score(encoded))
    [first, second] = [batch.indices for batch in engine.score(encoded)]
    [left] = list(engine.score(encoded, frozenset(first)))
    assert left.indices == second
    assert list(left.replies) == [whole[index] for index in second]


def test_a_text_does_not_depend_on_the_prompts_before_it(engine: TransformerEngine) -> None:
    asked = [GenerateRequest(ITEM, one.prompt, False, 8, (), 0.0, 1, 0) for one in ASKED]

    def texts(some: list[GenerateRequest]) -> list[str]:
        batches = engine.generate(some, [engine.encode_prompt(one) for one in some])
        places = {
            index: done
            for batch in batches
            for index, [done] in zip(batch.indices, batch.replies, strict=True)
        }
        return [places[index].text for index in range(len(some))]

    together = texts(asked)
    assert [texts([one])[0] for one in asked] == together
    assert texts(asked[::-1])[::-1] == together


def test_writing_keeps_places_and_writes_long_prompts_alone(engine: TransformerEngine) -> None:
    asked = [GenerateRequest(ITEM, one.prompt, False, 4, (), 0.0, 1, 0) for one in ASKED]
    ids = [engine.encode_prompt(one) for one in asked]
    batches = list(engine.generate(asked, ids))
    assert sorted(index for batch in batches for index in batch.indices) == list(range(len(asked)))
    for batch in batches:
        lengths = [len(ids[index]) for index in batch.indices]
        assert list(batch.prompt_tokens) == lengths
        assert len(batch.indices) == 1 or max(lengths) + 4 <= BORDER


@pytest.mark.parametrize("positions", [16, LONGEST])
def test_prompts_beyond_a_model_s_own_positions_are_named_before_the_first_batch(
    bench: Callable[..., Result], anatomy: Path, tmp_path: Path, positions: int
) -> None:
    folder = save(BY_NAME["qwen3"], tmp_path / "long")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": positions}), "utf-8")
    add_card(tmp_path, "long", folder)
    words = ("--models", "long", "--tasks", "anatomy", "--dtype", "float32", "--offline")
    ran = bench("run", *words)
    assert ran.exit_code == 0, ran.output
    [path] = tmp_path.glob("results/anatomy/long/*/result.json")
    stated = json.loads(path.read_text("utf-8"))["engine"].get("positions")
    noted = "and the model was made for 16 (max_position_embeddings); they are scored" in ran.output
    assert (stated, noted) == ((16, True) if positions == 16 else (None, False))
    if noted:
        assert ran.output.index("note: prompts have up to") < ran.output.index(" right in ")
