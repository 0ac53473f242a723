"""The common prefix of a cell's prompts: its keys and values are computed once, for all batches."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import Cache
from transformers.cache_utils import CacheLayerMixin

from bench.types import Tokens


class PrefixLayer(CacheLayerMixin):
    """The prefix's keys and values in one layer, (1, heads, tokens, head size), put before those of each row.

    It keeps nothing of the rows: transformers' own cache would keep the keys of all layers at once.
    """

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()
        self.prefix_keys, self.prefix_values = keys, values
        self.is_initialized = True

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """The keys and values are given from the start."""

    def update(
        self, key_states: Tensor, value_states: Tensor, *_args: object, **_kwargs: object
    ) -> tuple[Tensor, Tensor]:
        return _concatenate(self.prefix_keys, key_states), _concatenate(self.prefix_values, value_states)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.get_seq_length() + query_length, 0

    def get_seq_length(self) -> int:
        return int(self.prefix_keys.shape[-2])

    def get_max_length(self) -> int:
        return -1


def _concatenate(prefix: Tensor, own: Tensor) -> Tensor:
    """`own` is (rows, heads, tokens, head size)."""
    return torch.cat([prefix.expand(own.shape[0], -1, -1, -1), own], dim=-2)


def prefill(model: Any, prefix: Tokens) -> Cache | None:
    """Run the prefix through the model; None where it is empty.

    Raises a ValueError where a layer does not keep every position (a recurrent one, or a short window).
    """
    if not prefix:
        return None
    ids = torch.tensor([prefix], device=model.device)
    with torch.inference_mode():
        cache = model.base_model(input_ids=ids, use_cache=True).past_key_values
    return Cache(layers=[PrefixLayer(*_states(layer, len(prefix))) for layer in cache.layers])


def _states(layer: Any, tokens: int) -> Sequence[Tensor]:
    """The keys and values of a layer, each (1, heads, tokens, head size)."""
    if getattr(layer, "keys", None) is None or layer.keys.shape[-2] != tokens:
        raise ValueError("the cache does not keep every position")
    return layer.keys, layer.values
