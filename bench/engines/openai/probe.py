"""What a server can really do, found out by asking it, and checked against arithmetic.

Servers ignore what they do not know, and some return log-probabilities that are equal, shifted by a place or
of another text. What contradicts itself is not used, and the reason is kept.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from bench.engines.openai.client import Refused, Server, TooLong
from bench.engines.openai.wire import Reply, Token
from bench.types import Message

COUNTS = (100, 20, 10, 5, 2)
"""How many likeliest tokens are asked for, the first number that the server takes."""
SUM_ERROR = 0.01
"""How much more than 1 the probabilities of the listed tokens may add up to."""
DIFFERENCE = 0.5
"""Largest difference between two log-probabilities of a token that other kernels and 16 bits explain."""
COMPARED = 3
"""Likeliest tokens whose log-probability is also asked for as that of given text."""
ONE_TOKEN: dict[str, Any] = {"max_tokens": 1, "temperature": 1, "top_p": 1, "seed": 0}
"""Temperature 1 leaves log-probabilities as they are in every server."""
NO_THOUGHT: dict[str, Any] = {"extra_body": {"chat_template_kwargs": {"enable_thinking": False}}}
FIRST = "one two three one two three one two three one two"
SECOND = "red blue green red blue green red blue green red"
KNOWN, RANDOM = " three", " purple"


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a server gives for prompts of one style.

    `texts` is how it gives the log-probabilities of given text, None where it does not, and `top` how many
    likeliest next tokens it lists. `why` says why something is missing. `extra` goes with every chat.
    """

    top: int = 0
    texts: Literal["echo", "prompt_logprobs"] | None = None
    why: str = ""
    counts_tokens: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])


def probe(server: Server, *, chat: bool) -> Abilities:
    """Ask a server for what it can do; raises a BenchError where it does not answer at all."""
    return _probe_chat(server) if chat else _probe_plain(server)


def _probe_plain(server: Server) -> Abilities:
    reply = server.complete(FIRST, **ONE_TOKEN)
    counts = reply.prompt_tokens is not None
    try:
        top, lists = _top(
            lambda text, more: server.complete(text, **ONE_TOKEN, **more), lambda count: {"logprobs": count}
        )
        check_lists(*lists)
    except Refused as error:
        return Abilities(why=str(error), counts_tokens=counts)
    try:
        check_texts(lambda text, end: echoed(server, text + end), lists[0])
    except (Refused, TooLong) as error:
        return Abilities(top, None, str(error), counts)
    return Abilities(top, "echo", "", counts)


def _probe_chat(server: Server) -> Abilities:
    extra = _no_thought(server)
    reply = server.chat([Message("user", FIRST)], **ONE_TOKEN, **extra)
    counts = reply.prompt_tokens is not None
    try:
        top, lists = _top(
            lambda text, more: server.chat([Message("user", text)], **ONE_TOKEN, **extra, **more),
            lambda count: {"logprobs": True, "top_logprobs": count},
        )
        check_lists(*lists)
    except Refused as error:
        return Abilities(why=str(error), counts_tokens=counts, extra=extra)
    try:
        check_texts(lambda text, end: continued(server, [Message("user", text)], end, extra), lists[0])
    except (Refused, TooLong) as error:
        return Abilities(top, None, str(error), counts, extra)
    return Abilities(top, "prompt_logprobs", "", counts, extra)


def _no_thought(server: Server) -> Mapping[str, Any]:
    """What turns thinking off; empty where the server refuses it."""
    try:
        server.chat([Message("user", FIRST)], **ONE_TOKEN, **NO_THOUGHT)
    except Refused:
        return {}
    return NO_THOUGHT


Ask = Callable[[str, Mapping[str, Any]], Reply]


