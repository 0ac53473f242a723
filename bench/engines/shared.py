"""Score on the shared path: a stem is run once, and the states after it are copied for each of its rows.

States are whatever transformers' cache keeps: keys and values, those of a sliding window, and the states of
recurrent and convolution layers. Where these stand in the way of packed rows, which need a mask, copies of
them are still exact.
"""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from transformers import Cache

from bench.engines.batching import Shape
from bench.engines.packing import Layout, common_prefix, lay_out
from bench.engines.replies import Reading, score_in_batches
from bench.engines.torch_scoring import is_out_of_memory, padded, projecting_only, read
from bench.types import Encoded, ScoredBatch, Tokens, Tree

STATE_BYTES = 2**18
"""Bytes of kept states that one token of a batch's budget stands for: 400 MB at 1,536 tokens."""
SPREAD = 16
"""Tokens by which the stems of a batch may differ: those beyond the shortest are run with each branch."""


class CopiedStates(Cache):
    """The states of `source`, copied for new rows: row i continues row `origins[i]` of the source.

    A layer is copied when the model comes to it, and dropped at the next one, so that copies of one layer are
    held at a time. The source stays as it is.
    """

    def __init__(self, source: Cache, origins: Tensor) -> None:
        super().__init__(layers=source.layers)
        self.origins = origins
        self.current: tuple[int, Any] = (-1, None)

    def _layer(self, layer_idx: int) -> Any:
        if self.current[0] != layer_idx:
            self.current = layer_idx, copied(self.layers[layer_idx], self.origins)
        return self.current[1]

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        return self._layer(layer_idx).update(key_states, value_states, *args, **kwargs)

    def get_conv_state(self, layer_idx: int, state_idx: int = 0) -> Tensor | None:
        return self._layer(layer_idx).conv_states[state_idx]

    def update_conv_state(
        self, conv_states: Tensor, layer_idx: int, state_idx: int = 0, **kwargs: Any
    ) -> Tensor:
        return self._layer(layer_idx).update_conv_state(conv_states, state_idx, **kwargs)

    def get_recurrent_state(self, layer_idx: int, state_idx: int = 0) -> Tensor | None:
        return self._layer(layer_idx).recurrent_states[state_idx]

    def update_recurrent_state(
        self, recurrent_states: Tensor, layer_idx: int, state_idx: int = 0, **kwargs: Any
    ) -> Tensor:
        return self._layer(layer_idx).update_recurrent_state(recurrent_states, state_idx, **kwargs)


def copied(layer: Any, origins: Tensor) -> Any:
    """A layer with states of its own: those of the rows `origins`."""
    new = copy(layer)
    # Recurrent layers keep their states in dicts, which `reorder_cache` fills with new tensors.
    vars(new).update({name: {**value} for name, value in vars(layer).items() if isinstance(value, dict)})
    new.reorder_cache(origins)
    return new


def score(
    model: Any, requests: Sequence[Encoded], budget: int, skip: frozenset[int] = frozenset()
) -> Iterator[ScoredBatch]:
    """Score requests in batches of about `budget` tokens. Their common prefix runs once for all of them."""
    trees = [encoded.tree for encoded in requests]
    if not trees:
        return
    common = common_prefix(trees)
    prefix = _run(model, [common], None) if common else None
    trees = [replace(tree, stem=tree.stem[len(common) :]) for tree in trees]
    start = prefix or _run(model, [trees[0].stem[:1]], None)
    state_bytes = sum(tensor.nbytes for tensor in tensors(start))
    forks = any(len(lay_out([tree], "shared").rows) > 1 for tree in trees)
    shapes = [shape(tree, state_bytes) for tree in trees]

    def forward(indices: Sequence[int]) -> tuple[Layout, Reading]:
        batch = [trees[index] for index in indices]
        layout = lay_out(batch, "shared")
        return layout, _forward(model, batch, layout, prefix)

    spread = SPREAD if forks else None
    yield from score_in_batches(requests, trees, shapes, budget, forward, is_out_of_memory, skip, spread)


def shape(tree: Tree, state_bytes: int) -> Shape:
    """(rows, tokens of the stem): as many rows as the stem, its branches or `state_bytes` of states take."""
    stem = len(tree.stem)
    branches = sum(len(row.tokens) - stem + 1 for row in lay_out([tree], "shared").rows)
    return max(1, -(-max(branches, state_bytes // STATE_BYTES) // stem)), stem


def tensors(states: Cache) -> list[Tensor]:
    """All tensors of the states; recurrent layers keep theirs in dicts."""
    values = [value for layer in states.layers for value in vars(layer).values()]
    flat = [one for value in values for one in (value.values() if isinstance(value, dict) else [value])]
    return [one for one in flat if isinstance(one, Tensor)]


def _forward(model: Any, batch: Sequence[Tree], layout: Layout, prefix: Cache | None) -> Reading:
    # The stems' beginnings have one length, as a recurrent state after padding would be another one. What
    # remains of the longer stems is run with their branches, where padding on the right follows all reads.
    forks = len(layout.rows) > len(batch)
    cut = min(len(tree.stem) for tree in batch) - 1 if forks else 0
    states = _run(model, [tree.stem[:cut] for tree in batch], prefix) if cut else prefix
    rows = tuple(replace(row, tokens=row.tokens[cut:], trunk=row.trunk - cut) for row in layout.rows)
    rest = replace(layout, rows=rows, places=tuple((row, at - cut) for row, at in layout.places))
    origins = torch.tensor([row.tree if cut else 0 for row in rows], device=model.device)
    with torch.inference_mode(), projecting_only(model, rest):
        logits = model(
            input_ids=padded([row.tokens for row in rows], model.device),
            past_key_values=CopiedStates(states, origins) if states else None,
            use_cache=False,
        ).logits
    return read(logits, rest)


def _run(model: Any, rows: Sequence[Tokens], prefix: Cache | None) -> Cache:
    """The states after `rows`, all of one length, that follow `prefix`."""
    origins = torch.zeros(len(rows), dtype=torch.long, device=model.device)
    with torch.inference_mode():
        past = Cache(layers=[copied(layer, origins) for layer in prefix.layers]) if prefix else None
        ids = torch.tensor(rows, device=model.device)
        return model.base_model(input_ids=ids, past_key_values=past, use_cache=True).past_key_values
