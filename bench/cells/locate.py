"""Where the weights of a card are, by the engine and the file that a variant asks for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from bench.errors import Unavailable
from bench.inputs.cards import AnyCard, CardFile
from bench.inputs.engine_choice import as_run_by
from bench.inputs.model_card import ModelCard
from bench.inputs.weights import (
    RemoteWeights,
    Trust,
    Weights,
    check_access,
    check_installed,
    find_weights,
)

Located = Weights | RemoteWeights | None
"""Where a model's weights are; None for a model without any."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A card as its engine runs it, and its weights; Unavailable where they cannot be used here."""

    card: ModelCard
    weights: Located | Unavailable


Locate = Callable[[str, str | None, str | None], Placed | Unavailable]
"""(name of a card, engine, GGUF file) -> the card as that engine runs it; Unavailable where it cannot."""


def locator(cards: Sequence[AnyCard], trust: Trust, *, offline: bool) -> Locate:
    """A function that locates the weights of these cards, each once."""
    by_name = {file.name: file for file in cards if isinstance(file, CardFile)}

    @cache
    def locate(name: str, engine: str | None, gguf: str | None) -> Placed | Unavailable:
        try:
            file = as_run_by(by_name[name], engine, gguf)
            check_installed(file.card)
            check_access(file.card, trust, offline=offline)
        except Unavailable as error:
            return error
        try:
            return Placed(file.card, find_weights(file, offline=offline, trust=trust))
        except Unavailable as error:
            return Placed(file.card, error)

    return locate
