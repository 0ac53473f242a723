"""The core of the program: items in, records out.

scored:    item -> prompt (scoring/asking) -> tokens (engine.encode) -> scores -> record (scoring/recording)
generated: item -> prompt -> tokens (engine.encode_prompt) -> completions -> record
"""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from bench.engines import checked
from bench.engines.engine import Engine, LanguageModel, ScoresMore, WithServer
from bench.errors import BenchError, PromptTooLong
from bench.inputs.generate import Generate
from bench.inputs.prompts import LETTER as AS_IT_IS
from bench.probing import Forms, timed
from bench.scoring.asking import Asking, Render, bare_requests, generate_request, score_request
from bench.scoring.record import Record
from bench.scoring.recording import same_tokens, scored, too_long, view_scores, views_of, weighed, written
from bench.types import (
    Encoded,
    GenerateRequest,
    Item,
    Message,
    MoreScores,
    ProbeName,
    ScoredBatch,
    Scores,
    Tokens,
)
from bench.views import LETTER


@dataclass(frozen=True, slots=True)
class Answered:
    """The records of a batch, and the number of tokens it was planned for: None where nothing was run.

    `probed` are the records of changed questions; a batch has these alone or none.
    """

    records: tuple[Record, ...]
    batch_tokens: int | None = None
    probed: tuple[Record, ...] = ()


def evaluate(
    asking: Asking,
    items: Sequence[Item],
    engine: Engine,
    done: Collection[str] = (),
    announce: Callable[[int], object] = lambda _: None,
    probes: Sequence[ProbeName] = (),
) -> Iterator[Answered]:
    """Yield the records of each batch when it is done, longest prompts first.

    With `probes`, an engine that still holds a batch may answer its changed questions, which come right
    after it; `bench.probing.ask_changed` asks the others.

    `announce` gets the tokens of the longest prompt, with those to be written, before the first batch.

    Every item gets exactly one record; where its prompt does not fit the model, one without an answer.
    Items whose ids are in `done` get none, but still shape the batches, so that the scores of the others
    are the same as in an uninterrupted run. Raises a BenchError where the engine cannot do what is asked.
    """
    if asking.generate is None:
        batches = _score(asking, items, engine, done, announce, probes)
    else:
        batches = _generate(asking, asking.generate, items, engine, done, announce)
    for batch in batches:
        new = tuple(record for record in batch.records if record.question_id not in done)
        if new or batch.probed:  # batches that were smaller before the interruption may be done in part
            yield Answered(new, batch.batch_tokens, batch.probed)


def _score(
    asking: Asking,
    items: Sequence[Item],
    engine: Engine,
    done: Collection[str],
    announce: Callable[[int], object],
    probes: Sequence[ProbeName],
) -> Iterator[Answered]:
    render = renderer(engine, thinking=False)
    fitting: list[Encoded] = []
    refused: list[Record] = []
    for item in items:
        request = score_request(asking, item, render)
        try:
            fitting.append(checked.encode(engine, request))
        except PromptTooLong as error:
            refused.append(too_long(item, request.prompt, error.tokens))
    if refused:
        yield Answered(tuple(refused))
    announce(max((len(encoded.tree.stem) for encoded in fitting), default=0))
    start = time.perf_counter()
    asked = [encoded.request.item for encoded in fitting]
    record = _recorder(asking, fitting, engine, done)
    shared_seconds = (time.perf_counter() - start) / max(1, len(fitting))  # of the bare texts
    forms = Forms(asking, engine, render, probes)
    for batch_seconds, batch in timed(_batches(engine, fitting, _indices(asked, done), forms)):
        if isinstance(batch, MoreScores):
            yield Answered((), probed=tuple(_changed_records(forms, asked, batch, batch_seconds)))
            continue
        seconds = shared_seconds + batch_seconds / max(1, len(batch.indices))
        refused = [too_long(asked[at], fitting[at].request.prompt, None) for at in batch.too_long]
        answered = [
            record(fitting[index], scores, seconds)
            for index, scores in zip(batch.indices, batch.replies, strict=True)
            if asked[index].id not in done
        ]
        yield Answered((*answered, *refused), batch.batch_tokens)


def _batches(
    engine: Engine, fitting: Sequence[Encoded], skip: frozenset[int], forms: Forms
) -> Iterator[ScoredBatch | MoreScores]:
    if not forms.probes or not isinstance(engine, ScoresMore):
        return checked.score(engine, fitting, skip)
    return checked.score_with_more(
        engine, fitting, lambda index: [form.encoded for form in forms.of(fitting[index].request.item)], skip
    )


def _changed_records(
    forms: Forms, asked: Sequence[Item], batch: MoreScores, seconds: float
) -> Iterator[Record]:
    for (index, number), scores in batch.replies.items():
        yield forms.record(forms.of(asked[index])[number], scores, seconds / len(batch.replies))


