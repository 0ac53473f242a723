"""More prompts for questions that a model has just scored: only the tokens that differ are computed.

The keys and values of a question's packed row are kept, and the tokens of its further prompts follow the
place at which each of them leaves the row's stem. Pure but for `KeptLayer` and `extend`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import Cache
from transformers.cache_utils import CacheLayerMixin

from bench.engines.packing import Layout, Read, Row, shared_length
from bench.engines.replies import Reading
from bench.engines.torch_scoring import additive, is_out_of_memory, padded, projecting_only, read
from bench.types import Branch, Tokens, Tree


@dataclass(frozen=True, slots=True)
class Extension:
    """The new tokens of one row. Token i follows the place `parents[i]`, and sees it and its ancestors.

    Places up to `stem` - 1 are those of the row's stem, and `stem` + j is that of new token j. `depths` are
    the numbers of each token's ancestors. `reads` are (new token, what it predicts, tree, branch).
    """

    stem: int
    tokens: Tokens
    parents: tuple[int, ...]
    depths: tuple[int, ...]
    reads: tuple[tuple[int, int, int, int], ...]

    def seen(self, width: int) -> Tensor:
        """Which places each new token sees, (new tokens, `width` + new tokens); new ones begin at `width`."""
        mask = torch.zeros(len(self.tokens), width + len(self.tokens), dtype=torch.bool)
        for at, parent in enumerate(self.parents):
            if parent < self.stem:
                mask[at, : parent + 1] = True
            else:
                mask[at] = mask[parent - self.stem]
            mask[at, width + at] = True
        return mask


def extension(stem: Tokens, trees: Sequence[Tree]) -> Extension:
    """The tokens of the trees that do not follow the stem, each distinct beginning once.

    The token that predicts the first scored one is always a new one, since nothing was kept of its logits.
    """
    tokens: list[int] = []
    parents: list[int] = []
    depths: list[int] = []
    reads: list[tuple[int, int, int, int]] = []
    places: dict[tuple[int, Tokens], int] = {}
    for number, tree in enumerate(trees):
        for branch_number, branch in enumerate(tree.flat):
            whole, first = tree.stem + branch.tokens, _first_scored(tree, branch)
            shared = min(shared_length(stem, whole), first - 1)
            for end in range(shared + 1, len(whole)):
                key = shared, whole[shared:end]
                if key not in places:
                    places[key] = len(tokens)
                    before = places.get((shared, whole[shared : end - 1]))
                    parents.append(shared - 1 if before is None else len(stem) + before)
                    depths.append(end - 1)
                    tokens.append(whole[end - 1])
            reads += (
                (places[shared, whole[shared:end]], whole[end], number, branch_number)
                for end in range(first, len(whole))
            )
    return Extension(len(stem), tuple(tokens), tuple(parents), tuple(depths), tuple(reads))


def _first_scored(tree: Tree, branch: Branch) -> int:
    """The number of tokens before the first scored one."""
    return len(tree.stem) + branch.given


class KeptLayer(CacheLayerMixin):
    """A layer of a cache that keeps the keys and values of one pass, (rows, heads, tokens, head size).

    Those of a common prefix, where there is one, stand before them. A second pass over the rows `rows` sees
    both and is not kept itself.
    """

    def __init__(self, prefix: Any) -> None:
        super().__init__()
        self.prefix = prefix
        self.kept: tuple[Tensor, Tensor] | None = None
        self.rows: list[int] = []
        self.is_initialized = True

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """The prefix is given from the start."""

    def update(
        self, key_states: Tensor, value_states: Tensor, *_args: object, **_kwargs: object
    ) -> tuple[Tensor, Tensor]:
        own = key_states, value_states
        if self.kept is None:
            self.kept = own
        else:
            keys, values = (kept[self.rows] for kept in self.kept)
            own = torch.cat([keys, key_states], dim=-2), torch.cat([values, value_states], dim=-2)
        return self.prefix.update(*own) if self.prefix is not None else own

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.get_seq_length() + query_length, 0

    def get_seq_length(self) -> int:
        kept = 0 if self.kept is None else int(self.kept[0].shape[-2])
        return kept + (self.prefix.get_seq_length() if self.prefix is not None else 0)

    def get_max_length(self) -> int:
        return -1


def keeping(layers: int, prefix: Cache | None) -> Cache:
    """A cache that keeps the next pass."""
    before = prefix.layers if prefix else [None] * layers
    return Cache(layers=[KeptLayer(layer) for layer in before])


def extend(model: Any, kept: Cache, before: int, rows: Sequence[tuple[int, Extension]]) -> list[Reading]:
    """Run the extensions of rows of the kept pass, (row, extension); a reading for each, of its reads.

    `before` is the length of the prefix. When memory runs out, half of the rows are run at a time, and the
    error is raised if it does for a single one.
    """
    try:
        return extend_at_once(model, kept, before, rows)
    except Exception as error:
        if len(rows) == 1 or not is_out_of_memory(error):
            raise
    half = len(rows) // 2
    return extend(model, kept, before, rows[:half]) + extend(model, kept, before, rows[half:])


def extend_at_once(
    model: Any, kept: Cache, before: int, rows: Sequence[tuple[int, Extension]]
) -> list[Reading]:
    """As `extend`, in one pass."""
    layers: list[Any] = list(kept.layers)
    width = int(layers[0].kept[0].shape[-2])
    for layer in layers:
        layer.rows = [row for row, _ in rows]
    extensions = [one for _, one in rows]
    layout = layout_of(extensions)
    longest = max(len(one.tokens) for one in extensions)
    seen = torch.zeros(len(rows), longest, before + width + longest, dtype=torch.bool)
    seen[:, :, :before] = True
    for mask, one in zip(seen, extensions, strict=True):
        new = len(one.tokens)
        mask[:new, before : before + width + new] = one.seen(width)
        mask[new:, before:] = mask[new - 1, before:]  # padding, which nothing reads, sees something
    with torch.inference_mode(), projecting_only(model, layout):
        logits = model(
            input_ids=padded([one.tokens for one in extensions], model.device),
            attention_mask=additive(seen, model.dtype, model.device),
            position_ids=padded([one.depths for one in extensions], model.device) + before,
            past_key_values=kept,
            use_cache=False,
        ).logits
    logprobs, greedy = read(logits, layout)
    readings: list[Reading] = []
    at = 0
    for one in extensions:
        end = at + len(one.reads)
        readings.append((logprobs[at:end], greedy[at:end]))
        at = end
    return readings


def layout_of(extensions: Sequence[Extension]) -> Layout:
    """The new tokens as rows, and what is read of them, in the order of extensions, trees and branches."""
    places: dict[tuple[int, int], int] = {}
    reads: list[Read] = []
    for row, one in enumerate(extensions):
        for at, token, tree, branch in one.reads:
            reads.append(Read(places.setdefault((row, at), len(places)), token, tree, branch))
    rows = tuple(Row(number, one.tokens, 0) for number, one in enumerate(extensions))
    return Layout(rows, tuple(places), tuple(reads))
