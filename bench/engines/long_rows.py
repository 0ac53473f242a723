"""Where a model changes its rotary frequencies with length, long rows share no batch with others.

transformers chooses the frequencies for a whole batch, by its longest row with padding: those of LongRoPE
(Ding et al. 2024; Phi-3.5 and Phi-4 mini) from a length on, and those of dynamic NTK scaling anew for each
length from there on, which it also keeps for later batches. A score would then depend on what shares its
batch, and on what ran before.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from bench.types import Encoded, Tokens


def frequency_border(model: Any) -> int | None:
    """The most positions for which the first frequencies hold; None for a model that never changes them."""
    borders: list[int] = []
    for module in model.modules():
        for layers, kind in _kinds(module):
            if "dynamic" in kind:
                borders.append(int(module.original_max_seq_len))
            elif kind == "longrope":
                rope: Any = module.config.rope_parameters
                borders.append(int((rope[layers] if layers else rope)["original_max_position_embeddings"]))
    return min(borders, default=None)


def forget_lengths(model: Any) -> None:
    """Give dynamically scaled positions their first frequencies again, as in a model that has run nothing.

    transformers does so only after a row that is shorter than the border.
    """
    for module in model.modules():
        for layers, kind in _kinds(module):
            if "dynamic" in kind:
                prefix = f"{layers}_" if layers else ""
                first: Any = getattr(module, f"{prefix}original_inv_freq")
                frequencies: Any = getattr(module, f"{prefix}inv_freq")
                setattr(module, f"{prefix}inv_freq", first.to(frequencies.device).clone())
                setattr(module, f"{prefix}max_seq_len_cached", module.original_max_seq_len)


def _kinds(module: Any) -> Iterator[tuple[str, str]]:
    """(type of layers, how its positions are scaled) of a module of rotary positions; "" for all layers.

    Of the module, not of the configuration: Hunyuan's says dynamic where frequencies are fixed.
    """
    kinds: Any = getattr(module, "rope_type", None)
    if hasattr(module, "inv_freq") and isinstance(kinds, str):
        yield "", kinds
    elif isinstance(kinds, dict):
        yield from kinds.items()


def by_length(requests: Sequence[Encoded], border: int | None) -> tuple[list[int], list[int]]:
    """Indices of the requests whose rows all stay within the border, and of the others."""
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
