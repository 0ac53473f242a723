"""The ways to read an answer: scores or writing -> record."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from bench.errors import BenchError
from bench.inputs.task import Scoring
from bench.scoring.extract import read_answer
from bench.scoring.record import ModelOutput, ParseStatus, Record
from bench.types import Completion, Item, ScoredView, Scores

ViewScores = dict[ScoredView, tuple[float, ...]]


def scored(item: Item, scoring: Scoring, scores: Scores, bare: Scores | None, seconds: float) -> Record:
    """The option of the highest score in the task's view is the answer; of equal ones, the first.

    `bare` has the option texts after the bare cue; a baseline, which weighs options and no texts,
    has none. Raises a BenchError where a score is not a number: the model broke down in this precision.
    """
    views: ViewScores = (
        {"letter": scores.logprobs[0]} if bare is None else view_scores(item, scoring, scores, bare)
    )
    if not all(math.isfinite(score) for values in views.values() for score in values):
        raise BenchError(f"item {item.id}: the model's scores are not finite numbers; try another --dtype")
    answer = item.letters[best(views.get(scoring.view) or views["letter"])]
    return Record(
        **_facts(item, answer, "scored"),
        scores=views,
        prompt=scores.prompt,
        prompt_tokens=scores.prompt_tokens,
        seconds=seconds,
    )


def best(scores: Sequence[float]) -> int:
    """The index of the highest score; of equal ones, the first."""
    return max(range(len(scores)), key=scores.__getitem__)


def view_scores(item: Item, scoring: Scoring, scores: Scores, bare: Scores) -> ViewScores:
    """Every view's score of every option; `scores` has the letters, where there are any, and the texts."""
    text, counts = scores.logprobs[-1], scores.tokens[-1]
    lengths = [len(option.strip()) or 1 for option in item.options]
    letter: ViewScores = {"letter": scores.logprobs[0]} if scoring.letters else {}
    texts: ViewScores = {
        "text": text,
        "text_per_char": tuple(a / b for a, b in zip(text, lengths, strict=True)),
        "text_per_token": tuple(a / b for a, b in zip(text, counts, strict=True)),
        "text_pmi": tuple(a - b for a, b in zip(text, bare.logprobs[-1], strict=True)),
    }
    return letter | texts


def written(
    item: Item, prompt: str, prompt_tokens: int, completions: Sequence[Completion], seconds: float
) -> Record:
    """What the model wrote, read. Of several samples the commonest answer counts; of equally common
    ones, the one that came first. The reasoning kept is that of the first sample that gave it.
    """
    readings = [read_answer(one.text, item.options, finished=one.finished) for one in completions]
    answers = [reading.answer for reading in readings]
    given = Counter(answer for answer in answers if answer)
    answer = given.most_common(1)[0][0] if given else None
    told = answers.index(answer)
    return Record(
        **_facts(item, answer, readings[told].status, readings[told].reasoning),
        scores={},
        prompt=prompt,
        prompt_tokens=prompt_tokens,
        seconds=seconds,
        completion=completions[told].text,
        new_tokens=sum(one.tokens for one in completions),
        samples=tuple(answers) if len(answers) > 1 else (),
    )


def too_long(item: Item, prompt: str, tokens: int) -> Record:
    """The record of an item whose prompt the model cannot take: no answer, and counted as wrong."""
    facts = _facts(item, None, "prompt_too_long")
    return Record(**facts, scores={}, prompt=prompt, prompt_tokens=tokens, seconds=0.0)


def _facts(item: Item, answer: str | None, status: ParseStatus, reasoning: str = "") -> dict[str, Any]:
    """What a record says of the item and its answer."""
    truth = item.letters[item.answer]
    return {
        "question_id": item.id,
        "question": item.question,
        "options": item.options,
        "answer_gt": truth,
        "model_output": ModelOutput(reasoning_steps=reasoning, final_answer=answer),
        "is_correct": answer == truth,
        "group": item.group,
        "parse_status": status,
    }