def _top(
    ask: Ask, count_as: Callable[[int], Mapping[str, Any]]
) -> tuple[int, tuple[Mapping[str, float], Mapping[str, float]]]:
    """How many likeliest tokens the server lists, and its lists after both texts.

    Raises Refused where it lists none.
    """
    refusal = Refused("the server lists no likeliest tokens, although it was asked for them")
    for count in COUNTS:
        try:
            first = ask(FIRST, count_as(count)).top
        except Refused as error:
            refusal = error
            continue
        if len(first) > 1:
            return count, (first, ask(SECOND, count_as(count)).top)
    raise refusal


def check_lists(first: Mapping[str, float], second: Mapping[str, float]) -> None:
    """Raises Refused where lists of likeliest tokens cannot be of log-probabilities after two texts."""
    for values in (list(first.values()), list(second.values())):
        if max(values, default=0.0) > SUM_ERROR or sum(map(math.exp, values)) > 1 + SUM_ERROR:
            raise Refused("the probabilities of the server's likeliest tokens add up to more than 1")
        if len(set(values)) < 2:
            raise Refused("the server gives all of its likeliest tokens the same probability")
    if first == second:
        raise Refused("the server's likeliest tokens are the same after two different texts")


def check_texts(tokens_of: Callable[[str, str], Sequence[Token]], likeliest: Mapping[str, float]) -> None:
    """Raises Refused where the log-probabilities of given text contradict themselves or the next token's.

    `tokens_of` gives the tokens of a prompt with a continuation. `likeliest` are those after FIRST.
    """
    alone = tokens_of(FIRST, "")
    known, chance = (_end(alone, tokens_of(FIRST, end)) for end in (KNOWN, RANDOM))
    elsewhere = _end(tokens_of(SECOND, ""), tokens_of(SECOND, KNOWN))
    values = {token.logprob for token in alone if token.logprob is not None}
    if len(values) < 2:
        raise Refused("the server gives all tokens of a text the same log-probability")
    if _sum(known) == _sum(elsewhere):
        raise Refused("the server's log-probabilities of a text do not depend on what is before it")
    for text, listed in sorted(likeliest.items(), key=lambda pair: -pair[1])[:COMPARED]:
        [first, *_] = _end(alone, tokens_of(FIRST, text)) if text.startswith(" ") else [Token("", None)]
        if first.text == text and abs(listed - _sum([first])) > DIFFERENCE:
            raise Refused(
                "the server's log-probabilities of given text contradict those of the next token: "
                f"{_sum([first]):.2f} and {listed:.2f} for {text!r}"
            )
    if _sum(known) <= _sum(chance):
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


def _sum(tokens: Sequence[Token]) -> float:
    values = [token.logprob for token in tokens if token.logprob is not None]
    if len(values) < len(tokens):
        raise Refused("the server leaves out log-probabilities of tokens of a text")
    return sum(values)


def echoed(server: Server, text: str) -> Sequence[Token]:
    """The tokens of a text, by `echo`. Raises Refused where the server does not return all of the text."""
    reply = server.complete(text, echo=True, logprobs=1, **ONE_TOKEN)
    if not reply.given or not reply.text.startswith(text):
        raise Refused("the server gives no log-probabilities of the text of prompts (echo)")
    written = reply.new_tokens
    if written is None:
        written = 1 if len(reply.text) > len(text) else 0
    return reply.given[: len(reply.given) - written]


def continued(
    server: Server, messages: Sequence[Message], answer: str, extra: Mapping[str, Any]
) -> Sequence[Token]:
    """The tokens of a chat that ends with the beginning of an answer, by vLLM's `prompt_logprobs`."""
    turns = [*messages, Message("assistant", answer)] if answer else list(messages)
    body: dict[str, Any] = {"prompt_logprobs": 0, **extra.get("extra_body", {})}
    if answer:
        body |= {"add_generation_prompt": False, "continue_final_message": True}
    reply = server.chat(turns, **ONE_TOKEN, extra_body=body)
    if not reply.given:
        raise Refused("the server gives no log-probabilities of the text of chats (prompt_logprobs)")
    return reply.given
