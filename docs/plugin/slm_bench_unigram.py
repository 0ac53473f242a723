"""A whole engine: a unigram language model. Its weights are word counts, {"the": 120, "heart": 7, …}."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from bench.config import Strict
from bench.engines.engine import Engine, Opening
from bench.engines.kinds import EngineKind, FromWeights
from bench.engines.packing import by_set
from bench.errors import BenchError, PromptTooLong
from bench.inputs.weights import Weights
from bench.types import Branch, Encoded, Reads, ScoredBatch, ScoreRequest, Scores, Tokens, Tree


class Settings(Strict):
    """A card's `settings`, checked when the card is read."""

    smoothing: Annotated[float, Field(gt=0)] = 1.0


@dataclass(frozen=True, slots=True)
class Unigram:
    """`logprobs[i]` is the log-probability of word i; 0 stands for all unknown words."""

    ids: dict[str, int]
    logprobs: tuple[float, ...]
    window: int
    model_bytes: int
    reads: Reads = "prompt"
    path: str = ""

    def _tokens(self, text: str) -> Tokens:
        return tuple(self.ids.get(word, 0) for word in text.casefold().split())

    def encode(self, request: ScoreRequest) -> Encoded:
        sets = (tuple(Branch(self._tokens(text)) for text in texts) for texts in request.continuations)
        tree = Tree(self._tokens(request.prompt), tuple(sets))
        if tree.longest > self.window:
            raise PromptTooLong(tree.longest, self.window)
        return Encoded(request, tree)

    def score(self, requests: Sequence[Encoded], skip: frozenset[int] = frozenset()) -> Iterator[ScoredBatch]:
        for at, encoded in enumerate(requests):
            if at not in skip:
                yield ScoredBatch((at,), (self._scores(encoded),), batch_tokens=1)

    def _scores(self, encoded: Encoded) -> Scores:
        tree = encoded.tree
        sums = by_set(tree.branches, [sum(self.logprobs[i] for i in b.tokens) for b in tree.flat])
        counts = by_set(tree.branches, [len(branch.tokens) for branch in tree.flat])
        return Scores(encoded.request.prompt, len(tree.stem), sums, counts)

    def close(self) -> None:
        """Nothing is held."""


def _open(opening: Opening, weights: Weights) -> Engine:
    smoothing = Settings.model_validate(opening.card.settings).smoothing
    try:
        counts: dict[str, int] = json.loads(weights.path.read_bytes())
        values = [smoothing, *(count + smoothing for count in counts.values())]
        ids = {word.casefold(): at for at, word in enumerate(counts, start=1)}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise BenchError(f"{weights.path} is not a JSON object of word counts: {error}") from error
    logprobs = tuple(math.log(value / sum(values)) for value in values)
    return Unigram(ids, logprobs, opening.card.context or 2048, model_bytes=8 * len(logprobs))


UNIGRAM = EngineKind(
    opens=FromWeights(_open), settings=Settings, sources=frozenset({"path"}), files=("*.json",),
    reads="prompt", architectures=frozenset({"decoder"}),
)  # fmt: skip
