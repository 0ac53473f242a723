"""An engine without a model, for testing boards and sweeps: its accuracy is what its card says.

    engine: fake
    settings: {accuracy: 0.4}

Its answers depend on the card's name and the question alone, so their order does not matter. It reads no
prompt. A batch has `batch` questions and takes `seconds`. From question number `after` on it can fail as
models do: run out of memory, be killed, crash outside Python, or hang. Where `log` names a file, each
question that is answered is a line there. The value of the environment variable `shows` is its path.
"""

import os
import random
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from bench.config import Strict
from bench.engines.batching import plan_batches
from bench.engines.engine import Engine, Opening
from bench.engines.kinds import EngineKind, Standalone
from bench.types import Encoded, Item, Reads, ScoredBatch, ScoreRequest, Scores, Tree


class Settings(Strict):
    accuracy: float = Field(0.25, ge=0, le=1)
    batch: int = Field(64, ge=1)
    seconds: float = Field(0.0, ge=0)
    fault: Literal["none", "memory", "error", "killed", "crash", "hang"] = "none"
    after: int = Field(0, ge=0)
    log: str = ""
    shows: str = ""


@dataclass(frozen=True, slots=True)
class FakeEngine:
    name: str
    settings: Settings
    reads: Reads = "item"
    model_bytes: int | None = None

    @property
    def path(self) -> str:
        return os.environ.get(self.settings.shows, "")

    def encode(self, request: ScoreRequest) -> Encoded:
        return Encoded(request, Tree((), ()))

    def score(self, requests: Sequence[Encoded], skip: frozenset[int] = frozenset()) -> Iterator[ScoredBatch]:
        for batch in plan_batches([(1, 1)] * len(requests), self.settings.batch):
            if not skip.issuperset(batch):
                if batch[-1] >= self.settings.after:
                    _fail(self.settings.fault)
                time.sleep(self.settings.seconds)
                replies = tuple(self._score(requests[index].request.item) for index in batch)
                self._log([requests[index].request.item.id for index in batch])
                yield ScoredBatch(tuple(batch), replies, self.settings.batch)

    def _score(self, item: Item) -> Scores:
        draw = random.Random(f"{self.name}\n{item.question}")
        logprobs = [-1.0 - draw.random() for _ in item.options]
        wrong = [index for index in range(len(item.options)) if index != item.answer]
        likeliest = item.answer if draw.random() < self.settings.accuracy else draw.choice(wrong)
        logprobs[likeliest] = -draw.random()
        return Scores("", 0, (tuple(logprobs),))

    def _log(self, ids: Sequence[str]) -> None:
        if self.settings.log:
            with Path(self.settings.log).open("a", encoding="utf-8") as file:
                file.write("".join(f"{self.name} {one}\n" for one in ids))

    def close(self) -> None:
        """There is nothing to close."""


def _fail(fault: str) -> None:
    match fault:
        case "memory":
            raise MemoryError
        case "error":
            raise RuntimeError("CUDA error:\n  an illegal memory access\nwas encountered\n")
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "hang":
            time.sleep(10**6)
        case _:
            pass


def _open(opening: Opening) -> Engine:
    return FakeEngine(opening.card.name, Settings.model_validate(opening.card.settings))


FAKE = EngineKind(
    reads="item", architectures=frozenset({"baseline"}), settings=Settings, opens=Standalone(_open)
)
