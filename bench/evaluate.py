"""The heart: items in, records out.

scored:    item -> prompt (scoring/asking) -> tokens (engine.encode) -> scores -> record (scoring/views)
generated: item -> prompt -> what the model writes -> record
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from bench.engines.engine import Engine, LanguageModel
from bench.errors import BenchError, PromptTooLong
from bench.inputs.task import Generate
from bench.scoring.asking import Asking, Render, bare_requests, generate_request, score_request
from bench.scoring.record import Record
from bench.scoring.recording import scored, too_long, view_scores, views_of, weighed, written
from bench.types import Encoded, GenerateRequest, Item, Message, Scores, Tokens

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answered:
    """Records as they are made; `batch_tokens` is the size that their batch was planned for."""

    records: tuple[Record, ...]
    batch_tokens: int | None = None


def evaluate(
    asking: Asking, items: Sequence[Item], engine: Engine, done: Collection[str] = ()
) -> Iterator[Answered]:
    """Yield the records of each batch as it is done, longest prompts first.

    Every item gets exactly one record: one whose prompt does not fit the model is an unread answer.
    Items whose ids are in `done` have theirs; they still shape the batches, so the others' scores
    are what they would have been in one go.
    """
    if asking.generate is None:
        batches = _score(asking, items, engine, done)
    else:
        batches = _generate(asking, asking.generate, items, engine, done)
    for batch in batches:
        new = tuple(record for record in batch.records if record.question_id not in done)
        if new:  # a batch that was planned smaller before may be done in part
            yield Answered(new, batch.batch_tokens)


def _score(
    asking: Asking, items: Sequence[Item], engine: Engine, done: Collection[str]
) -> Iterator[Answered]:
    render = renderer(engine, thinking=False)
    ready: list[Encoded] = []
    refused: list[Record] = []
    for item in items:
        request = score_request(asking, item, render)
        try:
            ready.append(engine.encode(request))
        except PromptTooLong as error:
            refused.append(too_long(item, request.prompt, error.tokens))
    if refused:
        yield Answered(tuple(refused))
    start = time.perf_counter()
    asked = [encoded.request.item for encoded in ready]
    record = _recorder(asking, asked, engine, done)
    each = (time.perf_counter() - start) / max(1, len(ready))
    for seconds, batch in _timed(engine.score(ready, _places(asked, done))):
        share = each + seconds / len(batch.indices)
        yield Answered(
            tuple(
                record(asked[index], scores, share)
                for index, scores in zip(batch.indices, batch.replies, strict=True)
                if asked[index].id not in done
            ),
            batch.batch_tokens,
        )


def _recorder(
    asking: Asking, items: Sequence[Item], engine: Engine, done: Collection[str]
) -> Callable[[Item, Scores, float], Record]:
    """What makes the record of an item from its reply and its seconds."""
    scoring = asking.task.scoring
    match engine.reads:
        case "item":
            return lambda item, scores, seconds: weighed(item, scoring, scores, seconds)
        case "prompt":
            bare, views = bare_scores(asking, items, engine, done), views_of(scoring)
            return lambda item, scores, seconds: scored(
                item, scoring, view_scores(item, views, scores, bare[item.id]), scores, seconds
            )


def _places(items: Sequence[Item], done: Collection[str]) -> frozenset[int]:
    """Where the items stand that are done."""
    return frozenset(index for index, item in enumerate(items) if item.id in done)


def bare_scores(
    asking: Asking, items: Sequence[Item], engine: Engine, done: Collection[str] = ()
) -> dict[str, Scores]:
    """The scores of an item's option texts after the bare cue, as one set, by the ids of those not done."""
    requests = bare_requests(asking, items, renderer(engine, thinking=False))
    left = [item for item in items if item.id not in done]
    wanted = {option.strip() for item in left for option in item.options}
    skip = frozenset(
        index
        for index, request in enumerate(requests)
        if wanted.isdisjoint(text.strip() for [text] in request.continuations)
    )
    told = {
        text.strip(): (logprob, tokens)
        for batch in engine.score([engine.encode(request) for request in requests], skip)
        for index, scores in zip(batch.indices, batch.replies, strict=True)
        for [text], [logprob], [tokens] in zip(
            requests[index].continuations, scores.logprobs, scores.tokens, strict=True
        )
    }
    return {
        item.id: _gathered(requests[0].prompt, [told[option.strip()] for option in item.options])
        for item in left
    }


def _gathered(prompt: str, found: Sequence[tuple[float, int]]) -> Scores:
    logprobs, tokens = zip(*found, strict=True)
    return Scores(prompt, 0, (logprobs,), (tokens,))


def _generate(
    asking: Asking, generate: Generate, items: Sequence[Item], engine: Engine, done: Collection[str]
) -> Iterator[Answered]:
    if not isinstance(engine, LanguageModel):
        raise BenchError("this engine scores options and cannot write; leave --generate out")
    render = renderer(engine, thinking=True)
    requests: list[GenerateRequest] = []
    prompts: list[Tokens] = []
    refused: list[Record] = []
    for item in items:
        request = generate_request(asking, generate, item, render)
        try:
            prompts.append(engine.encode_prompt(request))
        except PromptTooLong as error:
            refused.append(too_long(item, request.prompt, error.tokens))
        else:
            requests.append(request)
    if refused:
        yield Answered(tuple(refused))
    skip = _places([request.item for request in requests], done)
    for seconds, batch in _timed(engine.generate(requests, prompts, skip)):
        share = seconds / len(batch.indices)
        yield Answered(
            tuple(
                written(requests[index].item, requests[index].prompt, tokens, completions, share)
                for index, tokens, completions in zip(
                    batch.indices, batch.prompt_tokens, batch.replies, strict=True
                )
            ),
            batch.batch_tokens,
        )


def renderer(engine: Engine, *, thinking: bool) -> Render:
    if isinstance(engine, LanguageModel):
        return partial(engine.render, thinking=thinking)
    return no_chat


def no_chat(_messages: Sequence[Message]) -> str:
    """The renderer of what takes plain prompts alone."""
    raise BenchError("this engine takes no chat messages; use --prompt plain")


def _timed(batches: Iterable[T]) -> Iterator[tuple[float, T]]:
    """Each batch with the seconds it took to come."""
    start = time.perf_counter()
    for batch in batches:
        yield time.perf_counter() - start, batch
        start = time.perf_counter()
