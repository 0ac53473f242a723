"""The one way to an engine: every call of one is made here, and what it gives is checked before it is used.

A test sees to it that no other module of the product calls `score`, `generate`, `encode` and the like.
"""

import os
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, TypeVar, cast

from bench.engines.engine import Engine, LanguageModel, ScoresMore, WithOwnTokenizer, WithServer
from bench.engines.reply_checks import (
    Asked,
    EngineMistake,
    are_tokens,
    check_completions,
    check_counts,
    check_encoded,
    check_more,
    check_scores,
    is_count,
    is_text,
    lengths_of,
    mistake,
    row,
)
from bench.errors import named_line
from bench.types import (
    CacheShape,
    Encoded,
    GenerateRequest,
    Message,
    MoreScores,
    ScoredBatch,
    ScoreRequest,
    ServerFacts,
    Tokens,
    WrittenBatch,
)

T = TypeVar("T")
CALL = "call of an engine: "
"""How the note on an error begins that an engine has raised; the name of the call follows."""


def _mask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


_MASK = _mask()


@contextmanager
def called(name: str) -> Generator[None]:
    """Note on an error in the block that an engine has raised it."""
    process = os.getpid()
    try:
        yield
    except BrokenPipeError as error:  # elsewhere it means that nobody listens to the worker any more
        raise OSError(f"{CALL}{name}: {error}") from error
    except BaseException as error:
        error.add_note(f"{CALL}{name}")
        raise
    finally:
        os.umask(_MASK)  # what is stored next would be as an engine left it
        if os.getpid() != process:  # the engine has copied this process: the copy must not answer as well
            os._exit(0)


def call_of(error: BaseException) -> str:
    """The call of an engine that raised the error, "" for an error of ours."""
    notes: list[str] = getattr(error, "__notes__", [])
    return next((note.removeprefix(CALL) for note in notes if note.startswith(CALL)), "")


def encode(engine: Engine, request: ScoreRequest) -> Encoded:
    """The request in tokens; raises PromptTooLong where it does not fit."""
    with called("encode"):
        encoded = engine.encode(request)
    check_encoded(encoded, request)
    return encoded


def score(
    engine: Engine, requests: Sequence[Encoded], skip: Collection[int] = frozenset()
) -> Iterator[ScoredBatch]:
    """The engine's replies, batch by batch: one to each request that is not in `skip`."""
    done = frozenset(skip)
    for batch in _scored(engine, requests, done, "score", lambda: engine.score(requests, done), {}):
        assert isinstance(batch, ScoredBatch)
        yield batch


def score_with_more(
    engine: ScoresMore,
    requests: Sequence[Encoded],
    more: Callable[[int], Sequence[Encoded]],
    skip: Collection[int] = frozenset(),
) -> Iterator[ScoredBatch | MoreScores]:
    """As `score`, and after a batch the replies to further requests that `more` gives."""
    done, given = frozenset(skip), dict[int, Sequence[Encoded]]()

    def further(index: int) -> Sequence[Encoded]:
        given[index] = more(index)
        return given[index]

    def batches() -> Iterator[ScoredBatch | MoreScores]:
        return engine.score_with_more(requests, further, done)

    return _scored(engine, requests, done, "score_with_more", batches, given)


def _scored(
    engine: Engine,
    requests: Sequence[Encoded],
    skip: frozenset[int],
    name: str,
    batches: Callable[[], Iterable[Any]],
    further: Mapping[int, Sequence[Encoded]],
) -> Iterator[ScoredBatch | MoreScores]:
    asked, seen, may_add = Asked(requests, skip), set[Any](), False
    letters_only = isinstance(engine, WithServer) and engine.letters_only
    for batch in _each(name, batches):
        if isinstance(batch, MoreScores) and may_add:
            check_more(asked, batch, further, seen)
            may_add = False
        elif isinstance(batch, ScoredBatch):
            asked.take(batch)
            for index, scores in zip(batch.indices, batch.replies, strict=True):
                lengths = lengths_of(requests[index], engine.reads)
                # A server that lists letters alone leaves the other sets empty, asked or not.
                lengths = (lengths[0], *(0 for _ in scores.logprobs[1:])) if letters_only else lengths
                check_scores(asked, index, scores, lengths, needs_tokens=engine.reads == "prompt")
            may_add = name == "score_with_more"
        else:
            raise mistake("gave {given} in place of a batch of scores", batch)
        yield batch
    asked.end()


