"""Chat messages -> a prompt, by the chat template of the model's tokenizer."""

from collections.abc import Sequence
from typing import Any

from jinja2 import TemplateError

from bench.errors import BenchError, one_line
from bench.types import Message

_ANSWER = "X"
_FIXED_DATE = "{%- macro strftime_now(format) -%}26 Jul 2024{%- endmacro -%}"
"""Some templates write today's date; scores would change from day to day."""


def render(tokenizer: Any, messages: Sequence[Message], *, thinking: bool) -> str:
    """The prompt, up to where the assistant's answer begins.

    Without `thinking`, a template that lets the model think first (Qwen3's) leaves that out. Raises a
    BenchError where there is no template, or it does not accept the messages.
    """
    if tokenizer.chat_template is None:
        raise BenchError("this model's tokenizer has no chat template; use --prompt plain")
    try:
        try:
            return _prompt(tokenizer, messages, thinking=thinking)
        except TemplateError:
            return _prompt(tokenizer, _without_system(messages), thinking=thinking)
    except TemplateError as error:
        raise BenchError(f"the chat template refuses the messages: {one_line(error)}") from error


def _prompt(tokenizer: Any, messages: Sequence[Message], *, thinking: bool) -> str:
    turns = [{"role": message.role, "content": message.content} for message in messages]
    template = _FIXED_DATE + tokenizer.get_chat_template()
    options = {"tokenize": False, "enable_thinking": thinking, "chat_template": template}
    prompt = tokenizer.apply_chat_template(turns, add_generation_prompt=True, **options)
    answered = [*turns, {"role": "assistant", "content": _ANSWER}]
    whole = tokenizer.apply_chat_template(answered, add_generation_prompt=False, **options)
    # Some templates put a space between the assistant's marker and the answer.
    space = whole[len(prompt) : whole.rindex(_ANSWER)] if whole.startswith(prompt) else ""
    return prompt + space if space.isspace() else prompt


def _without_system(messages: Sequence[Message]) -> list[Message]:
    """For templates without a system role: its text goes before the first question."""
    first, *rest = messages
    if first.role != "system" or not rest:
        return list(messages)
    return [Message("user", f"{first.content}\n\n{rest[0].content}"), *rest[1:]]
