"""Chat messages -> a prompt, by the chat template of the model's tokenizer.

A template is a program of a stranger, so nothing that it does is taken for granted. It also renders marked
messages and an answer to them. Where these show that it drops, repeats or changes a text, or does not show
where the answer begins, the prompt is refused.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from bench.engines import thought
from bench.errors import BenchError, one_line
from bench.types import Message

_FIXED_DATE = "{%- macro strftime_now(format) -%}26 Jul 2024{%- endmacro %}\n"
"""Some templates write today's date; scores would change from day to day."""


class _Unusable(Exception):
    """Why a template cannot be used in one form. The reason of the form that gets furthest is shown."""

    def __init__(self, reason: str, progress: int) -> None:
        super().__init__(reason)
        self.progress = progress


@dataclass(frozen=True, slots=True)
class _Form:
    """A form in which a template may accept the messages. Contents of roles `in_parts` are lists of parts."""

    messages: tuple[Message, ...]
    in_parts: frozenset[str]


def render(tokenizer: Any, messages: Sequence[Message], *, thinking: bool) -> str:
    """The prompt, up to where the assistant's answer begins in a dialogue that has one.

    Without `thinking` the prompt leaves no thought open; with it, the model may think first. White space at
    the ends of a message may be lost. Raises a BenchError where there is no template, or it gives no such
    prompt.
    """
    if tokenizer.chat_template is None:
        raise BenchError("this model's tokenizer has no chat template; use --prompt plain")
    failures: list[_Unusable] = []
    for form in _forms(messages):
        try:
            return _prompt(tokenizer, form, thinking=thinking)
        except _Unusable as failure:
            failures.append(failure)
    reason = max(failures, key=lambda failure: failure.progress)
    raise BenchError(f"the chat template {reason}; use --prompt plain") from reason


def _forms(messages: Sequence[Message]) -> Iterator[_Form]:
    """With the system text as its own message, then before the question.

    Each with all contents as text, with all as parts, and with those of some roles as parts.
    """
    first, *rest = messages
    choices = [tuple(messages)]
    if first.role == "system" and rest:
        choices.append((Message("user", f"{first.content}\n\n{rest[0].content}"), *rest[1:]))
    for chosen in choices:
        roles = {message.role for message in chosen} | {"assistant"}
        for count in (0, len(roles), *range(1, len(roles))):
            for in_parts in combinations(sorted(roles), count):
                yield _Form(chosen, frozenset(in_parts))


def _prompt(tokenizer: Any, form: _Form, *, thinking: bool) -> str:
    marked = replace(form, messages=tuple(replace(m, content=_mark(n)) for n, m in enumerate(form.messages)))
    marks = [message.content for message in marked.messages]
    asked = _apply(tokenizer, marked, thinking=thinking, generation_prompt=True, progress=0)
    order = _order(asked, marks)
    literals = _literals(asked, [marks[at] for at in order])
    answer = _mark(len(marks))
    dialogue = replace(marked, messages=(*marked.messages, Message("assistant", answer)))
    answered = _apply(tokenizer, dialogue, thinking=thinking, generation_prompt=False)
    opening = _opening(answered, marks, marks[order[-1]], answer)
    unasked = _apply(tokenizer, marked, thinking=thinking, generation_prompt=False)
    is_given = asked != unasked
    if thinking:
        opening = _thinking_opening(literals[-1], opening, is_given=is_given)
    else:
        frame = _frame(tokenizer, dialogue, is_given=is_given)
        opening = _answer_opening(literals[-1], opening, frame, is_given=is_given)
    texts = [form.messages[at].content for at in order]
    rendered = _apply(tokenizer, form, thinking=thinking, generation_prompt=True, progress=5)
    return rendered[: _texts_end(rendered, literals, texts)] + opening


def _mark(number: int) -> str:
    """A text that occurs nowhere else, with all that a template may escape, split or join."""
    return f"Mark{number}Begin <b> & \"c\" 'd' \\ é  e\n\n  {{f}} %g Mark{number}End"


def _apply(tokenizer: Any, form: _Form, *, thinking: bool, generation_prompt: bool, progress: int = 3) -> str:
    contents = [
        [{"type": "text", "text": message.content}] if message.role in form.in_parts else message.content
        for message in form.messages
    ]
    turns = [{"role": m.role, "content": content} for m, content in zip(form.messages, contents, strict=True)]
    try:
        text: str = tokenizer.apply_chat_template(
            turns,
            tokenize=False,
            add_generation_prompt=generation_prompt,
            chat_template=_FIXED_DATE + tokenizer.get_chat_template(),
            enable_thinking=thinking,
            thinking=thinking,
        )
    except Exception as error:  # a stranger's template may raise anything
        raise _Unusable(f"refuses the messages: {one_line(error)}", progress) from error
    return text


