"""The narrow waist: everything that can answer a question fits this protocol."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from typing import Protocol, cast

from bench.errors import UsageError, did_you_mean
from bench.inputs.model_card import EngineSource, ModelCard
from bench.inputs.weights import RemoteWeights, Weights, fetch
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


def prepare(opening: Opening) -> Opening:
    """What is done once and is no cost of the model: downloading, converting, importing libraries."""
    if opening.weights is None:
        return opening
    from bench.engines.loading import readable_folder

    weights = fetch(opening.weights) if isinstance(opening.weights, RemoteWeights) else opening.weights
    readable_folder(weights)
    return replace(opening, weights=weights)


def open_engine(opening: Opening) -> Engine:
    """Load the model; a card with `source: {engine: NAME}` names a plugin of `bench.engines`."""
    match opening.card.source:
        case EngineSource(engine=name):
            return _plugin(name)(opening)
        case _:
            from bench.engines.loading import open_transformers

            return open_transformers(opening)


def _plugin(name: str) -> Callable[[Opening], Engine]:
    known = {point.name: point for point in entry_points(group="bench.engines")}
    if name not in known:
        raise UsageError(f"no engine is named '{name}'{did_you_mean(name, known)}; is its package installed?")
    return cast("Callable[[Opening], Engine]", known[name].load())
