"""An engine's reply to a question -> its record: of weights, of scores, or of generated text."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from bench.errors import OfItem
from bench.inputs.task import Scoring
from bench.scoring.extract import read_answer
from bench.scoring.record import ModelOutput, ParseStatus, Record
from bench.types import Completion, Item, Scores, ViewName
from bench.views import VIEWS, OptionScores, View, best

ViewScores = dict[ViewName, tuple[float, ...]]
"""For each view, the scores of a question's options."""


def weighed(item: Item, scoring: Scoring, scores: Scores, seconds: float) -> Record:
    """The record of an engine that reads items: its log-weights are the scores in the task's view."""
    return scored(item, scoring, {scoring.view: scores.logprobs[0]}, scores, seconds)


def scored(
    item: Item,
    scoring: Scoring,
    views: ViewScores,
    scores: Scores,
    seconds: float,
    alike: Mapping[ViewName, frozenset[int]] = MappingProxyType({}),
) -> Record:
    """The record of scored options: the answer is the option with the highest score in the task's view.

    Of equal scores the first counts. `alike` has for each view the options that have the same tokens as
    another one. Where such an option scores highest, the view gives no answer and its scores are left out; so
    are those of letters of which a server lists none.
    Raises a BenchError where a score is not finite: the model broke down in this precision.
    """
    if not all(math.isfinite(score) for values in views.values() for score in values):
        raise OfItem(item.id, "the model's scores are not finite numbers; try another --dtype")
    clear = {name: values for name, values in views.items() if best(values) not in alike.get(name, ())}
    unlisted = len(scores.bounded) == len(item.options)
    if unlisted:
        clear = {}
    answer = item.letters[best(clear[scoring.view])] if scoring.view in clear else None
    return Record(
        **_item_fields(item, answer, "scored" if answer else "not_listed" if unlisted else "same_tokens"),
        scores=clear,
        prompt=scores.prompt,
        prompt_tokens=scores.prompt_tokens,
        seconds=seconds,
        bounded="".join(item.letters[at] for at in sorted(scores.bounded)),
    )


def views_of(scoring: Scoring) -> tuple[View, ...]:
    """All views that can read a task's answers."""
    return tuple(view for view in VIEWS.all().values() if scoring.letters or not view.needs_letters)


def view_scores(item: Item, views: Sequence[View], scores: Scores, bare: Scores) -> ViewScores:
    """The scores of an item's options in each of the views.

    `scores` has the sets of letters, where the task shows them, and texts; `bare` has the texts after the
    bare cue. Raises a BenchError where a view does not score each option.
    """
    *letters, texts = scores.logprobs
    option_scores = OptionScores(
        options=tuple(option.strip() for option in item.options),
        letters=letters[0] if letters else (),
        texts=texts,
        tokens=scores.tokens[-1],
        bare=bare.logprobs[-1],
    )
    result = {view.name: tuple(view.score(option_scores)) for view in views}
    if wrong := [name for name, values in result.items() if len(values) != len(item.options)]:
        raise OfItem(item.id, f"the view '{wrong[0]}' does not give a score for each option")
    return result


def same_tokens(alike: Sequence[frozenset[int]], views: Sequence[View]) -> dict[ViewName, frozenset[int]]:
    """For each view, the options whose tokens are those of another option with another text.

    `alike` has them for each set of continuations; it is empty for an engine that does not compare them.
    """
    if not alike:
        return {}
    letters, texts = alike[0], alike[-1]
    return {view.name: letters if view.needs_letters else texts for view in views}


def written(
    item: Item, prompt: str, prompt_tokens: int | None, completions: Sequence[Completion], seconds: float
) -> Record:
    """The record of generated text. Of several samples the most common answer counts; of equally common ones,
    the one given first. The reasoning and text kept are of the first sample with that answer.
    """
    readings = [
        read_answer(completion.text, item.options, finished=completion.finished) for completion in completions
    ]
    answers = [reading.answer for reading in readings]
    votes = Counter(answer for answer in answers if answer)
    answer = votes.most_common(1)[0][0] if votes else None
    kept = answers.index(answer)
    return Record(
        **_item_fields(item, answer, readings[kept].status, readings[kept].reasoning),
        scores={},
        prompt=prompt,
        prompt_tokens=prompt_tokens,
        seconds=seconds,
        completion=completions[kept].text,
        new_tokens=sum(completion.tokens for completion in completions),
        samples=tuple(answers) if len(answers) > 1 else (),
    )


def too_long(item: Item, prompt: str, tokens: int | None) -> Record:
    """The record of an item whose prompt does not fit the model: no answer, which counts as wrong.

    `tokens` is None where a server refused or cut the prompt without counting it.
    """
    fields = _item_fields(item, None, "prompt_too_long")
    return Record(**fields, scores={}, prompt=prompt, prompt_tokens=tokens, seconds=0.0)


def _item_fields(item: Item, answer: str | None, status: ParseStatus, reasoning: str = "") -> dict[str, Any]:
    """The fields of a record that describe the item and its answer."""
    truth = item.letters[item.answer]
    return {
        "question_id": item.id,
        "question": item.question,
        "options": item.options,
        "answer_gt": truth,
        "model_output": ModelOutput(reasoning_steps=reasoning, final_answer=answer),
        "is_correct": answer == truth,
        "group": item.group,
        "cluster": item.cluster,
        "extra": dict(item.extra),
        "parse_status": status,
    }