def _order(rendered: str, marks: Sequence[str]) -> list[int]:
    """The indices of the marked messages in the order in which a template writes them."""
    for mark in marks:
        if not (count := rendered.count(mark)):
            raise _Unusable("leaves out or changes a text that it is given", 1)
        if count > 1:
            raise _Unusable("repeats a text that it is given", 2)
    return sorted(range(len(marks)), key=lambda at: rendered.index(marks[at]))


def _literals(rendered: str, marks: Sequence[str]) -> list[str]:
    """What a template writes before, between and after its texts."""
    return re.split("|".join(re.escape(mark) for mark in marks), rendered)


def _opening(answered: str, marks: Sequence[str], last: str, answer: str) -> str:
    """What stands between `last`, the text that ends a question, and the assistant's answer."""
    if max(answered.count(last), answered.count(answer)) > 1:
        raise _Unusable("repeats a text that it is given", 3)
    before, marked, _ = answered.partition(answer)
    _, reached, opening = before.partition(last)
    if not marked or not reached or any(mark in opening for mark in marks):
        raise _Unusable("does not write an answer after its question", 3)
    if not opening[: thought.closed_thought(opening)].strip():
        raise _Unusable("does not mark where the assistant speaks", 3)
    return opening


def _frame(tokenizer: Any, answered: _Form, *, is_given: bool) -> str:
    """What a template writes between an answer and the next question.

    What stands after that question is of the question too, unless it asks for an answer unasked.
    """
    answer, question = answered.messages[-1].content, _mark(len(answered.messages))
    longer = replace(answered, messages=(*answered.messages, Message("user", question)))
    try:
        text = _apply(tokenizer, longer, thinking=False, generation_prompt=False)
    except _Unusable:  # some templates allow one question alone
        return ""
    between, _, after = text.partition(answer)[2].partition(question)
    return f"{between}\n{after}" if is_given else between


def _answer_opening(asked: str, opening: str, frame: str, *, is_given: bool) -> str:
    """What stands before an answer without thought: as in the answered dialogue.

    `asked` is what follows the question when an answer is asked for, and `is_given` whether that differs
    from what follows it otherwise. It is used where it ends in a closed thought that the template leaves out
    of finished dialogues.
    """
    header = asked[: thought.closed_thought(asked)].rstrip()
    if header != asked.rstrip() and opening[: thought.closed_thought(opening)].rstrip() == header:
        opening = asked if not opening.startswith(asked) else opening
    elif is_given and not opening.startswith(asked):
        opening = _agreed(asked, opening, frame)
    if thought.opens_thought(opening, frame):
        raise _Unusable("puts the answer into a thought that it opens", 4)
    if (tag := thought.suspect(opening, frame)) is not None:
        raise _Unusable(f"writes {tag} before the answer, which may open a thought", 4)
    return opening


def _agreed(asked: str, opening: str, frame: str) -> str:
    """The text before an answer, where a template writes another text to ask for one."""
    if opening.startswith(thought.without_thought(asked).rstrip()):
        return opening
    written = opening.rstrip()
    if asked.startswith(written) and thought.names_speaker(opening, frame):
        more = asked.removeprefix(written)
        if thought.closes_one(more):
            return asked
        if thought.opens_one(more) or thought.opens_thought(more, frame):
            return opening
    raise _Unusable("asks for an answer otherwise than it writes one", 4)


def _thinking_opening(asked: str, opening: str, *, is_given: bool) -> str:
    """What stands before an answer whose thought the model writes first.

    Where the template does not ask for an answer, the dialogue's header is used, without the closed thought
    after it.
    """
    header = opening[: thought.closed_thought(opening)]
    return asked if is_given and not header.removeprefix(asked).isspace() else header


def _texts_end(rendered: str, literals: Sequence[str], texts: Sequence[str]) -> int:
    """Where the last text ends in the rendering of real texts, each whole and once between the literals."""
    changed = _Unusable("changes a text that it is given", 5)
    if not rendered.startswith(literals[0]):
        raise changed
    place = end = len(literals[0])
    for text, literal in zip(texts, literals[1:], strict=True):
        kept = (text, text.strip(), text.lstrip(), text.rstrip())
        whole = next((one for one in kept if rendered.startswith(one + literal, place)), None)
        if whole is None:
            raise changed
        end = place + len(whole)
        place = end + len(literal)
    if place != len(rendered):
        raise changed
    return end
