"""Rotary frequencies that change with length: no score depends on what shares its batch."""

from dataclasses import replace
from pathlib import Path

import pytest

from architectures import BORDER, BY_NAME, LONGEST, save
from bench.engines.engine import in_order
from bench.engines.long_rows import by_length
from bench.engines.transformer import TransformerEngine
from bench.types import GenerateRequest
from plain import request, score
from tiny import ITEM, opened, prompts

ASKED = [request(prompt) for prompt in prompts(6)]


@pytest.fixture
def engine(tmp_path: Path) -> TransformerEngine:
    return replace(opened(save(BY_NAME["phi3-longrope"], tmp_path), context=LONGEST), batch_tokens=100_000)


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
    monkeypatch.setattr("bench.engines.transformer.frequency_border", lambda config: None)
    assert largest_difference(engine) > 0.01


def test_resuming_skips_by_the_requests_own_places(engine: TransformerEngine) -> None:
    encoded = [engine.encode(one) for one in ASKED]
    whole = in_order(engine.score(encoded))
    [first, second] = [batch.indices for batch in engine.score(encoded)]
    [left] = list(engine.score(encoded, frozenset(first)))
    assert left.indices == second
    assert list(left.replies) == [whole[index] for index in second]


def test_writing_keeps_places_and_writes_long_prompts_alone(engine: TransformerEngine) -> None:
    asked = [GenerateRequest(ITEM, one.prompt, False, 4, (), 0.0, 1, 0) for one in ASKED]
    ids = [engine.encode_prompt(one) for one in asked]
    batches = list(engine.generate(asked, ids))
    assert sorted(index for batch in batches for index in batch.indices) == list(range(len(asked)))
    for batch in batches:
        lengths = [len(ids[index]) for index in batch.indices]
        assert list(batch.prompt_tokens) == lengths
        assert len(batch.indices) == 1 or max(lengths) + 4 <= BORDER
