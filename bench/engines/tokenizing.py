"""Requests -> token trees. A prompt is tokenised once for all its continuations."""

from collections.abc import Sequence
from typing import Any

from bench.engines.packing import by_set, grow
from bench.errors import BenchError, PromptTooLong
from bench.types import Branch, Encoded, ScoreRequest, Tokens, Tree


def encode_causal(tokenizer: Any, request: ScoreRequest, window: int | None = None) -> Encoded:
    """Encode prompt + continuation as one text, so that a token may span their border.

    The tokenizer adds special tokens, such as a BOS, to a plain prompt only: the text of a chat template
    contains them. Raises PromptTooLong beyond `window` tokens, and a BenchError where no token precedes the
    answer.
    """
    special = not request.templated
    encoded = tokenizer(request.prompt, add_special_tokens=special, return_offsets_mapping=tokenizer.is_fast)
    prompt = tuple(encoded["input_ids"])
    cut = _cut(tokenizer, request.prompt, prompt, encoded["offset_mapping"]) if tokenizer.is_fast else None
    flat = [text for texts in request.continuations for text in texts]
    if cut is None:
        ids = tokenizer([request.prompt + text for text in flat], add_special_tokens=special)["input_ids"]
        wholes = [tuple(whole) for whole in ids]
    else:
        at, tail = cut
        ids = tokenizer([tail + text for text in flat], add_special_tokens=False)["input_ids"]
        wholes = [(*prompt[:at], *end) for end in ids]
    tree = grow(prompt, by_set(request.continuations, wholes))
    if not tree.stem:
        raise BenchError(f"item {request.item.id}: no token stands before the answer, so nothing predicts it")
    _check_length(tree.longest, window)
    return Encoded(request, tree)


def _cut(
    tokenizer: Any, text: str, ids: Tokens, offsets: Sequence[tuple[int, int]]
) -> tuple[int, str] | None:
    """Where the prompt can be cut so that its end can be encoded with a continuation, without its beginning.

    A tokenizer that splits text into words encodes each word by itself, so the start of the last white
    space is such a place; this is checked. Returns (number of tokens before, text after), or None where
    the whole text has to be encoded for each continuation.
    """
    ends = range(len(text) - 1, 0, -1)
    start = next((at for at in ends if text[at].isspace() and not text[at - 1].isspace()), None)
    if start is None or tokenizer.backend_tokenizer.pre_tokenizer is None:
        return None
    at, tail = sum(end <= start for _, end in offsets), text[start:]
    same = tuple(tokenizer(tail, add_special_tokens=False)["input_ids"]) == ids[at:]
    return (at, tail) if same else None


def encode_seq2seq(tokenizer: Any, request: ScoreRequest, window: int | None = None) -> Encoded:
    """Encode the prompt for the encoder, with the tokenizer's special tokens, and the continuations without.

    Raises PromptTooLong where the prompt is longer than `window` tokens, and a BenchError where an option is
    empty.
    """
    stem = tuple(tokenizer(request.prompt)["input_ids"])
    flat = [text for texts in request.continuations for text in texts]
    ids = tokenizer(flat, add_special_tokens=False)["input_ids"]
    if not all(ids):
        raise BenchError(f"item {request.item.id}: an option is empty, so there is nothing to score")
    _check_length(len(stem), window)
    branches = (Branch(tuple(tokens)) for tokens in ids)
    return Encoded(request, Tree(stem, by_set(request.continuations, branches)))


def _check_length(tokens: int, window: int | None) -> None:
    if window is not None and tokens > window:
        raise PromptTooLong(tokens, window)
