"""Whether a tokenizer and a window fit the model, before its first batch."""

import re
from collections.abc import Iterable
from typing import Any

import torch

from bench.engines.tokenizing import OWN_FILES, frame
from bench.errors import BenchError, OfItem

_POSITIONS = re.compile(r"(?:^|\.)(?:wpe|\w*position\w*)$")
_TOWER = re.compile(r"vision|visual|image|audio|speech")
_SPARE = 1024
"""Rows of an embedding that may be unused in any model; in larger ones half of them may."""


def vocabulary_size(model: Any) -> int:
    """The number of tokens that the model has embeddings for."""
    return int(model.get_input_embeddings().weight.shape[0])


def check_tokenizer(model: Any, tokenizer: Any) -> None:
    """Raises a BenchError where the tokenizer has words that the model lacks, or too few of them.

    Models have some unused rows. A special token may be missing (Gemma 3's text models lack that of
    images): `check_tokens` finds where one is used. Another model's tokenizer of the same size is not found.
    """
    frame(tokenizer)
    size, words = vocabulary_size(model), tokenizer.get_vocab()
    beyond = [(token, word) for word, token in words.items() if token >= size]
    added = tokenizer.added_tokens_decoder
    unknown = min(((token, word) for token, word in beyond if token not in added), default=None)
    if unknown is not None:
        token, word = unknown
        raise BenchError(
            f"the tokenizer has {len(beyond)} tokens that the model lacks, such as {word!r} (id {token}; the "
            f"model has {size} tokens), so it is not this model's; {OWN_FILES}"
        )
    if size - len(words) > max(size // 2, _SPARE):
        raise BenchError(
            f"the tokenizer has {len(words)} tokens and the model {size}, so it is not this model's; "
            f"{OWN_FILES}"
        )


def check_tokens(item: str, tokens: Iterable[int], tokenizer: Any, size: int) -> None:
    """Raises a BenchError where one of an item's tokens is not among the model's `size` tokens."""
    highest = max(tokens, default=0)
    if highest >= size:
        name = repr(tokenizer.convert_ids_to_tokens(highest))
        reason = (
            f"its prompt or options contain {name} (token {highest}), and the model has only {size} tokens"
        )
        raise OfItem(item, f"{reason}; change that text", [name])


def check_window(name: str, window: int, model: Any) -> None:
    """Raises a BenchError where a model with a learned table of positions has fewer than the window."""
    positions = _learned_positions(model)
    if positions is not None and window > positions:
        raise BenchError(
            f"{name}'s card gives a context of {window} tokens, and the model has only {positions} "
            f"positions; write context: {positions}"
        )


def rotary_positions(model: Any) -> int | None:
    """The positions that the configuration of a model with rotary ones gives it, with their scaling.

    More can be computed, and nothing says that the model has learnt them. None for other models, and where
    positions are scaled to any length.
    """
    kinds: list[Any] = [getattr(module, "rope_type", None) for module in model.modules()]
    if model.config.is_encoder_decoder or not any(kinds) or any("dynamic" in str(kind) for kind in kinds):
        return None
    return getattr(model.config.get_text_config(), "max_position_embeddings", None)


def _learned_positions(model: Any) -> int | None:
    """Rows of the shortest table of positions of the text model, None without one (rotary, relative).

    OPT's and BART's tables begin with `offset` rows that no token uses.
    """
    return min(
        (
            table.num_embeddings - int(getattr(table, "offset", 0))
            for name, table in model.named_modules()
            if isinstance(table, torch.nn.Embedding) and _POSITIONS.search(name) and not _TOWER.search(name)
        ),
        default=None,
    )
