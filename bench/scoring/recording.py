"""What an engine gave for a question -> the record of it: weights, scores, or writing."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from bench.errors import BenchError
from bench.inputs.task import Scoring
from bench.scoring.extract import read_answer
from bench.scoring.record import ModelOutput, ParseStatus, Record
from bench.types import Completion, Item, Scores, ViewName
from bench.views import VIEWS, OptionScores, View, best

ViewScores = dict[ViewName, tuple[float, ...]]


def weighed(item: Item, scoring: Scoring, scores: Scores, seconds: float) -> Record:
    """The record of an engine that read the question itself: a weight for each option, whatever the view."""
    return scored(item, scoring, {scoring.view: scores.logprobs[0]}, scores, seconds)


def scored(item: Item, scoring: Scoring, views: ViewScores, scores: Scores, seconds: float) -> Record:
    """The option of the highest score in the task's view is the answer; of equal ones, the first.

    Raises a BenchError where a score is not a number: the model broke down in this precision.
    """
    if not all(math.isfinite(score) for values in views.values() for score in values):
        raise BenchError(f"item {item.id}: the model's scores are not finite numbers; try another --dtype")
    answer = item.letters[best(views[scoring.view])]
    return Record(
        **_facts(item, answer, "scored"),
        scores=views,
        prompt=scores.prompt,
        prompt_tokens=scores.prompt_tokens,
        seconds=seconds,
    )


def views_of(scoring: Scoring) -> tuple[View, ...]:
    """Every view that a task's questions can be read in."""
    return tuple(view for view in VIEWS.all().values() if scoring.letters or not view.needs_letters)


def view_scores(item: Item, views: Sequence[View], scores: Scores, bare: Scores) -> ViewScores:
    """Every option's score in each of the views; `scores` has the letters, where shown, and the texts.

    `bare` has the texts after the bare cue. Raises a BenchError where a view does not score each option.
    """
    *letters, texts = scores.logprobs
    given = OptionScores(
        options=tuple(option.strip() for option in item.options),
        letters=letters[0] if letters else (),
        texts=texts,
        tokens=scores.tokens[-1],
        bare=bare.logprobs[-1],
    )
    result = {view.name: tuple(view.score(given)) for view in views}
    if wrong := [name for name, values in result.items() if len(values) != len(item.options)]:
        raise BenchError(f"item {item.id}: the view '{wrong[0]}' does not give a score for each option")
    return result


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
