"""Where a model changes its rotary frequencies with length, long rows share no batch with short ones.

transformers chooses the frequencies of LongRoPE (Ding et al. 2024; Phi-3.5 and Phi-4 mini) for a whole
batch, by its longest row with padding. A score would then depend on what shares its batch.
"""

from collections.abc import Sequence
from typing import Any

from bench.types import Encoded, Tokens


def frequency_border(config: Any) -> int | None:
    """The most positions for which the first frequencies hold; None for a model that never changes them."""
    rope: dict[str, Any] = getattr(config.get_text_config(), "rope_parameters", None) or {}
    if rope.get("rope_type") != "longrope":
        return None
    return int(rope["original_max_position_embeddings"])


def by_length(requests: Sequence[Encoded], border: int | None) -> tuple[list[int], list[int]]:
    """Indices of the requests whose rows all stay within the border, and of the others.

    A request is long by its longest row: all options of a question are scored with the same frequencies.
    """
    long = [index for index, one in enumerate(requests) if border and one.tree.longest > border]
    return [index for index in range(len(requests)) if index not in set(long)], long


def to_write(prompts: Sequence[Tokens], new_tokens: Sequence[int], border: int | None) -> list[list[int]]:
    """Groups of prompts, by index, that may share batches: those within the border; each other one alone."""
    totals = [len(ids) + new for ids, new in zip(prompts, new_tokens, strict=True)]
    long = [index for index, total in enumerate(totals) if border and total > border]
    short = [index for index in range(len(prompts)) if index not in set(long)]
    return [group for group in (short, *([index] for index in long)) if group]


def within(indices: frozenset[int], group: Sequence[int]) -> frozenset[int]:
    """Those of `indices` that are in the group, as places in it."""
    return frozenset(at for at, index in enumerate(group) if index in indices)
