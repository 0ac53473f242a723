"""Whether an adapter was made for a model: by its card, else by the base model that it names."""

from bench.errors import Unavailable
from bench.inputs.adapter import Adapter
from bench.inputs.model_card import HubSource, ModelCard
from bench.inputs.weights import RemoteWeights, Weights


def check_fits(adapter: Adapter, card: ModelCard, weights: Weights | RemoteWeights) -> None:
    """Raises Unavailable where the adapter was made for another model; one that names no model passes."""
    made = adapter.card
    if made is not None:
        if made.base != card.name:
            _refuse(adapter, made.base, card)
        if made.weights != weights.revision:
            remedy = f"tune {card.name} again with bench tune"
            raise Unavailable(f"the adapter {adapter.name} was made for other weights of {card.name}", remedy)
    elif (
        isinstance(card.source, HubSource)
        and adapter.base.count("/") == 1
        and adapter.base.casefold() != card.source.hub.casefold()
    ):
        _refuse(adapter, adapter.base, card)
    elif isinstance(card.source, HubSource) and adapter.base:
        _check_revision(adapter, card.source, weights)


def _check_revision(adapter: Adapter, source: HubSource, weights: Weights | RemoteWeights) -> None:
    """Raises Unavailable where the adapter was made for another branch, tag or commit of its base model."""
    revision = adapter.base_revision
    if revision not in ("", "main", source.revision) and not weights.revision.startswith(revision):
        reason = f"the adapter {adapter.name} was made for revision {revision} of {adapter.base}"
        raise Unavailable(reason, f"write source: {{hub: {source.hub}, revision: {revision}}} in a card")


def _refuse(adapter: Adapter, base: str, card: ModelCard) -> None:
    reason = f"the adapter {adapter.name} was made for {base}, not for {card.name}"
    raise Unavailable(reason, f"name that model with --models, or tune {card.name} with bench tune")
