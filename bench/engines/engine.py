"""The protocol of an engine: everything that can answer a question implements it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from bench.inputs.adapter import Adapter
from bench.inputs.model_card import ModelCard
from bench.inputs.weights import NO_TRUST, Trust
from bench.types import (
    CacheShape,
    Dtype,
    Encoded,
    GenerateRequest,
    Item,
    Message,
    MoreScores,
    PromptStyle,
    Quantization,
    Reads,
    ScoredBatch,
    ScoreRequest,
    Scores,
    ServerFacts,
    Tokens,
    Value,
    WrittenBatch,
)

ENGINE_VERSION = 2
"""Increased when a change moves scores; it is part of every cell's identity."""


class Engine(Protocol):
    """One loaded model.

    `encode` turns a request into tokens and raises PromptTooLong where it does not fit. `score` takes all
    requests of a cell, so that what they share is computed once, and yields replies batch by batch, in
    any order. `skip` has the indices of requests that were answered before: a batch of these alone is
    left out, and all other batches are the same as without `skip`. So a cell that was interrupted and
    resumes gives the same numbers as one that was not.
    """

    @property
    def reads(self) -> Reads:
        """`item`: a reply has one set, the log-weights of the options.

        `prompt`: a reply has the log-probability and the number of tokens of every
        continuation of the request, in the same sets.
        """
        ...

    @property
    def path(self) -> str:
        """How continuations are scored: `packed`, `shared` or `plain`; "" without forward passes."""
        ...

    @property
    def model_bytes(self) -> int | None:
        """Size of the weights in memory, in bytes; None for an engine without weights."""
        ...

    def encode(self, request: ScoreRequest) -> Encoded: ...

    def score(
        self, requests: Sequence[Encoded], skip: frozenset[int] = frozenset()
    ) -> Iterator[ScoredBatch]: ...

    def close(self) -> None: ...


@runtime_checkable
class LanguageModel(Engine, Protocol):
    """An engine that also takes chat messages and generates text."""

    def render(self, messages: Sequence[Message], *, thinking: bool) -> str:
        """The prompt that the model's chat template makes of the messages, up to the assistant's answer."""
        ...

    def encode_prompt(self, request: GenerateRequest) -> Tokens:
        """The prompt in tokens. Raises PromptTooLong where it does not fit, with the tokens to be written."""
        ...

    def generate(
        self,
        requests: Sequence[GenerateRequest],
        prompts: Sequence[Tokens],
        skip: frozenset[int] = frozenset(),
    ) -> Iterator[WrittenBatch]:
        """Completions, batch by batch. `prompts` are the encoded ones; `skip` is as in `score`."""
        ...


@runtime_checkable
class JoinsPrompts(Engine, Protocol):
    """An engine whose trees are of prompts and continuations alike, so that prompts can share a tree."""

    @property
    def joins_prompts(self) -> bool:
        """Whether `bench.engines.packing.joined` requests are scored as each of them alone."""
        ...


@runtime_checkable
class ScoresMore(JoinsPrompts, Protocol):
    """An engine that can score further prompts of a batch's questions while it still holds their stems."""

    def score_with_more(
        self,
        requests: Sequence[Encoded],
        more: Callable[[int], Sequence[Encoded]],
        skip: frozenset[int] = frozenset(),
    ) -> Iterator[ScoredBatch | MoreScores]:
        """As `score`, bit for bit; after a batch may come the replies to some of the further requests.

        `more` gives those of the request at an index. It is called when the batch has been yielded, and
        nothing of the further requests is run before the first one.
        """
        ...


@runtime_checkable
class WithTowers(Protocol):
    """An engine whose model may hold parts that no text passes through."""

    @property
    def tower_bytes(self) -> int | None:
        """Size of the vision and audio towers in memory, in bytes; None for a model without."""
        ...


@runtime_checkable
class WithAccelerators(Protocol):
    """An engine whose model may be on several accelerators."""

    @property
    def accelerators(self) -> int | None:
        """How many hold the model; None for fewer than two."""
        ...


@runtime_checkable
class WithPositions(Protocol):
    """An engine whose model may be asked beyond the positions that it was made for."""

    @property
    def positions(self) -> int | None:
        """The tokens that the model was made for; None where longer ones are refused, or nothing is known."""
        ...


@runtime_checkable
class WithCache(Protocol):
    """An engine whose model may keep keys and values of tokens."""

    @property
    def cache_shape(self) -> CacheShape | None:
        """What it keeps of a token; None for a model without, or with one of another kind."""
        ...


@runtime_checkable
class WithOwnTokenizer(Protocol):
    """An engine that makes tokens by itself, where another library does so too for the same model."""

    def compare_tokens(self, texts: Sequence[str]) -> str:
        """A sentence on the texts that have other tokens there; "" without any, or where that is unknown."""
        ...


@runtime_checkable
class WithBuild(Protocol):
    """An engine whose library is compiled for certain processors, and has threads of its own."""

    @property
    def build(self) -> str:
        """The instruction sets and back ends that the build uses."""
        ...

    @property
    def threads(self) -> int:
        """The threads that it computes with."""
        ...


@runtime_checkable
class WithServer(Protocol):
    """An engine whose model is behind a server, which may give less than a model here, and be elsewhere."""

    @property
    def letters_only(self) -> bool:
        """Whether replies have the scores of letters alone: the sets of other continuations are empty."""
        ...

    @property
    def limits(self) -> tuple[str, ...]:
        """What the server cannot give, a sentence each."""
        ...

    @property
    def answers_as(self) -> str:
        """The model that answers now, and how answers are read: others are not mixed with them."""
        ...

    # Methods, because isinstance reads every property, and these look at the processes of the machine.
    def server_facts(self) -> ServerFacts: ...

    def server_memory_bytes(self) -> int | None:
        """The peak memory of its processes; None where it is not on this machine, or unknown."""
        ...


@dataclass(frozen=True, slots=True)
class Opening:
    """What an engine is opened with, apart from weights.

    `dtype` is None for an engine without one. `train` has the items that a baseline learns from. `style` is
    that of the prompts, None where it is not known yet, and `writes` is whether replies are generated.
    """

    card: ModelCard
    dtype: Dtype | None = None
    train: tuple[Item, ...] = ()
    seed: int = 0
    quantize: Quantization = "none"
    trust: Trust = NO_TRUST
    adapter: Adapter | None = None
    style: PromptStyle | None = None
    writes: bool = False
    batch: float = 1.0
    """Size of a batch as a share of the usual number of tokens: below 1 after memory ran out."""
    more: Mapping[str, Value] = field(default_factory=dict[str, Value])
    """Choices that other packages add, by name."""


def in_order(batches: Iterable[ScoredBatch]) -> list[Scores]:
    """The replies of all batches, in the order of the requests."""
    replies = {
        index: scores for batch in batches for index, scores in zip(batch.indices, batch.replies, strict=True)
    }
    return [replies[index] for index in range(len(replies))]
