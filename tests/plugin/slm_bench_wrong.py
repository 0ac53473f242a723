"""An engine with a mistake, for testing that one costs its own cell and no other.

    engine: wrong
    settings: {mistake: twice}

Without one it finds "yes" likelier than any other option. `CHANGES` change its second batch, `ACTS` do
something before that batch, `FACTS` are wrong facts of it, and the rest is in its methods.
"""

import ctypes
import locale
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from bench.config import Strict
from bench.engines.engine import Engine, Opening
from bench.engines.kinds import EngineKind, Standalone
from bench.types import (
    CacheShape,
    Completion,
    Encoded,
    GenerateRequest,
    Message,
    Reads,
    ScoredBatch,
    ScoreRequest,
    Scores,
    Tokens,
    Tree,
    WrittenBatch,
)

BATCH = 5
SECONDS = 1000


class Settings(Strict):
    mistake: str = ""


def number(value: Any) -> Callable[[ScoredBatch], ScoredBatch]:
    """A value in the place of the first log-probability."""
    return first(lambda scores: replace(scores, logprobs=((value, *scores.logprobs[0][1:]),)))


def first(change: Callable[[Scores], Any]) -> Callable[[ScoredBatch], ScoredBatch]:
    return lambda batch: replace(batch, replies=(change(batch.replies[0]), *batch.replies[1:]))


def index(value: Any) -> Callable[[ScoredBatch], ScoredBatch]:
    return lambda batch: replace(batch, indices=(value, *batch.indices[1:]))


CHANGES: dict[str, Callable[[ScoredBatch], Any]] = {
    "missing": lambda batch: replace(batch, indices=batch.indices[1:], replies=batch.replies[1:]),
    "twice": index(0),
    "negative": index(-1),
    "beyond": index(12),
    "far-beyond": index(10**400),
    "index-text": index("q5"),
    "index-true": index(True),
    "index-float": index(5.0),
    "fewer-replies": lambda batch: replace(batch, replies=batch.replies[1:]),
    "more-replies": lambda batch: replace(batch, replies=(*batch.replies, batch.replies[0])),
    "no-batch": lambda _: None,
    "other-batch": lambda batch: {"indices": batch.indices, "replies": batch.replies},
    "no-tuple": lambda batch: replace(batch, indices=iter(batch.indices)),
    "empty-batch": lambda _: ScoredBatch((), (), 1),
    "no-reply": first(lambda _: None),
    "no-sets": first(lambda scores: replace(scores, logprobs=())),
    "more-sets": first(lambda scores: replace(scores, logprobs=scores.logprobs * 2)),
    "fewer-numbers": first(lambda scores: replace(scores, logprobs=(scores.logprobs[0][1:],))),
    "more-numbers": first(lambda scores: replace(scores, logprobs=((-1.0, *scores.logprobs[0]),))),
    "array": first(lambda scores: replace(scores, logprobs=np.zeros((1, 2)))),
    "nan": number(float("nan")),
    "infinite": number(float("-inf")),
    "huge-number": number(10**400),
    "true": number(True),
    "none": number(None),
    "text": number("-1.0"),
    "complex": number(1j),
    "array-number": number(np.zeros((2, 2))),
    "no-tokens": first(lambda scores: replace(scores, tokens=())),
    "negative-tokens": first(lambda scores: replace(scores, tokens=((-1, 1),))),
    "prompt-tokens": first(lambda scores: replace(scores, prompt_tokens=True)),
    "no-prompt": first(lambda scores: replace(scores, prompt=None)),
    "half-character": first(lambda scores: replace(scores, prompt="\ud800")),
    "huge-text": first(lambda scores: replace(scores, prompt="x" * 20_000_000)),
    "options": first(lambda scores: replace(scores, bounded=frozenset({2}))),
    "too-long": lambda batch: replace(batch, too_long=(99,)),
    "too-long-twice": lambda batch: replace(batch, too_long=(batch.indices[0],)),
    "batch-tokens": lambda batch: replace(batch, batch_tokens=float("nan")),
}


class SilentError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("nothing to say")


class LockedError(Exception):
    """Cannot be pickled."""

    def __init__(self) -> None:
        super().__init__("locked")
        self.lock = threading.Lock()


class BaseError(BaseException):
    """No Exception."""


def fail(error: BaseException) -> Callable[[], NoReturn]:
    def act() -> NoReturn:
        raise error

    return act


def endless_recursion() -> None:
    endless_recursion()


def print_megabytes() -> None:
    sys.stdout.write("x" * 3_000_000)
    sys.stderr.write("y" * 3_000_000)
    ctypes.CDLL(None).puts(b"z" * 1_000_000)
    subprocess.run(["sh", "-c", "echo from a child; echo from a child >&2"], check=True)


def leave_children() -> None:
    subprocess.Popen(["sleep", str(SECONDS)], start_new_session=True)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(SECONDS)
        os._exit(0)


def leave_children_and_exit() -> None:
    leave_children()
    os._exit(3)


def close_files() -> None:
    os.closerange(3, 1000)


