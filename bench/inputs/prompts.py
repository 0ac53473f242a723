"""Item -> prompt, by the task's Jinja template. Templates may come from strangers: sandboxed."""

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bench.errors import BenchError, Unavailable, did_you_mean
from bench.types import Item

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
def _template(source: str) -> Template:
    return _ENVIRONMENT.from_string(source)


def answer_text(prompt: str, letter: str) -> str:
    """The continuation that answers with a letter: a space before it unless the prompt ends in one."""
    return letter if prompt[-1:].isspace() else f" {letter}"


def with_exemplars(source: str, exemplars: Sequence[Item], item: Item) -> str:
    """Solved exemplars, a blank line after each, then the question: few-shot as lm-eval writes it."""
    solved = [_solved(source, exemplar) for exemplar in exemplars]
    return "\n\n".join([*solved, render(source, item)])


def _solved(source: str, item: Item) -> str:
    prompt = render(source, item)
    return prompt + answer_text(prompt, item.letters[item.answer])


def choose_exemplars(items: Sequence[Item], count: int, seed: int) -> tuple[Item, ...]:
    """The same `count` items for every question, whatever the order of `items`.

    Items are ranked by SHA-256 of seed and question, so one more item in the split moves at most
    one exemplar.
    """
    if count > len(items):
        reason = f"{count} exemplars are wanted, the exemplars split has {len(items)} items"
        raise Unavailable(reason, "ask for fewer")
    return tuple(sorted(items, key=lambda item: _rank(item, seed))[:count])


def _rank(item: Item, seed: int) -> str:
    return hashlib.sha256(f"{seed}\n{item.question}".encode()).hexdigest()