def render(engine: LanguageModel, messages: Sequence[Message], *, thinking: bool) -> str:
    """The prompt that the engine makes of messages."""
    with called("render"):
        prompt = engine.render(messages, thinking=thinking)
    if not is_text(prompt):
        raise mistake("gave {given} in place of a prompt of messages", prompt)
    return prompt


def encode_prompt(engine: LanguageModel, request: GenerateRequest) -> Tokens:
    """The prompt in tokens; raises PromptTooLong where it does not fit."""
    with called("encode_prompt"):
        tokens = engine.encode_prompt(request)
    if not are_tokens(tokens):
        raise mistake("gave {given} in place of the tokens of a prompt", tokens)
    return tokens


def generate(
    engine: LanguageModel,
    requests: Sequence[GenerateRequest],
    prompts: Sequence[Tokens],
    skip: Collection[int] = frozenset(),
) -> Iterator[WrittenBatch]:
    """What the engine writes, batch by batch: as many texts as samples for each request not in `skip`."""
    done = frozenset(skip)
    asked = Asked(requests, done)
    for batch in _each("generate", lambda: engine.generate(requests, prompts, done)):
        if not isinstance(batch, WrittenBatch):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise mistake("gave {given} in place of a batch of texts", batch)
        asked.take(batch)
        lengths = row(batch.prompt_tokens) or ()
        if len(lengths) != len(batch.indices):
            raise EngineMistake(f"gave {len(lengths)} lengths of the {len(batch.indices)} prompts of a batch")
        for index, texts, length in zip(batch.indices, batch.replies, lengths, strict=True):
            check_completions(asked, index, requests[index], texts)
            check_counts(asked, index, [0 if length is None else length])
        yield batch
    asked.end()


def _each(name: str, batches: Callable[[], Iterable[T]]) -> Iterator[T]:
    """What an engine yields, with the engine named in its errors."""
    end = object()
    with called(name):
        iterator: Any = iter(batches())
    try:
        while True:
            with called(name):
                batch: Any = next(iterator, end)
            if batch is end:
                return
            yield batch
    finally:
        if hasattr(iterator, "close"):
            with called(name):
                iterator.close()


def close(engine: Engine) -> str:
    """Close an engine whose work is done; returns why it did not close, "" where it did."""
    try:
        with called("close"):
            engine.close()
    except BaseException as error:  # noqa: BLE001 (what it answered is not the worse for it)
        return f"the engine could not be closed: {named_line(error)}"
    return ""


def compare_tokens(engine: WithOwnTokenizer, texts: Sequence[str]) -> str:
    """What the engine says of texts that have other tokens elsewhere; "" without any."""
    with called("compare_tokens"):
        sentence = engine.compare_tokens(texts)
    if not is_text(sentence):
        raise mistake("gave {given} in place of a sentence on tokens", sentence)
    return sentence


def fact(engine: Engine, name: str, of: type[Any] = Engine) -> Any:
    """A fact of the engine, such as `model_bytes`; None where it is not `of` this protocol."""
    with called(name):
        if of is not Engine and not isinstance(engine, of):
            return None
        value: Any = getattr(engine, name)
        value = value() if name in _METHODS else value
    if not _FACTS[name](value):
        raise mistake(f"gave {{given}} as its {name}", value)
    return value


def _is_size(value: object) -> bool:
    return value is None or is_count(value)


def _is_shape(value: object) -> bool:
    if not isinstance(value, CacheShape):
        return value is None
    return all(is_count(getattr(value, each.name)) for each in fields(value))


def _are_texts(value: object) -> bool:
    return isinstance(value, tuple) and all(is_text(each) for each in cast("tuple[object, ...]", value))


def _is_server(value: object) -> bool:
    if not isinstance(value, ServerFacts):
        return False
    words = (value.url, value.model, value.version, value.fingerprint)
    return all(map(is_text, words)) and type(value.runs_here) is bool


_METHODS = {"server_facts", "server_memory_bytes"}
_FACTS: Mapping[str, Callable[[object], bool]] = {
    "path": is_text,
    "model_bytes": _is_size,
    "tower_bytes": _is_size,
    "accelerators": _is_size,
    "server_memory_bytes": _is_size,
    "positions": _is_size,
    "threads": _is_size,
    "cache_shape": _is_shape,
    "build": is_text,
    "answers_as": is_text,
    "limits": _are_texts,
    "server_facts": _is_server,
}
