"""Gated models: the hub gives their files only with a token of an account that accepted the terms."""

from collections.abc import Callable, Iterable

from bench.errors import Unavailable
from bench.inputs.cards import AnyCard, CardFile
from bench.inputs.hub import LOGIN
from bench.inputs.model_card import HubSource, ModelCard

REMEDY = f"accept the terms on the model's page of the hub, then {LOGIN}"


def models_that_need_a_token(files: Iterable[AnyCard], is_here: Callable[[CardFile], bool]) -> list[str]:
    """The names of the gated models whose files are still to be downloaded, in the order of the cards."""
    return [file.name for file in files if isinstance(file, CardFile) and needs_token(file, is_here)]


def needs_token(file: CardFile, is_here: Callable[[CardFile], bool]) -> bool:
    """Whether the model is gated, and its files are still to be downloaded."""
    return file.card.gated and isinstance(file.card.source, HubSource) and not is_here(file)


def has_token() -> bool:
    """Whether the hub client has a token: from HF_TOKEN, or from `hf auth login`."""
    from huggingface_hub import get_token

    return bool(get_token())


def require_token(card: ModelCard) -> None:
    """Raises Unavailable where the model is gated and this machine has no token."""
    if card.gated and not has_token():
        raise Unavailable("the model is gated, and this machine has no token for the hub", REMEDY)
