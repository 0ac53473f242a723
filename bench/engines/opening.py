"""A card and its weights -> an engine: transformers for weights, a plugin for what has none.

Nothing heavy is imported here before it is needed.
"""

from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import entry_points
from typing import cast

from bench.engines.engine import Engine, Opening
from bench.errors import UsageError, did_you_mean
from bench.inputs.model_card import EngineSource
from bench.inputs.weights import RemoteWeights, fetch


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
