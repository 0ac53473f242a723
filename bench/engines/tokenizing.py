"""Requests -> token trees. A prompt is tokenised once, whatever the number of its continuations."""

from collections.abc import Sequence
from typing import Any

from bench.engines.packing import by_set, grow
from bench.errors import BenchError, PromptTooLong
from bench.types import Branch, Encoded, ScoreRequest, Tokens, Tree


def encode_causal(tokenizer: Any, request: ScoreRequest, window: int | None = None) -> Encoded:
    """Prompt and continuation as one text, so that a token may span their border.

    The tokenizer adds a BOS where the model was trained with one, to the plain prompt only: a chat
    template has written its own. Raises PromptTooLong beyond `window` tokens.
    """
    special = not request.templated
    found = tokenizer(request.prompt, add_special_tokens=special, return_offsets_mapping=tokenizer.is_fast)
    prompt = tuple(found["input_ids"])
    cut = _seam(tokenizer, request.prompt, prompt, found["offset_mapping"]) if tokenizer.is_fast else None
    flat = [text for texts in request.continuations for text in texts]
    if cut is None:
        ids = tokenizer([request.prompt + text for text in flat], add_special_tokens=special)["input_ids"]
        wholes = [tuple(whole) for whole in ids]
    else:
        at, tail = cut
        ids = tokenizer([tail + text for text in flat], add_special_tokens=False)["input_ids"]
        wholes = [(*prompt[:at], *rest) for rest in ids]
    tree = grow(prompt, by_set(request.continuations, wholes))
    if not tree.stem:
        raise BenchError(f"item {request.item.id}: no token stands before the answer, so nothing predicts it")
    _check(tree.longest, window)
    return Encoded(request, tree)


def _seam(
    tokenizer: Any, text: str, ids: Tokens, offsets: Sequence[tuple[int, int]]
) -> tuple[int, str] | None:
    """Where the prompt may be cut so that its end, with a continuation after it, is encoded alone.

    A tokenizer that splits text into words first encodes each word alone, so the start of the last
    white space is such a place; that it is one here is checked. Returns (tokens before, text
    after), or None where the whole must be encoded anew.
    """
    ends = range(len(text) - 1, 0, -1)
    start = next((at for at in ends if text[at].isspace() and not text[at - 1].isspace()), None)
    if start is None or tokenizer.backend_tokenizer.pre_tokenizer is None:
        return None
    at, tail = sum(end <= start for _, end in offsets), text[start:]
    same = tuple(tokenizer(tail, add_special_tokens=False)["input_ids"]) == ids[at:]
    return (at, tail) if same else None


def encode_seq2seq(tokenizer: Any, request: ScoreRequest, window: int | None = None) -> Encoded:
    """The encoder's input ends as the tokenizer wants it; continuations get no special tokens.

    Raises PromptTooLong where the encoder's input is longer than `window`.
    """
    stem = tuple(tokenizer(request.prompt)["input_ids"])
    flat = [text for texts in request.continuations for text in texts]
    ids = tokenizer(flat, add_special_tokens=False)["input_ids"]
    if not all(ids):
        raise BenchError(f"item {request.item.id}: an option is empty, so there is nothing to score")
    _check(len(stem), window)
    branches = (Branch(tuple(tokens)) for tokens in ids)
    return Encoded(request, Tree(stem, by_set(request.continuations, branches)))


def _check(tokens: int, window: int | None) -> None:
    if window is not None and tokens > window:
        raise PromptTooLong(tokens, window)
