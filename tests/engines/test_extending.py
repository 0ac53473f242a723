"""Further prompts of a question: what they share with its first one is computed once, and no score moves."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.engines import extending
from bench.engines.engine import in_order
from bench.engines.packing import joined
from bench.engines.transformer import TransformerEngine
from bench.types import Encoded, MoreScores, ScoredBatch, ScoreRequest, Scores
from tiny import CONFIGS, ITEM, TEXTS, opened, save_causal, save_t5

LETTERS = (" A", " B", " C", " D")
WORDS = ["liver", "kidney", "spleen", "vitamin", "insulin", "fever", "cough", "pain", "missing", "makes"]
EXEMPLARS = " ".join(TEXTS) + "\n\n"


def prompt(question: str, options: Sequence[str]) -> str:
    lines = "".join(f"{letter.strip()}. {option}\n" for letter, option in zip(LETTERS, options, strict=True))
    return f"Question: {question}\n{lines}Answer:"


def asked(
    engine: TransformerEngine, beginning: str = "", count: int = 12
) -> tuple[list[Encoded], list[list[Encoded]]]:
    """Questions, and of each its rotations, its options alone, and one with another option."""
    draw = random.Random(0)
    questions: list[Encoded] = []
    further: list[list[Encoded]] = []
    for _ in range(count):
        question = " ".join(draw.choices(WORDS, k=draw.randint(3, 25)))
        options = [" ".join(draw.choices(WORDS, k=draw.randint(1, 5))) for _ in LETTERS]
        texts = tuple(f" {option}" for option in options)
        prompts = [prompt(question, options[turn:] + options[:turn]) for turn in (1, 2, 3)]
        prompts += [prompt("", options), prompt(question, [*options[:2], "none of them", options[3]])]
        whole = beginning + prompt(question, options)
        questions.append(engine.encode(ScoreRequest(ITEM, whole, (LETTERS, texts))))
        further.append([engine.encode(ScoreRequest(ITEM, beginning + each, (LETTERS,))) for each in prompts])
    return questions, further


def split(
    batches: Iterator[ScoredBatch | MoreScores],
) -> tuple[list[ScoredBatch], dict[tuple[int, int], Scores]]:
    first: list[ScoredBatch] = []
    more: dict[tuple[int, int], Scores] = {}
    for batch in batches:
        if isinstance(batch, MoreScores):
            more |= batch.replies
        else:
            first.append(batch)
    return first, more


@pytest.mark.parametrize("beginning", ["", EXEMPLARS])
@pytest.mark.parametrize("family", sorted(CONFIGS))
def test_further_prompts_score_as_alone_and_leave_the_first_as_it_was(
    tmp_path: Path, family: str, beginning: str
) -> None:
    engine = replace(opened(save_causal(tmp_path, family)), batch_tokens=400)
    assert engine.path == "packed"
    questions, further = asked(engine, beginning)
    first, more = split(engine.score_with_more(questions, further.__getitem__))
    assert first == list(engine.score(questions))  # bit for bit
    largest = set(first[0].indices)
    assert more.keys() == {(at, k) for at in range(12) if at not in largest for k in range(5)}
    alone = in_order(replace(engine, path="plain").score([one for ones in further for one in ones]))
    for (at, number), scores in more.items():
        expected = alone[5 * at + number]
        assert scores.logprobs[0] == pytest.approx(expected.logprobs[0], abs=1e-4, rel=0)
        assert (scores.prompt, scores.prompt_tokens) == (expected.prompt, expected.prompt_tokens)
    firsts = [scores.logprobs[0][0] for scores in alone]
    assert max(firsts) - min(firsts) > 0.05


@pytest.mark.parametrize("path", ["packed", "shared", "plain"])
def test_joined_requests_score_as_each_alone(tmp_path: Path, path: Any) -> None:
    engine = replace(opened(save_causal(tmp_path, "qwen3")), path=path)
    _, further = asked(engine)
    together = in_order(engine.score([joined(ones) for ones in further]))
    alone = in_order(engine.score([one for ones in further for one in ones]))
    for at, scores in enumerate(together):
        expected = [one.logprobs[0] for one in alone[5 * at : 5 * at + 5]]
        for values, others in zip(scores.logprobs, expected, strict=True):
            assert values == pytest.approx(others, abs=1e-4, rel=0)


def test_only_tokens_that_differ_are_run(tmp_path: Path) -> None:
    engine = replace(opened(save_causal(tmp_path, "llama")), batch_tokens=1)
    questions, further = asked(engine)
    fed: list[int] = []

    def note(_module: object, inputs: tuple[torch.Tensor, ...], _output: object) -> None:
        fed.append(inputs[0].numel())

    engine.model.model.embed_tokens.register_forward_hook(note)
    first, _ = split(engine.score_with_more(questions, further.__getitem__))
    assert len(first) == len(questions)
    del fed[4]  # one of the second question's prompts, alone and whole: is the reply the same?
    indices = [batch.indices[0] for batch in first[1:]]
    for index, row in zip(indices, fed[2::2], strict=True):
        assert row > len(questions[index].tree.stem)
    alone = sum(len(one.tree.stem) for index in indices for one in further[index])
    assert sum(fed[3::2]) < 0.65 * alone


def test_rows_that_do_not_fit_are_run_in_halves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = replace(opened(save_causal(tmp_path, "llama")), batch_tokens=600)
    questions, further = asked(engine)
    _, expected = split(engine.score_with_more(questions, further.__getitem__))
    run, limit = extending.extend_at_once, [2]

    def little_memory(model: Any, kept: Any, before: int, rows: Any) -> Any:
        if len(rows) > limit[0]:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried")
        return run(model, kept, before, rows)

    monkeypatch.setattr(extending, "extend_at_once", little_memory)
    _, more = split(engine.score_with_more(questions, further.__getitem__))
    assert more.keys() == expected.keys()
    for key, scores in more.items():
        assert scores.logprobs[0] == pytest.approx(expected[key].logprobs[0], abs=1e-5, rel=0)
    limit[0] = 0
    first, more = split(engine.score_with_more(questions, further.__getitem__))
    assert len(first) > 1  # the questions' own scores are there, and the further ones are asked later
    assert more == {}


def test_an_encoder_decoder_joins_no_prompts_and_scores_as_ever(tmp_path: Path) -> None:
    engine = opened(save_t5(tmp_path), architecture="encoder-decoder")
    assert not engine.joins_prompts
    questions = [engine.encode(ScoreRequest(ITEM, text, (LETTERS,))) for text in TEXTS]
    first, more = split(engine.score_with_more(questions, lambda _: []))
    assert first == list(engine.score(questions))
    assert not more


def test_nothing_of_further_prompts_is_asked_for_before_the_first_batch_is_there(tmp_path: Path) -> None:
    engine = replace(opened(save_causal(tmp_path, "llama")), batch_tokens=1)
    questions, further = asked(engine, count=3)
    wanted: list[int] = []

    def more(index: int) -> list[Encoded]:
        wanted.append(index)
        return further[index]

    batches = engine.score_with_more(questions, more)
    assert isinstance(next(batches), ScoredBatch)
    assert not wanted
    second = next(batches)
    assert isinstance(second, ScoredBatch)
    assert not wanted
    assert isinstance(next(batches), MoreScores)
    assert set(wanted) == set(second.indices)
    assert torch.is_inference_mode_enabled() is False


def test_a_model_that_scores_otherwise_on_kept_keys_is_asked_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = replace(opened(save_causal(tmp_path, "llama")), batch_tokens=400)
    questions, further = asked(engine)
    run = extending.extend_at_once

    def positions_from_zero(model: Any, kept: Any, before: int, rows: Any) -> Any:
        return run(
            model, kept, before, [(row, replace(one, depths=range(len(one.depths)))) for row, one in rows]
        )

    monkeypatch.setattr(extending, "extend_at_once", positions_from_zero)
    first, more = split(engine.score_with_more(questions, further.__getitem__))
    assert first == list(engine.score(questions))
    assert not more
