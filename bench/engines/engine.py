"""The narrow waist: everything that can answer a question fits this protocol."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from bench.inputs.adapter import Adapter
from bench.inputs.model_card import ModelCard
from bench.inputs.weights import NO_TRUST, Trust
from bench.types import (
    Dtype,
    Encoded,
    GenerateRequest,
    Item,
    Message,
    Quantization,
    Reads,
    ScoredBatch,
    ScoreRequest,
    Scores,
    Tokens,
    Value,
    WrittenBatch,
)

ENGINE_VERSION = 2
"""Raised when a change moves scores: it is part of every cell's identity."""


class Engine(Protocol):
    """One loaded model.

    `encode` turns a request into tokens and raises PromptTooLong where it does not fit. `score`
    takes all the requests of a cell, so that what they share is computed once, and yields replies
    batch by batch, in an order of its own. A batch of which every index is in `skip` was answered
    before: it is left out, and the others are what they would be without it, so that an interrupted
    cell that goes on gives the numbers of one that was not.
    """

    @property
    def reads(self) -> Reads:
        """`item`: a reply is one set, a weight for each option. `prompt`: a reply has the log-probability
        of every continuation that was asked for, in its set, and of how many tokens."""
        ...

    @property
    def path(self) -> str:
        """How forward passes are made: `packed` or `plain`; `` for an engine that makes none."""
        ...

    @property
    def model_bytes(self) -> int | None:
        """The weights as they are held in memory, in bytes; None for an engine without weights."""
        ...

    def encode(self, request: ScoreRequest) -> Encoded: ...

    def score(
        self, requests: Sequence[Encoded], skip: frozenset[int] = frozenset()
    ) -> Iterator[ScoredBatch]: ...

    def close(self) -> None: ...


@runtime_checkable
class LanguageModel(Engine, Protocol):
    """An engine that also takes chat messages and writes text of its own."""

    def render(self, messages: Sequence[Message], *, thinking: bool) -> str:
        """The text that the model's chat template makes of the messages, up to the assistant's answer."""
        ...

    def encode_prompt(self, request: GenerateRequest) -> Tokens:
        """Raises PromptTooLong."""
        ...

    def generate(
        self,
        requests: Sequence[GenerateRequest],
        prompts: Sequence[Tokens],
        skip: frozenset[int] = frozenset(),
    ) -> Iterator[WrittenBatch]: ...


@dataclass(frozen=True, slots=True)
class Opening:
    """What an engine is opened with, beside its weights where it has any.

    `dtype` is None for an engine that takes none. `train` are the items that a baseline learns from.
    """

    card: ModelCard
    dtype: Dtype | None = None
    train: tuple[Item, ...] = ()
    seed: int = 0
    quantize: Quantization = "none"
    trust: Trust = NO_TRUST
    adapter: Adapter | None = None
    batch: float = 1.0
    """Batches hold this share of the usual tokens: less after memory ran out."""
    more: Mapping[str, Value] = field(default_factory=dict[str, Value])
    """The choices that other packages add, by name."""


def in_order(batches: Iterable[ScoredBatch]) -> list[Scores]:
    """The replies of all batches, in the order of the requests."""
    found = {
        index: scores for batch in batches for index, scores in zip(batch.indices, batch.replies, strict=True)
    }
    return [found[index] for index in range(len(found))]
