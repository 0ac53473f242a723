"""What a server can really do, found out by asking it, and checked against arithmetic.

Servers ignore what they do not know, and some return log-probabilities that are equal, shifted by a place or
of another text. What contradicts itself is not used, and the reason is kept.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from bench.engines.openai.client import Refused, Server, TooLong
from bench.engines.openai.wire import Reply, Token
from bench.types import Message

COUNTS = (100, 20, 10, 5, 1)
"""How many likeliest tokens are asked for, the first number that the server takes."""
SUM_ERROR = 0.01
"""How much more than 1 the probabilities of the listed tokens may add up to."""
DIFFERENCE = 0.5
"""Largest difference between two log-probabilities of a token that other kernels and 16 bits explain."""
COMPARED = 3
"""Likeliest tokens whose log-probability is also asked for as that of given text."""
ONE_TOKEN: dict[str, Any] = {"max_tokens": 1, "temperature": 1, "seed": 1}
"""Temperature 1 leaves log-probabilities as they are in every server."""
ANY_TOKEN: dict[str, Any] = ONE_TOKEN | {
    "temperature": 2,
    "top_p": 0.9999,
    "extra_body": {"min_p": 0, "top_k": 0},
}
"""Draw almost any token, where the likeliest is the end of the text: some servers list nothing then."""
NO_THOUGHT: dict[str, Any] = {"extra_body": {"chat_template_kwargs": {"enable_thinking": False}}}
FIRST = "one two three one two three one two three one two"
SECOND = "red blue green red blue green red blue green red"
KNOWN, RANDOM = " three", " purple"
BARE = 'the server lists tokens without the space before them, so "A" and " A" are one'


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a server gives for prompts of one style.

    `asked` is how many likeliest next tokens to ask for, of which it lists `top`; 0 where it lists none. It
    lists them without the space before a word where they are `bare`. `texts` is how it gives the
    log-probabilities of given text, None where it does not. `why` says what is missing, a sentence each.
    `extra` goes with every chat. `steady` is whether lists are the same whatever token may be drawn.
    """

    asked: int = 0
    top: int = 0
    bare: bool = False
    texts: Literal["echo", "prompt_logprobs"] | None = None
    why: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    steady: bool = False

    @property
    def name(self) -> str:
        """How its answers are read; those that are read otherwise are not mixed with them."""
        return self.texts or ("letters" if self.top else "")


def probe(server: Server, *, chat: bool) -> Abilities:
    """Ask a server for what it can do; raises a BenchError, or TooLong, where it does not answer."""
    extra = _first_answer(server, chat=chat)
    with server.impatient():
        return _abilities(server, extra, chat=chat)


def _first_answer(server: Server, *, chat: bool) -> Mapping[str, Any]:
    """Ask with patience, as a server may be loading. Returns what turns thinking off, where it is taken."""
    if not chat:
        server.complete(FIRST, **ONE_TOKEN)
        return {}
    try:
        server.chat([Message("user", FIRST)], **ONE_TOKEN, **NO_THOUGHT)
    except Refused:
        server.chat([Message("user", FIRST)], **ONE_TOKEN)
        return {}
    return NO_THOUGHT


def _abilities(server: Server, extra: Mapping[str, Any], *, chat: bool) -> Abilities:
    messages = {text: [Message("user", text)] for text in (FIRST, SECOND)}

    def ask(text: str, count: int) -> Reply:
        return likeliest(server, messages[text] if chat else text, count, extra)

    def tokens_of(text: str, end: str) -> Sequence[Token]:
        return continued(server, messages[text], end, extra) if chat else echoed(server, text + end)

    try:
        asked, (first, second) = _lists(ask)
        check_lists(first, second)
    except Refused as error:
        return Abilities(why=(str(error),), extra=extra)
    bare = not chat and not any(token.startswith(" ") for token in (*first, *second))
    steady = _is_steady(server, messages[FIRST] if chat else FIRST, asked, extra, first)
    letters = Abilities(asked, min(asked, len(first)), bare, extra=extra, steady=steady)
    try:
        check_texts(tokens_of, first, spaced=bare)
    except (Refused, TooLong) as error:
        return replace(letters, why=(*([BARE] if bare else []), str(error)))
    return replace(letters, texts="prompt_logprobs" if chat else "echo")


Likeliest = Mapping[str, float]


def likeliest(
    server: Server,
    prompt: str | Sequence[Message],
    count: int,
    extra: Mapping[str, Any],
    draw: Mapping[str, Any] = ONE_TOKEN,
) -> Reply:
    """A reply of one token after a text or a chat, with the `count` likeliest ones."""
    if isinstance(prompt, str):
        return server.complete(prompt, logprobs=count, **draw)
    body = {**draw.get("extra_body", {}), **extra.get("extra_body", {})}
    return server.chat(prompt, logprobs=True, top_logprobs=count, **{**draw, "extra_body": body})


def _is_steady(
    server: Server, prompt: str | Sequence[Message], count: int, extra: Mapping[str, Any], first: Likeliest
) -> bool:
    """Whether the list after a text is `first` also where almost any token may be drawn."""
    try:
        again = likeliest(server, prompt, count, extra, ANY_TOKEN).top
    except Refused:
        return False
    both = first.keys() & again.keys()
    return len(both) >= len(first) - 1 and all(
        abs(first[token] - again[token]) < DIFFERENCE / 5 for token in both
    )


