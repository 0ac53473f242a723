"""The ways to read an answer: item -> request, scores -> record."""

import math
from collections.abc import Sequence

from bench.errors import BenchError
from bench.inputs.prompts import answer_text, with_exemplars
from bench.inputs.task import Task
from bench.scoring.record import ModelOutput, ParseStatus, Record
from bench.types import Item, ScoreRequest, Scores


def score_request(task: Task, exemplars: Sequence[Item], item: Item) -> ScoreRequest:
    """Ask how likely each letter is after the prompt."""
    prompt = with_exemplars(task.prompt, exemplars, item)
    return ScoreRequest(item, prompt, tuple(answer_text(prompt, letter) for letter in item.letters))


def scored(item: Item, scores: Scores, seconds: float) -> Record:
    """The letter of the highest log-probability is the answer; of equal ones, the first.

    Raises a BenchError where a score is not a number: the model broke down in this precision.
    """
    if not all(map(math.isfinite, scores.logprobs)):
        raise BenchError(f"item {item.id}: the model's scores are not finite numbers; try another --dtype")
    best = max(range(len(item.options)), key=lambda index: scores.logprobs[index])
    return _record(item, item.letters[best], "scored", scores, seconds)


def too_long(item: Item, prompt: str, tokens: int) -> Record:
    """The record of an item whose prompt the model cannot take: no answer, and counted as wrong."""
    return _record(item, None, "prompt_too_long", Scores(prompt, tokens, ()), 0.0)


def _record(item: Item, answer: str | None, status: ParseStatus, scores: Scores, seconds: float) -> Record:
    truth = item.letters[item.answer]
    return Record(
        question_id=item.id,
        question=item.question,
        options=item.options,
        answer_gt=truth,
        model_output=ModelOutput(reasoning_steps="", final_answer=answer),
        is_correct=answer == truth,
        group=item.group,
        parse_status=status,
        scores={"letter": scores.logprobs} if scores.logprobs else {},
        prompt=scores.prompt,
        prompt_tokens=scores.prompt_tokens,
        seconds=seconds,
    )
