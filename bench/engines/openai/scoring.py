"""One question -> its scores, by what the server gives: the texts of all continuations, or letters alone."""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import chain

from bench.engines.openai.client import Refused, TooLong
from bench.engines.openai.probe import total
from bench.engines.openai.wire import Token
from bench.engines.packing import by_set, grow
from bench.engines.tokenizing import alike_in
from bench.types import ScoreRequest, Scores, Tokens, Tree


def text_scores(
    request: ScoreRequest, tokens_of: Callable[[str], Sequence[Token]], window: int | None
) -> Scores:
    """The log-probabilities of all continuations; `tokens_of` gives the tokens of the prompt with one.

    They are scored from the same token on as in every engine (`grow`), by the texts of the tokens. Raises
    TooLong where a prompt with a continuation is longer than `window`.
    """
    numbers: dict[str, int] = {}

    def ids(tokens: Sequence[Token]) -> Tokens:
        return tuple(numbers.setdefault(token.text, len(numbers)) for token in tokens)

    flat = list(chain.from_iterable(request.continuations))
    alone = ids(tokens_of(""))
    rows = {text: tokens_of(text) for text in dict.fromkeys(flat)}
    wholes = [ids(rows[text]) for text in flat]
    if any(whole == alone for whole in wholes):
        raise Refused("the server makes no token of one of the options")
    tree = grow(alone, by_set(request.continuations, wholes))
    if window is not None and tree.longest > window:
        raise TooLong(f"{tree.longest} tokens")
    logprobs = by_set(
        request.continuations,
        (
            total(rows[text][len(tree.stem) + branch.given :])
            for text, branch in zip(flat, tree.flat, strict=True)
        ),
    )
    return Scores(
        prompt=request.prompt,
        prompt_tokens=len(alone),
        logprobs=logprobs,
        tokens=by_set(request.continuations, (branch.scored for branch in tree.flat)),
        alike=_alike(request, tree, logprobs),
    )


def _alike(
    request: ScoreRequest, tree: Tree, logprobs: Sequence[Sequence[float]]
) -> tuple[frozenset[int], ...]:
    """As `alike_in`, for options with the same score: the texts of two tokens may be the same."""
    return tuple(
        frozenset(at for at in same if sum(values[at] == values[other] for other in same) > 1)
        for same, values in zip(alike_in(request, tree), logprobs, strict=True)
    )


def letter_scores(
    request: ScoreRequest, likeliest: Mapping[str, float], tokens: int | None, *, bare: bool
) -> Scores:
    """The log-probabilities of the letters among the likeliest tokens, which have no spaces where `bare`.

    One that is not listed is less likely than the last that is. It gets the next lower number, an upper
    bound, and is in `bounded`.
    """
    letters = [letter.strip() if bare else letter for letter in request.continuations[0]]
    below = math.nextafter(min(likeliest.values(), default=0.0), -math.inf)
    return Scores(
        prompt=request.prompt,
        prompt_tokens=tokens,
        logprobs=(tuple(likeliest.get(letter, below) for letter in letters), ()),
        tokens=((1,) * len(letters), ()),
        bounded=frozenset(at for at, letter in enumerate(letters) if letter not in likeliest),
    )
