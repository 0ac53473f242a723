"""Requests -> token trees. A prompt is tokenised once for all its continuations."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.engines.packing import by_set, grow
from bench.errors import BenchError, OfItem, PromptTooLong
from bench.types import Branch, Encoded, GenerateRequest, ScoreRequest, Tokens, Tree

_PROBE = "Answer: A"
OWN_FILES = "use the tokenizer files that were published with these weights"
_NEAR = 64
"""Characters before a cut for which the pre-tokenizer is asked whether it splits there."""


def without_dropout(tokenizer: Any) -> Any:
    """The same tokenizer, without the random merges of its training (BPE dropout).

    `tokenizer.json` may still name their share; each call would then give a text other tokens.
    """
    if tokenizer.is_fast and getattr(tokenizer.backend_tokenizer.model, "dropout", None):
        tokenizer.backend_tokenizer.model.dropout = None
    return tokenizer


@dataclass(frozen=True, slots=True)
class Frame:
    """What a tokenizer adds to a text: `before` (a BOS) and `after` (an EOS or SEP).

    `left` and `right` are how many tokens it adds even where none are asked for.
    """

    before: Tokens
    after: Tokens
    left: int
    right: int


def frame(tokenizer: Any) -> Frame:
    """What the tokenizer adds to a text, seen on a short one.

    Raises a BenchError where special tokens change the text's own tokens: then nothing separates the two.
    """
    given = tuple(tokenizer(_PROBE, add_special_tokens=False)["input_ids"])
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    is_own = [token not in special for token in given]
    if not any(is_own):
        raise BenchError(f"the tokenizer makes no tokens of {_PROBE!r}; {OWN_FILES}")
    left, right = is_own.index(True), is_own[::-1].index(True)
    own = given[left : len(given) - right]
    whole = tuple(tokenizer(_PROBE)["input_ids"])
    starts = range(len(whole) - len(own) + 1)
    start = next((at for at in starts if whole[at : at + len(own)] == own), None)
    if start is None:
        raise BenchError("the tokenizer's special tokens change the tokens of the text that they surround")
    return Frame(whole[:start], whole[start + len(own) :], left, right)


def encode_texts(tokenizer: Any, frame: Frame, texts: Sequence[str]) -> list[Tokens]:
    """The tokens of each text alone, without what the tokenizer adds."""
    rows = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    return [tuple(row[frame.left : len(row) - frame.right]) for row in rows]


def encode_causal(tokenizer: Any, request: ScoreRequest, window: int | None = None) -> Encoded:
    """Encode prompt + continuation as one text, so that a token may span their border.

    What the tokenizer adds before a text, such as a BOS, stands before a plain prompt only: the text of a
    chat template contains it. What it adds after a text is left out. Raises PromptTooLong beyond `window`
    tokens, and a BenchError where no token precedes the answer or a continuation adds none.
    """
    around = frame(tokenizer)
    before = () if request.templated else around.before
    [prompt] = encode_texts(tokenizer, around, [request.prompt])
    flat = [text for texts in request.continuations for text in texts]
    at, tail = _cut(tokenizer, around, request.prompt, prompt)
    ends = encode_texts(tokenizer, around, [tail + text for text in flat])
    wholes = [(*before, *prompt[:at], *end) for end in ends]
    start = (*before, *prompt)
    _check_scored(request, flat, (whole != start for whole in wholes))
    tree = grow(start, by_set(request.continuations, wholes))
    if not tree.stem:
        raise OfItem(request.item.id, "no token stands before the answer, so nothing predicts it")
    _check_length(tree.longest, window)
    return Encoded(request, tree, alike_in(request, tree))


def _cut(tokenizer: Any, around: Frame, text: str, ids: Tokens) -> tuple[int, str]:
    """Where the prompt can be cut so that its end can be encoded with a continuation, without its beginning.

    A tokenizer that splits text into words encodes each word by itself, so the start of the last white
    space is such a place; this is checked. Returns (number of tokens before, text after), which is all of
    the text where it has to be encoded again for each continuation.
    """
    ends = range(len(text) - 1, 0, -1)
    start = next((at for at in ends if text[at].isspace() and not text[at - 1].isspace()), None)
    if start is None or not tokenizer.is_fast or not _splits(tokenizer, text[:start], text[start:]):
        return 0, text
    tail = text[start:]
    [own] = encode_texts(tokenizer, around, [tail])
    at = len(ids) - len(own)
    return (at, tail) if ids[at:] == own else (0, text)


def _splits(tokenizer: Any, head: str, tail: str) -> bool:
    """Whether the tokenizer encodes the texts apart. Gemma's, for one, merges across spaces."""
    splitter, normalizer = tokenizer.backend_tokenizer.pre_tokenizer, tokenizer.backend_tokenizer.normalizer

    def words(text: str) -> list[str]:
        normal = normalizer.normalize_str(text) if normalizer else text
        return [word for word, _ in splitter.pre_tokenize_str(normal)]

    return splitter is not None and words(head[-_NEAR:] + tail) == words(head[-_NEAR:]) + words(tail)


