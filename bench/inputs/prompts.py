"""Item -> prompt, by the task's Jinja template, in a sandbox because templates may come from strangers."""

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

from bench.errors import BenchError, Unavailable, did_you_mean, named_line
from bench.types import Item, Message

ExemplarChoice = Literal["fixed", "per_question"]
VARIABLES = frozenset({"question", "options", "group"})
"""The variables of a template: the question, (letter, option) pairs, and the group. Never the answer."""

_ENVIRONMENT = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
# A prompt depends on its item alone: no randomness, and no globals such as range().
_ENVIRONMENT.globals.clear()
del _ENVIRONMENT.filters["random"]
_SINGLE_BRACE = re.compile(r"(?<![{%])\{ *(question|options|group|option|letter) *\}(?!\})")


def template_problems(source: str) -> list[str]:
    """The mistakes in a template that show without data; empty when there are none."""
    try:
        _ENVIRONMENT.compile(source)
        used = meta.find_undeclared_variables(_ENVIRONMENT.parse(source))
    except TemplateSyntaxError as error:
        return [f"line {error.lineno} of the template: {error.message}"]
    except Exception as error:  # noqa: BLE001 (a stranger's template: any error is a mistake in it)
        return [f"the template cannot be read: {named_line(error)}"]
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
        prompt.encode()  # a template can produce half a surrogate pair, which no tokenizer accepts
        return prompt
    except Exception as error:  # a stranger's template: any error is a mistake in it
        text = str(error) or type(error).__name__
        raise BenchError(f"prompt: the template failed on item {item.id}: {text}") from error


@lru_cache(maxsize=64)
def _template(source: str) -> JinjaTemplate:
    return _ENVIRONMENT.from_string(source)


@dataclass(frozen=True, slots=True)
class Template:
    """How an item is asked. `answers` is the form of the answer: the option's letter or its text."""

    prompt: str
    system: str
    answers: Literal["letter", "option"]
    cue: str = ""
    """Text between a question and its answer, such as "Answer:"."""

    def answer(self, item: Item) -> str:
        """The right answer as an exemplar shows it."""
        text = item.letters[item.answer] if self.answers == "letter" else item.options[item.answer].strip()
        return f"{self.cue} {text}" if self.cue else text


def answer_text(prompt: str, answer: str) -> str:
    """The answer as a continuation of the prompt: after a space, unless the prompt ends in white space."""
    return answer if prompt[-1:].isspace() else f" {answer}"


def plain_prompt(template: Template, exemplars: Sequence[Item], item: Item) -> str:
    """System text, solved exemplars and the question, separated by blank lines, as in lm-eval."""
    solved = [_solved(template, exemplar) for exemplar in exemplars]
    return "\n\n".join([*filter(None, [template.system]), *solved, render(template.prompt, item)])


def _solved(template: Template, item: Item) -> str:
    prompt = render(template.prompt, item)
    return prompt + answer_text(prompt, template.answer(item))


def chat_messages(template: Template, exemplars: Sequence[Item], item: Item) -> tuple[Message, ...]:
    """The same as chat turns: each exemplar is a user's question and an assistant's answer."""
    turns = [Message("system", template.system)] if template.system else []
    for exemplar in exemplars:
        turns.append(Message("user", render(template.prompt, exemplar)))
        turns.append(Message("assistant", template.answer(exemplar)))
    return (*turns, Message("user", render(template.prompt, item)))


@dataclass(frozen=True, slots=True)
class Exemplars:
    """`count` solved items from `pool` for each question, drawn by seed, never by position.

    `fixed` shows the same ones in the same order to every question, so their tokens are computed
    once. `per_question` draws by seed and question. Neither depends on which questions are asked, in
    which order, or in which process.
    """

    pool: tuple[Item, ...] = ()
    count: int = 0
    seed: int = 0
    choice: ExemplarChoice = "fixed"

    def of(self, item: Item) -> tuple[Item, ...]:
        """The exemplars to show before this item."""
        if self.choice == "fixed":
            return self.pool[: self.count]
        return tuple(random.Random(f"{self.seed}\n{item.question}").sample(self.pool, self.count))  # noqa: S311


NO_EXEMPLARS = Exemplars()


def choose_exemplars(
    items: Sequence[Item], count: int, seed: int, choice: ExemplarChoice = "fixed"
) -> Exemplars:
    """Exemplars from the items of a split; their order does not matter.

    Items are ranked by SHA-256 of seed and question, so with `fixed` adding an item to the split
    replaces at most one exemplar. Raises Unavailable where the split has fewer than `count` items.
    """
    if count > len(items):
        reason = f"{count} exemplars are needed, but the exemplars split has {len(items)} items"
        raise Unavailable(reason, "ask for fewer")
    if not count:
        return NO_EXEMPLARS
    ranked = sorted(items, key=lambda item: _rank(item, seed))
    return Exemplars(tuple(ranked[:count] if choice == "fixed" else ranked), count, seed, choice)


def _rank(item: Item, seed: int) -> str:
    return hashlib.sha256(f"{seed}\n{item.question}".encode()).hexdigest()
