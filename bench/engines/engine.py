"""The narrow waist: everything that can answer a question fits this protocol."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bench.inputs.model_card import ModelCard
from bench.inputs.weights import RemoteWeights, Weights
from bench.types import Dtype, Encoded, Item, ScoreRequest, Scores

ENGINE_VERSION = 1
"""Raised when a change moves scores: it is part of every cell's identity."""


class Engine(Protocol):
    """One loaded model.

    `encode` turns a request into tokens and raises PromptTooLong where it does not fit; `score`
    takes one batch and replies in its order. A batch is best filled with about `batch_tokens`.
    """

    @property
    def batch_tokens(self) -> int: ...

    def encode(self, request: ScoreRequest) -> Encoded: ...

    def score(self, batch: Sequence[Encoded]) -> list[Scores]: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Opening:
    """What an engine is opened with. `dtype` and `weights` are None for a baseline."""

    card: ModelCard
    weights: Weights | RemoteWeights | None
    dtype: Dtype | None
    train: tuple[Item, ...]
    seed: int