def _recorder(
    asking: Asking, fitting: Sequence[Encoded], engine: Engine, done: Collection[str]
) -> Callable[[Encoded, Scores, float], Record]:
    """The function (request, reply, seconds) -> record."""
    scoring = asking.task.scoring
    if engine.reads == "item":
        return lambda encoded, scores, seconds: weighed(encoded.request.item, scoring, scores, seconds)
    if isinstance(engine, WithServer) and engine.letters_only:
        return _letters_recorder(asking, engine)
    bare = bare_scores(asking, [encoded.request.item for encoded in fitting], engine, done)
    views = views_of(scoring)

    def record(encoded: Encoded, scores: Scores, seconds: float) -> Record:
        item = encoded.request.item
        by_view = view_scores(item, views, scores, bare[item.id])
        return scored(
            item, scoring, by_view, scores, seconds, same_tokens(encoded.alike or scores.alike, views)
        )

    return record


def _letters_recorder(asking: Asking, engine: WithServer) -> Callable[[Encoded, Scores, float], Record]:
    """The recorder of letters alone; raises a BenchError where the task ranks by another view."""
    scoring = asking.task.scoring
    if scoring.view != LETTER.name:
        why = "; ".join(engine.limits) or "only letters are asked for (settings.views)"
        raise BenchError(
            f"{why}: task {asking.task.name} ranks by the view '{scoring.view}', which needs options' texts"
        )
    if scoring.letter != AS_IT_IS:
        raise BenchError(f"the server lists single tokens, and an answer is written '{scoring.letter}' here")
    return lambda encoded, scores, seconds: scored(
        encoded.request.item, scoring, {LETTER.name: scores.logprobs[0]}, scores, seconds
    )


def _indices(items: Sequence[Item], done: Collection[str]) -> frozenset[int]:
    """The indices of the items that are done."""
    return frozenset(index for index, item in enumerate(items) if item.id in done)


def bare_scores(
    asking: Asking, items: Sequence[Item], engine: Engine, done: Collection[str] = ()
) -> dict[str, Scores]:
    """The scores of option texts after the bare cue, for each item that is not done, by its id.

    A value has one set: the item's options in order.
    """
    requests = bare_requests(asking, items, renderer(engine, thinking=False))
    left = [item for item in items if item.id not in done]
    wanted = {option.strip() for item in left for option in item.options}
    skip = frozenset(
        index
        for index, request in enumerate(requests)
        if wanted.isdisjoint(text.strip() for [text] in request.continuations)
    )
    by_text = {
        text.strip(): (logprob, tokens)
        for batch in checked.score(engine, [checked.encode(engine, request) for request in requests], skip)
        for index, scores in zip(batch.indices, batch.replies, strict=True)
        for [text], [logprob], [tokens] in zip(
            requests[index].continuations, scores.logprobs, scores.tokens, strict=True
        )
    }
    return {
        item.id: _as_one_set(requests[0].prompt, [by_text[option.strip()] for option in item.options])
        for item in left
    }


def _as_one_set(prompt: str, texts: Sequence[tuple[float, int]]) -> Scores:
    logprobs, tokens = zip(*texts, strict=True)
    return Scores(prompt, 0, (logprobs,), (tokens,))


def _generate(
    asking: Asking,
    generate: Generate,
    items: Sequence[Item],
    engine: Engine,
    done: Collection[str],
    announce: Callable[[int], object],
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
            prompts.append(checked.encode_prompt(engine, request))
        except PromptTooLong as error:
            refused.append(too_long(item, request.prompt, error.tokens))
        else:
            requests.append(request)
    if refused:
        yield Answered(tuple(refused))
    announce(max((len(ids) for ids in prompts), default=-generate.max_new_tokens) + generate.max_new_tokens)
    skip = _indices([request.item for request in requests], done)
    for batch_seconds, batch in timed(checked.generate(engine, requests, prompts, skip)):
        seconds = batch_seconds / max(1, len(batch.indices))
        refused = [too_long(requests[at].item, requests[at].prompt, None) for at in batch.too_long]
        answered = [
            written(requests[index].item, requests[index].prompt, tokens, completions, seconds)
            for index, tokens, completions in zip(
                batch.indices, batch.prompt_tokens, batch.replies, strict=True
            )
        ]
        yield Answered((*answered, *refused), batch.batch_tokens)


def renderer(engine: Engine, *, thinking: bool) -> Render:
    """The engine's function for chat messages; it raises a BenchError where the engine takes none."""
    if isinstance(engine, LanguageModel):
        return partial(checked.render, engine, thinking=thinking)
    return no_chat


def no_chat(_messages: Sequence[Message]) -> str:
    """The renderer of an engine that takes plain prompts only: raises a BenchError."""
    raise BenchError("this engine takes no chat messages; use --prompt plain")
