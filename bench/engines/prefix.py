"""What all prompts of a cell begin with, computed once and shown to every batch."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import Cache
from transformers.cache_utils import CacheLayerMixin

from bench.types import Tokens

SHORTEST = 32
"""Tokens from which a shared beginning is worth it: a batch behind one needs a mask."""


class PrefixLayer(CacheLayerMixin):
    """One layer's keys and values of the prefix, (1, heads, tokens, head size), put before every row's.

    Nothing is kept of the rows: transformers' own cache would hold all layers' keys at once.
    """

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()
        self.keys, self.values = keys, values
        self.is_initialized = True

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Nothing is to be set up."""

    def update(
        self, key_states: Tensor, value_states: Tensor, *_args: object, **_kwargs: object
    ) -> tuple[Tensor, Tensor]:
        return _before(self.keys, key_states), _before(self.values, value_states)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.get_seq_length() + query_length, 0

    def get_seq_length(self) -> int:
        assert self.keys is not None
        return int(self.keys.shape[-2])

    def get_max_length(self) -> int:
        return -1


def _before(prefix: Tensor | None, own: Tensor) -> Tensor:
    assert prefix is not None
    return torch.cat([prefix.expand(own.shape[0], -1, -1, -1), own], dim=-2)


def prefill(model: Any, prefix: Tokens) -> Cache | None:
    """Run the prefix through the model once; None where there is no prefix."""
    if not prefix:
        return None
    ids = torch.tensor([prefix], device=model.device)
    with torch.inference_mode():
        cache = model.base_model(input_ids=ids, use_cache=True).past_key_values
    return Cache(layers=[PrefixLayer(*_states(layer, len(prefix))) for layer in cache.layers])


def _states(layer: Any, tokens: int) -> Sequence[Tensor]:
    """Raises ValueError where a layer does not hold every position (recurrent, or a short window)."""
    if getattr(layer, "keys", None) is None or layer.keys.shape[-2] != tokens:
        raise ValueError("the cache does not hold every position")
    return layer.keys, layer.values