def encode_seq2seq(tokenizer: Any, request: ScoreRequest, window: int | None = None) -> Encoded:
    """Encode the prompt for the encoder, and the continuations without special tokens.

    Raises PromptTooLong where the prompt is longer than `window` tokens, and a BenchError where a
    continuation has no tokens.
    """
    around = frame(tokenizer)
    stem = _encoder_input(tokenizer, around, request.prompt, templated=request.templated)
    flat = [text for texts in request.continuations for text in texts]
    ids = encode_texts(tokenizer, around, flat)
    _check_scored(request, flat, map(bool, ids))
    _check_length(len(stem), window)
    branches = (Branch(tokens) for tokens in ids)
    tree = Tree(stem, by_set(request.continuations, branches))
    return Encoded(request, tree, alike_in(request, tree))


def alike_in(request: ScoreRequest, tree: Tree) -> tuple[frozenset[int], ...]:
    """For each set, the continuations whose tokens are those of another one with another text.

    A tokenizer writes all characters that it does not know alike, and may ignore case or accents.
    """
    return tuple(
        _same(texts, [branch.tokens for branch in branches])
        for texts, branches in zip(request.continuations, tree.branches, strict=True)
    )


def _same(texts: Sequence[str], tokens: Sequence[Tokens]) -> frozenset[int]:
    by_tokens: dict[Tokens, set[str]] = {}
    for text, ids in zip(texts, tokens, strict=True):
        by_tokens.setdefault(ids, set()).add(text)
    return frozenset(index for index, ids in enumerate(tokens) if len(by_tokens[ids]) > 1)


def _encoder_input(tokenizer: Any, around: Frame, prompt: str, *, templated: bool) -> Tokens:
    """A prompt as encoders are trained to read it: its end too has the tokenizer's special tokens."""
    [ids] = encode_texts(tokenizer, around, [prompt])
    return (*(() if templated else around.before), *ids, *around.after)


def encode_prompt(
    tokenizer: Any, request: GenerateRequest, window: int, *, encoder_decoder: bool = False
) -> Tokens:
    """The prompt that a completion follows; a decoder-only model's ends with its text.

    Raises PromptTooLong where it does not fit `window` tokens, a decoder-only model's with the new ones.
    """
    around = frame(tokenizer)
    if encoder_decoder:
        ids = _encoder_input(tokenizer, around, request.prompt, templated=request.templated)
    else:
        [own] = encode_texts(tokenizer, around, [request.prompt])
        ids = own if request.templated else (*around.before, *own)
    new_tokens = 0 if encoder_decoder else request.max_new_tokens
    if len(ids) + new_tokens > window:
        raise PromptTooLong(len(ids), window, new_tokens)
    return ids


def _check_scored(request: ScoreRequest, texts: Sequence[str], scored: Iterable[bool]) -> None:
    """Raises a BenchError where one of the continuations adds no token."""
    for text, has_token in zip(texts, scored, strict=True):
        if not has_token:
            option = repr(text.strip())
            reason = f"the tokenizer makes no token of the option {option}, so there is nothing to score"
            raise OfItem(request.item.id, reason, [option])


def _check_length(tokens: int, window: int | None) -> None:
    if window is not None and tokens > window:
        raise PromptTooLong(tokens, window)
