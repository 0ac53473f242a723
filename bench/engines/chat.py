"""Chat messages -> the text that a model's own template makes of them."""

from collections.abc import Sequence
from typing import Any

from jinja2 import TemplateError

from bench.errors import BenchError, first_line
from bench.types import Message

_ANSWER = "X"
_ONE_DAY = "{%- macro strftime_now(format) -%}26 Jul 2024{%- endmacro -%}"
"""Some templates write today's date, and scores would change from day to day."""


def render(tokenizer: Any, messages: Sequence[Message], *, thinking: bool) -> str:
    """The messages, and all that the template writes before the assistant's first own character.

    Without `thinking`, a template that opens a block of thought (Qwen3's) is told to leave it out.
    """
    if tokenizer.chat_template is None:
        raise BenchError("this model's tokenizer has no chat template; use --prompt plain")
    try:
        try:
            return _before_answer(tokenizer, messages, thinking=thinking)
        except TemplateError:
            return _before_answer(tokenizer, _without_system(messages), thinking=thinking)
    except TemplateError as error:
        raise BenchError(f"the chat template refuses the messages: {first_line(error)}") from error


def _before_answer(tokenizer: Any, messages: Sequence[Message], *, thinking: bool) -> str:
    turns = [{"role": message.role, "content": message.content} for message in messages]
    template = _ONE_DAY + tokenizer.get_chat_template()
    options = {"tokenize": False, "enable_thinking": thinking, "chat_template": template}
    prompt = tokenizer.apply_chat_template(turns, add_generation_prompt=True, **options)
    answered = [*turns, {"role": "assistant", "content": _ANSWER}]
    whole = tokenizer.apply_chat_template(answered, add_generation_prompt=False, **options)
    # Some templates put a space between their own mark and what the assistant says.
    space = whole[len(prompt) : whole.rindex(_ANSWER)] if whole.startswith(prompt) else ""
    return prompt + space if space.isspace() else prompt


def _without_system(messages: Sequence[Message]) -> list[Message]:
    """For templates that know no system role: its text goes before the first question."""
    first, *rest = messages
    if first.role != "system" or not rest:
        return list(messages)
    return [Message("user", f"{first.content}\n\n{rest[0].content}"), *rest[1:]]