def change_everything() -> None:
    os.chdir("/")
    os.umask(0o777)
    os.environ.clear()
    locale.setlocale(locale.LC_ALL, "C")
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(each, signal.SIG_IGN)
    sys.stdout.close()
    sys.stderr.close()


def start_thread() -> None:
    threading.Thread(target=time.sleep, args=[SECONDS]).start()


def remove_results() -> None:
    shutil.rmtree("results")


def rename_results() -> None:
    Path("results").rename("elsewhere")


ACTS: dict[str, Callable[[], object]] = {
    "key": fail(KeyError("q2")),
    "exit": sys.exit,
    "exit-now": lambda: os._exit(0),
    "interrupt": fail(KeyboardInterrupt()),
    "base": fail(BaseError("no Exception")),
    "memory": fail(MemoryError()),
    "recursion": endless_recursion,
    "silent": fail(SilentError()),
    "locked": fail(LockedError()),
    "pipe": fail(BrokenPipeError(32, "Broken pipe")),
    "long": fail(RuntimeError("x" * 5_000_000)),
    "signs": fail(RuntimeError("a\x1b[31mred\x1b[0m\x00\u202eb\ud800c\nd")),
    "abort": os.abort,
    "address": lambda: ctypes.string_at(1),
    "close-files": close_files,
    "leave-and-exit": leave_children_and_exit,
    "remove-results": remove_results,
    "rename-results": rename_results,
    "print": print_megabytes,
    "leave-children": leave_children,
    "copy": os.fork,
    "thread": start_thread,
    "change-everything": change_everything,
    "open-files": lambda: [os.dup(1) for _ in range(100)],
}
FACTS: dict[str, tuple[str, Any]] = {
    "size-nan": ("model_bytes", float("nan")),
    "size-negative": ("model_bytes", -1),
    "size-huge": ("model_bytes", 10**400),
    "path-none": ("path", None),
}


@dataclass(slots=True)
class WrongEngine:
    mistake: str
    path: Any = ""
    model_bytes: Any = None
    reads: Reads = "prompt"
    cache_shape: CacheShape | None = None

    def encode(self, request: ScoreRequest) -> Any:
        match self.mistake:
            case "encode-none":
                return None
            case "encode-other":
                return Encoded(replace(request, prompt="another"), Tree((), ()))
            case "encode-tokens":
                return Encoded(request, Tree((-1,), ()))
            case "encode-raises":
                raise IndexError("string index out of range")
            case _:
                return Encoded(request, Tree((), ()))

    def score(self, requests: Sequence[Encoded], skip: frozenset[int] = frozenset()) -> Iterator[Any]:
        indices = [at for at in range(len(requests)) if at not in skip]
        for start in range(0, len(indices), BATCH):
            part = indices[start : start + BATCH]
            batch = ScoredBatch(tuple(part), tuple(reply(requests[at].request) for at in part), 10)
            if start == BATCH:
                ACTS.get(self.mistake, int)()
                batch = CHANGES.get(self.mistake, lambda same: same)(batch)
            yield batch
            while self.mistake == "endless":
                yield batch
            while self.mistake == "endless-empty":
                yield ScoredBatch((), (), 10)

    def render(self, messages: Sequence[Message], *, thinking: bool) -> Any:
        return None if self.mistake == "no-prompt" else "\n".join(each.content for each in messages)

    def encode_prompt(self, request: GenerateRequest) -> Any:
        return (1.5,) if self.mistake == "prompt-tokens" else (1, 2)

    def generate(
        self,
        requests: Sequence[GenerateRequest],
        prompts: Sequence[Tokens],
        skip: frozenset[int] = frozenset(),
    ) -> Iterator[Any]:
        indices = tuple(at for at in range(len(prompts)) if at not in skip)
        samples: tuple[Any, ...] = (Completion("A", finished=True, tokens=1),) * requests[0].samples
        lengths: tuple[Any, ...] = (2,) * len(indices)
        match self.mistake:
            case "missing":
                indices, lengths = indices[1:], lengths[1:]
            case "samples":
                samples = samples * 2
            case "no-text":
                samples = (Completion(None, finished=True, tokens=1),)  # pyright: ignore[reportArgumentType]
            case "counts":
                samples = (Completion("A", finished=True, tokens=-1),)
            case "lengths":
                lengths = ()
            case _:
                pass
        yield WrittenBatch(indices, (samples,) * len(indices), lengths, 10)

    def close(self) -> None:
        if self.mistake == "close":
            raise RuntimeError("cannot close")


def reply(request: ScoreRequest) -> Scores:
    sets = tuple(tuple(-1.0 if "yes" in text else -2.0 for text in texts) for texts in request.continuations)
    return Scores(request.prompt, 1, sets, tuple((1,) * len(texts) for texts in sets))


def _open(opening: Opening) -> Engine:
    mistake = Settings.model_validate(opening.card.settings).mistake
    if mistake == "open":
        raise ZeroDivisionError("division by zero")
    return WrongEngine(mistake, **dict([FACTS[mistake]] if mistake in FACTS else []))


WRONG = EngineKind(
    reads="prompt", architectures=frozenset({"decoder"}), choices=frozenset({"prompt", "generate"}),
    settings=Settings, opens=Standalone(_open),
)  # fmt: skip
