"""What servers answer, in the shapes that are in use, and what is read from it.

Fields that a server leaves out are None: what is not said is unknown. Sources: the API reference of OpenAI
(completions, chat completions), vLLM's documentation (`prompt_logprobs`), llama.cpp's server README.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, model_validator

from bench.numbers import Count, Real


class _Usage(BaseModel):
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None


class _Likely(BaseModel):
    token: str
    logprob: Real


class _Place(_Likely):
    top_logprobs: list[_Likely] = Field(default_factory=list[_Likely])


class _Logprobs(BaseModel):
    """Of completions: parallel lists. Of chats, and of completions in llama.cpp's server: `content`."""

    tokens: list[str] | None = None
    token_logprobs: list[Real | None] | None = None
    top_logprobs: list[dict[str, Real] | None] | None = None
    content: list[_Place] | None = None


class _Decoded(BaseModel):
    logprob: Real
    decoded_token: str | None = None


class _Message(BaseModel):
    content: str | None = None
    reasoning_content: str | None = None


PromptLogprobs = list[dict[str, _Decoded] | None]


class _Choice(BaseModel):
    text: str | None = None
    message: _Message | None = None
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None
    prompt_logprobs: PromptLogprobs | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.text is None and self.message is None:
            raise ValueError("neither text nor message")
        return self


class Answer(BaseModel):
    """The body of a successful answer."""

    model: str | None = None
    system_fingerprint: str | None = None
    choices: Annotated[list[_Choice], Field(min_length=1)]
    usage: _Usage | None = None
    prompt_logprobs: PromptLogprobs | None = None
    """vLLM writes it here for chats, and in the choice for completions."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token's text, and its log-probability; None for the first of a text."""

    text: str
    logprob: float | None


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered.

    `given` are the tokens that it returns: with `echo` those of the prompt, then those that it wrote.
    `prompt` are those of the prompt alone, as vLLM returns them. `top` are the likeliest tokens at the first
    place after the prompt, by their texts.
    """

    text: str
    finished: bool
    prompt_tokens: int | None
    new_tokens: int | None
    model: str
    fingerprint: str
    given: tuple[Token, ...] = ()
    prompt: tuple[Token, ...] = ()
    top: Mapping[str, float] = field(default_factory=dict[str, float])


def read_reply(body: Any) -> Reply:
    """The reply in a body; raises a ValidationError where it has another shape."""
    answer = Answer.model_validate(body)
    choice, usage = answer.choices[0], answer.usage or _Usage()
    message = choice.message or _Message()
    text = choice.text if choice.text is not None else message.content or ""
    if message.reasoning_content:
        text = f"<think>{message.reasoning_content}</think>{text}"
    prompt = choice.prompt_logprobs or answer.prompt_logprobs or []
    return Reply(
        text=text,
        finished=choice.finish_reason != "length",
        prompt_tokens=usage.prompt_tokens,
        new_tokens=usage.completion_tokens,
        model=answer.model or "",
        fingerprint=answer.system_fingerprint or "",
        given=tuple(_tokens(choice.logprobs)),
        prompt=tuple(_prompt_tokens(prompt)),
        top=_top(choice.logprobs),
    )


def _tokens(logprobs: _Logprobs | None) -> Iterator[Token]:
    if logprobs and logprobs.tokens is not None:
        values = logprobs.token_logprobs or []
        for at, text in enumerate(logprobs.tokens):
            yield Token(text, values[at] if at < len(values) else None)


def _prompt_tokens(places: PromptLogprobs) -> Iterator[Token]:
    """With `prompt_logprobs: 0` each place has the token of the prompt alone."""
    for place in places:
        first = next(iter(place.values()), None) if place else None
        yield Token((first.decoded_token or "") if first else "", first.logprob if first else None)


def _top(logprobs: _Logprobs | None) -> dict[str, float]:
    if logprobs is None:
        return {}
    if logprobs.content:
        likeliest = sorted(logprobs.content[0].top_logprobs, key=lambda each: each.logprob)
        return {each.token: each.logprob for each in likeliest}  # of two with one text, the likelier
    return dict((logprobs.top_logprobs or [None])[0] or {})