def _lists(ask: Callable[[str, int], Reply]) -> tuple[int, tuple[Likeliest, Likeliest]]:
    """How many likeliest tokens to ask for, and the lists after both texts; raises Refused without any."""
    refusal = Refused("the server lists no likeliest tokens, although it was asked for them")
    for count in COUNTS:
        try:
            first = ask(FIRST, count).top
        except Refused as error:
            refusal = error
            continue
        if not first:
            break
        return count, (first, ask(SECOND, count).top)
    raise refusal


def check_lists(first: Likeliest, second: Likeliest) -> None:
    """Raises Refused where lists of likeliest tokens cannot be of log-probabilities after two texts."""
    for values in (list(first.values()), list(second.values())):
        if max(values, default=0.0) > SUM_ERROR or sum(map(math.exp, values)) > 1 + SUM_ERROR:
            raise Refused("the probabilities of the server's likeliest tokens add up to more than 1")
        if len(values) > 1 and len(set(values)) == 1:
            raise Refused("the server gives all of its likeliest tokens the same probability")
    if first == second:
        raise Refused("the server's likeliest tokens are the same after two different texts")


def check_texts(
    tokens_of: Callable[[str, str], Sequence[Token]], likeliest: Likeliest, *, spaced: bool = False
) -> None:
    """Raises Refused where the log-probabilities of given text contradict themselves or the next token's.

    `tokens_of` gives the tokens of a prompt with a continuation. `likeliest` are those after FIRST;
    `spaced` is whether a space belongs before them.
    """
    alone = tokens_of(FIRST, "")
    known, chance = (_end(alone, tokens_of(FIRST, end)) for end in (KNOWN, RANDOM))
    elsewhere = _end(tokens_of(SECOND, ""), tokens_of(SECOND, KNOWN))
    values = {token.logprob for token in alone if token.logprob is not None}
    if len(values) < 2:
        raise Refused("the server gives all tokens of a text the same log-probability")
    if total(known) == total(elsewhere):
        raise Refused("the server's log-probabilities of a text do not depend on what is before it")
    compared = 0
    for text, listed in sorted(likeliest.items(), key=lambda pair: -pair[1])[:COMPARED]:
        first, *_ = _end(alone, tokens_of(FIRST, f" {text}" if spaced else text))
        if first.text.strip() != text.strip():
            continue  # together with the text before, it becomes other tokens
        compared += 1
        if abs(listed - total([first])) > DIFFERENCE:
            raise Refused(
                "the server's log-probabilities of given text contradict those of the next token: "
                f"{total([first]):.2f} and {listed:.2f} for {text!r}"
            )
    if not compared:
        raise Refused(
            "the server's log-probabilities of given text could not be compared with the next token's"
        )
    if total(known) <= total(chance):
        raise Refused(
            "by the server's log-probabilities, a known continuation is no likelier than a random one"
        )


def _end(before: Sequence[Token], tokens: Sequence[Token]) -> Sequence[Token]:
    """The tokens that follow those that both texts begin with; raises Refused where there are none."""
    start = 0
    while start < min(len(before), len(tokens)) and before[start].text == tokens[start].text:
        start += 1
    if start == len(tokens):
        raise Refused("the server returns no tokens of a continuation")
    return tokens[start:]


def total(tokens: Sequence[Token]) -> float:
    """The log-probability of tokens together; raises Refused where that of one is left out."""
    values = [token.logprob for token in tokens if token.logprob is not None]
    if len(values) < len(tokens):
        raise Refused("the server leaves out log-probabilities of tokens of a text")
    return sum(values)


def echoed(server: Server, text: str) -> Sequence[Token]:
    """The tokens of a text, by `echo`. Raises Refused where the server does not return all of the text."""
    reply = server.complete(text, echo=True, logprobs=1, **ONE_TOKEN)
    if not reply.given or not reply.text.startswith(text):
        raise Refused("the server gives no log-probabilities of the text of prompts (echo)")
    # Some servers return the tokens that they wrote as well, some do not.
    for written in range(reply.new_tokens or 1, -1, -1):
        tokens = reply.given[: len(reply.given) - written]
        if _visible("".join(token.text for token in tokens)).endswith(_visible(text)):
            return tokens
    raise Refused("the server's tokens of a text are not those of the whole text")


def _visible(text: str) -> str:
    """The ASCII characters without white space: tokens may be parts of others, or lack a space."""
    return re.sub(r"[^\x21-\x7e]", "", text)


def continued(
    server: Server, messages: Sequence[Message], answer: str, extra: Mapping[str, Any]
) -> Sequence[Token]:
    """The tokens of a chat that ends with the beginning of an answer, by vLLM's `prompt_logprobs`."""
    turns = [*messages, Message("assistant", answer)] if answer else list(messages)
    body: dict[str, Any] = {"prompt_logprobs": 0, **extra.get("extra_body", {})}
    if answer:
        body |= {"add_generation_prompt": False, "continue_final_message": True}
    reply = server.chat(turns, **ONE_TOKEN, extra_body=body)
    if not reply.prompt:
        raise Refused("the server gives no log-probabilities of the text of chats (prompt_logprobs)")
    return reply.prompt
