"""Item -> prompt, by the task's Jinja template. Templates may come from strangers: sandboxed."""

import hashlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from jinja2 import StrictUndefined, TemplateSyntaxError, meta
from jinja2 import Template as JinjaTemplate
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bench.errors import BenchError, Unavailable, did_you_mean
from bench.types import Item, Message

ExemplarChoice = Literal["fixed", "per_question"]
VARIABLES = frozenset({"question", "options", "group"})
"""What a template may use: the question, (letter, option) pairs, and the group. Never the answer."""

_ENVIRONMENT = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
# A prompt is a function of its item alone: nothing random, no loop over anything but the item.
_ENVIRONMENT.globals.clear()
del _ENVIRONMENT.filters["random"]
_SINGLE_BRACE = re.compile(r"(?<![{%])\{ *(question|options|group|option|letter) *\}(?!\})")


def template_problems(source: str) -> list[str]:
    """What is wrong with a template that can be seen without data."""
    try:
        _ENVIRONMENT.compile(source)
        used = meta.find_undeclared_variables(_ENVIRONMENT.parse(source))
    except TemplateSyntaxError as error:
        return [f"line {error.lineno} of the template: {error.message}"]
    except Exception as error:  # noqa: BLE001 (a stranger's text: whatever it trips is its mistake)
        return [f"the template cannot be read: {type(error).__name__}: {error}"]
    problems = [
        f"undefined variable '{name}'{did_you_mean(name, VARIABLES)}" for name in sorted(used - VARIABLES)
    ]
    problems += [
        f"'{match.group(0)}' is not replaced: write '{{{{ {match.group(1)} }}}}'"
        for match in _SINGLE_BRACE.finditer(source)
    ]
    if not used & VARIABLES:
        problems.append("the template uses neither 'question' nor 'options': every prompt would be the same")
    return problems


def render(source: str, item: Item) -> str:
    """The prompt of one item, with no answer; raises BenchError where the template fails."""
    try:
        prompt = _template(source).render(
            question=item.question,
            options=list(zip(item.letters, item.options, strict=True)),
            group=item.group,
        )
        prompt.encode()  # a template can make half a character, which no tokenizer takes
        return prompt
    except Exception as error:  # a stranger's code: whatever it raises is its mistake
        text = str(error) or type(error).__name__
        raise BenchError(f"prompt: the template failed on item {item.id}: {text}") from error


@lru_cache(maxsize=64)
def _template(source: str) -> JinjaTemplate:
    return _ENVIRONMENT.from_string(source)


@dataclass(frozen=True, slots=True)
class Template:
    """How an item is asked. `answers` says what answers it: its letter, or the option's own text."""

    prompt: str
    system: str
    answers: Literal["letter", "option"]
    cue: str = ""
    """What stands between a question and its answer, beyond a space."""

    def answer(self, item: Item) -> str:
        """The right answer as an exemplar gives it."""
        text = item.letters[item.answer] if self.answers == "letter" else item.options[item.answer].strip()
        return f"{self.cue} {text}" if self.cue else text


def answer_text(prompt: str, answer: str) -> str:
    """The continuation that answers: a space before it unless the prompt ends in one."""
    return answer if prompt[-1:].isspace() else f" {answer}"


def plain_prompt(template: Template, exemplars: Sequence[Item], item: Item) -> str:
    """System text, solved exemplars and the question, a blank line between: few-shot as lm-eval writes it."""
    solved = [_solved(template, exemplar) for exemplar in exemplars]
    return "\n\n".join([*filter(None, [template.system]), *solved, render(template.prompt, item)])


def _solved(template: Template, item: Item) -> str:
    prompt = render(template.prompt, item)
    return prompt + answer_text(prompt, template.answer(item))


def chat_messages(template: Template, exemplars: Sequence[Item], item: Item) -> tuple[Message, ...]:
    """The same as turns: every exemplar a question by the user and an answer by the assistant."""
    turns = [Message("system", template.system)] if template.system else []
    for exemplar in exemplars:
        turns.append(Message("user", render(template.prompt, exemplar)))
        turns.append(Message("assistant", template.answer(exemplar)))
    return (*turns, Message("user", render(template.prompt, item)))


@dataclass(frozen=True, slots=True)
class Exemplars:
    """`count` solved items for a question out of `pool`, drawn by seed and never by place.

    `fixed` shows the same ones to every question, in one order, so that their tokens are computed
    once. `per_question` draws by seed and question. Either is the same whatever the subset, the
    order or the shard.
    """

    pool: tuple[Item, ...] = ()
    count: int = 0
    seed: int = 0
    choice: ExemplarChoice = "fixed"

    def of(self, item: Item) -> tuple[Item, ...]:
        if self.choice == "fixed":
            return self.pool[: self.count]
        return tuple(random.Random(f"{self.seed}\n{item.question}").sample(self.pool, self.count))  # noqa: S311


NO_EXEMPLARS = Exemplars()


def choose_exemplars(
    items: Sequence[Item], count: int, seed: int, choice: ExemplarChoice = "fixed"
) -> Exemplars:
    """Exemplars out of a split, whatever the order of its items.

    Items are ranked by SHA-256 of seed and question, so for `fixed` one more item in the split
    moves at most one exemplar. Raises Unavailable where the split has fewer than `count`.
    """
    if count > len(items):
        reason = f"{count} exemplars are wanted, the exemplars split has {len(items)} items"
        raise Unavailable(reason, "ask for fewer")
    if not count:
        return NO_EXEMPLARS
    ranked = sorted(items, key=lambda item: _rank(item, seed))
    return Exemplars(tuple(ranked[:count] if choice == "fixed" else ranked), count, seed, choice)


def _rank(item: Item, seed: int) -> str:
    return hashlib.sha256(f"{seed}\n{item.question}".encode()).hexdigest()
