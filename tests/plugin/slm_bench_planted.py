"""An engine with a planted fault, for testing probes. It reads the prompt of multiple-choice questions.

    engine: planted
    settings: {fault: letter}

What it knows comes from the texts alone, never from their places, unless that is its fault. Published options
end in their place, "(0)", "(1)", …, which only a model that memorised the order makes use of.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.config import Strict
from bench.engines.batching import plan_batches
from bench.engines.engine import Engine, Opening
from bench.engines.kinds import EngineKind, Standalone
from bench.inputs.task import NOTA
from bench.types import Encoded, Item, Reads, ScoredBatch, ScoreRequest, Scores, Tree

Fault = Literal["none", "letter", "options", "sure", "memory", "nota", "wording", "other_wording"]
BATCH = 50


class Settings(Strict):
    fault: Fault = "none"


@dataclass(frozen=True, slots=True)
class PlantedEngine:
    fault: Fault
    reads: Reads = "prompt"
    path: str = ""
    model_bytes: int | None = None

    def encode(self, request: ScoreRequest) -> Encoded:
        return Encoded(request, Tree((), ()))

    def score(self, requests: Sequence[Encoded], skip: frozenset[int] = frozenset()) -> Iterator[ScoredBatch]:
        for batch in plan_batches([(1, 1)] * len(requests), BATCH):
            if not skip.issuperset(batch):
                replies = tuple(self._score(requests[index].request) for index in batch)
                yield ScoredBatch(tuple(batch), replies, BATCH)

    def _score(self, request: ScoreRequest) -> Scores:
        item = request.item
        sets = tuple(
            tuple(self._letters(item, request.prompt))
            if [text.strip(" ()") for text in texts] == list(item.letters)
            else tuple(-float(len(text)) for text in texts)
            for texts in request.continuations
        )
        tokens = tuple((1,) * len(texts) for texts in request.continuations)
        return Scores(request.prompt, len(request.prompt), sets, tokens)

    def _letters(self, item: Item, prompt: str) -> list[float]:
        scores = [self._likes(item, option) for option in item.options]
        if self.fault.endswith("wording") and ("Question:" in prompt) == (self.fault == "wording"):
            scores[item.answer] += 1.0  # one knows more where the prompt says so, the other where it does not
        if self.fault == "letter":
            scores[-1] += 1.5
        if self.fault == "sure":
            scores = [8 * score for score in scores]
        published = all(f"({at})" in option for at, option in enumerate(item.options))
        if self.fault == "memory" and published and item.question:
            scores[item.answer] += 0.6
        return [score - 5 for score in scores]

    def _likes(self, item: Item, option: str) -> float:
        """How much it likes an option: it knows something of the right one, from the question or without."""
        if option == NOTA:
            return 2.0 if self.fault == "nota" else -1.0
        question = "" if self.fault == "options" else item.question
        draw = random.Random(f"{question}\n{option}")
        known = "right" in option and (self.fault == "options" or item.question != "")
        return draw.gauss(0.0, 1.0) + (1.0 if known else 0.0)

    def close(self) -> None:
        """There is nothing to close."""


def _open(opening: Opening) -> Engine:
    return PlantedEngine(Settings.model_validate(opening.card.settings).fault)


PLANTED = EngineKind(
    reads="prompt", architectures=frozenset({"decoder"}), settings=Settings, opens=Standalone(_open)
)
