"""Item -> prompt, by the task's Jinja template, in a sandbox because templates may come from strangers."""

import random
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Literal

from bench.errors import OfItem, Unavailable, named_line, one_line, there_are
from bench.inputs.draw import rank
from bench.types import Item, Message
from bench.wording import counted

if TYPE_CHECKING:
    from jinja2 import Template as JinjaTemplate

    from bench.inputs.bounded_templates import BoundedEnvironment

ExemplarChoice = Literal["fixed", "per_question", "first", "lm_eval", "lm_eval_spare"]
ChosenExemplars = ExemplarChoice | tuple[str, ...]
"""How exemplars are chosen, or the ids of those that are shown, in this order."""
SEEDED: frozenset[ChosenExemplars] = frozenset({"fixed", "per_question"})
"""The choices that depend on the seed."""
LM_EVAL_SEED = 1234
"""The seed of lm-eval's sampler, unless its command says otherwise."""
VARIABLES = frozenset({"question", "options", "group"})
"""The variables of a template: the question, (letter, option) pairs, and the group. Never the answer."""

LETTER = "{{ letter }}"
"""A letter as it is written in an answer, and its place in another form."""
_IN_SYSTEM = frozenset({"group"})
"""The variables of a system text, which stands before the exemplars: nothing of the question itself."""
_SINGLE_BRACE = re.compile(r"(?<![{%])\{ *(question|options|group|option|letter) *\}(?!\})")


def template_problems(source: str, extra: Collection[str] | None = ()) -> list[str]:
    """The mistakes in a template that show without data; empty when there are none.

    `extra` are the variables that the task adds; None allows any.
    """
    problems, used = _checked(source, extra)
    if used is None:
        return problems
    problems += [
        f"'{match.group(0)}' is not replaced: write '{{{{ {match.group(1)} }}}}'"
        for match in _SINGLE_BRACE.finditer(source)
    ]
    if extra is not None and not used & (VARIABLES | set(extra)):
        problems.append("the template uses neither 'question' nor 'options': every prompt would be the same")
    return problems


def system_problems(text: str) -> list[str]:
    """The mistakes in a system text; none where it is no template."""
    if not is_template(text):
        return []
    problems, used = _checked(text)
    problems += [
        f"'{name}' cannot be used here: a system text stands before the exemplars, and says nothing of one "
        f"question; use {', '.join(sorted(_IN_SYSTEM))}, or put '{name}' into the prompt"
        for name in sorted((used or set()) & (VARIABLES - _IN_SYSTEM))
    ]
    return problems


def is_template(text: str) -> bool:
    """Whether a system text is a template: any other stands in the prompt as it is, braces and all."""
    return "{{" in text or "{%" in text


@cache
def _environment() -> "BoundedEnvironment":
    from bench.inputs.bounded_templates import BoundedEnvironment  # a command that reads results asks nothing

    return BoundedEnvironment()


def _checked(source: str, extra: Collection[str] | None = ()) -> tuple[list[str], set[str] | None]:
    """A template's syntax error, or its undefined variables; and the variables that it uses, None without
    syntax.
    """
    used = _variables(source)
    if isinstance(used, str):
        return [used], None
    known = VARIABLES | set(extra or ())
    unknown = sorted(used - known) if extra is not None else []
    return [f"undefined variable '{name}'{there_are(name, known)}" for name in unknown], set(used)


@lru_cache(maxsize=64)  # the runs of a task hold the same template
def _variables(source: str) -> frozenset[str] | str:
    """The variables that a template uses, or what is wrong with it."""
    from jinja2 import TemplateSyntaxError, meta

    from bench.inputs.bounded_templates import SOURCE

    if len(source) > SOURCE:
        return f"the template has {len(source):,} characters, and may have {SOURCE:,}"
    try:
        _environment().compile(source)
        return frozenset(meta.find_undeclared_variables(_environment().parse(source)))
    except TemplateSyntaxError as error:
        return f"line {error.lineno} of the template: {error.message}"
    except Exception as error:  # noqa: BLE001 (a stranger's template: any error is a mistake in it)
        return f"the template cannot be read: {named_line(error)}"


def render(source: str, item: Item) -> str:
    """The prompt of one item, with no answer; raises BenchError where the template fails."""
    options = list(zip(item.letters, item.options, strict=True))
    return _rendered("prompt", source, item, {"question": item.question, "options": options})


def system_text(text: str, item: Item) -> str:
    """The system text for one item: rendered where it is a template, else as it is.

    Raises BenchError where the template fails.
    """
    return _rendered("system", text, item, {}) if is_template(text) else text


def _rendered(key: str, source: str, item: Item, values: Mapping[str, object]) -> str:
    from bench.inputs.bounded_templates import in_bounds, place_in_template

    try:
        text = in_bounds(_template(source), {**values, "group": item.group, **dict(item.extra)})
        text.encode()  # a template can produce half a surrogate pair, which no tokenizer accepts
        return text
    except Exception as error:  # a stranger's template: any error is a mistake in it
        place, reason = place_in_template(error), one_line(error)
        raise OfItem(item.id, reason, [reason], f"{key}: the template failed on ", place) from error


@lru_cache(maxsize=64)
def _template(source: str) -> "JinjaTemplate":
    return _environment().from_string(source)


@dataclass(frozen=True, slots=True)
class Template:
    """How an item is asked. `answers` is the form of the answer: the option's letter or its text."""

    prompt: str
    system: str
    answers: Literal["letter", "option"]
    cue: str = ""
    """Text between a question and its answer, such as "Answer:"."""
    letter: str = LETTER
    """How a letter is written in an answer."""

    def letters(self, item: Item) -> tuple[str, ...]:
        """The item's letters as answers."""
        return tuple(self.letter.replace(LETTER, letter) for letter in item.letters)

    def answer(self, item: Item) -> str:
        """The right answer as an exemplar shows it."""
        texts = self.letters(item) if self.answers == "letter" else item.options
        text = texts[item.answer].strip()
        return f"{self.cue} {text}" if self.cue else text


def answer_text(prompt: str, answer: str) -> str:
    """The answer as a continuation of the prompt: after a space, unless the prompt ends in white space."""
    return answer if prompt[-1:].isspace() else f" {answer}"


def plain_prompt(template: Template, exemplars: Sequence[Item], item: Item) -> str:
    """System text, solved exemplars and the question, separated by blank lines, as in lm-eval."""
    solved = [_solved(template, exemplar) for exemplar in exemplars]
    system = system_text(template.system, item)
    return "\n\n".join([*filter(None, [system]), *solved, render(template.prompt, item)])


def _solved(template: Template, item: Item) -> str:
    prompt = render(template.prompt, item)
    return prompt + answer_text(prompt, template.answer(item))


def chat_messages(template: Template, exemplars: Sequence[Item], item: Item) -> tuple[Message, ...]:
    """The same as chat turns: each exemplar is a user's question and an assistant's answer."""
    system = system_text(template.system, item)
    turns = [Message("system", system)] if system else []
    for exemplar in exemplars:
        turns.append(Message("user", render(template.prompt, exemplar)))
        turns.append(Message("assistant", template.answer(exemplar)))
    return (*turns, Message("user", render(template.prompt, item)))


@dataclass(frozen=True, slots=True)
class Exemplars:
    """`count` solved items from `pool` for each question; `within` takes those of the question's own group.

    `fixed` shows the same ones, drawn by seed, in the same order to every question, so their tokens are
    computed once. `per_question` draws by seed and question. Neither depends on which questions are asked,
    in which order, or in which process. `first` shows the first of the pool, and ids show those of the
    ids, in their order. `draws` has the exemplars of each question by its id, where they depend on where
    the question stands.
    """

    pool: tuple[Item, ...] = ()
    count: int = 0
    seed: int = 0
    choice: ChosenExemplars = "fixed"
    within: bool = False
    draws: Mapping[str, tuple[Item, ...]] = field(default_factory=dict[str, tuple[Item, ...]])

    def of(self, item: Item) -> tuple[Item, ...]:
        """The exemplars to show before this item."""
        if self.draws:
            return self.draws[item.id]
        pool = self.pool_of(item.group)
        if self.choice == "per_question":
            return tuple(random.Random(f"{self.seed}\n{item.question}").sample(pool, self.count))  # noqa: S311
        return pool[: self.count]

    def pool_of(self, group: str) -> tuple[Item, ...]:
        """What the exemplars of a question of this group are taken from."""
        return tuple(item for item in self.pool if item.group == group) if self.within else self.pool

    @property
    def shown(self) -> tuple[Item, ...]:
        """The exemplars that questions do not draw for themselves, group by group; else none."""
        if self.draws or self.choice == "per_question":
            return ()
        groups = sorted({item.group for item in self.pool}) if self.within else [""]
        return tuple(item for group in groups for item in self.pool_of(group)[: self.count])


NO_EXEMPLARS = Exemplars()


def choose_exemplars(
    items: Sequence[Item],
    count: int,
    seed: int,
    choice: ChosenExemplars = "fixed",
    *,
    within: bool = False,
    tested: Sequence[Item] = (),
) -> Exemplars:
    """Exemplars from the items of a split, for the items that are `tested`, all of the test split.

    Drawn ones are ranked by SHA-256 of seed and question, so that the order of the split does not matter and
    with `fixed` adding an item to it replaces at most one exemplar. Ids must be those of items. Raises
    Unavailable where the split, or with `within` the group of a tested item, has too few.
    """
    if not count:
        return NO_EXEMPLARS
    pool = _pool(items, seed, choice)
    if not within and choice in ("fixed", "first"):
        pool = pool[:count]
    exemplars = Exemplars(pool, count, seed, choice, within)
    groups = tuple(dict.fromkeys(item.group for item in tested)) if within else ("",)
    for group in groups:
        _check_enough(exemplars, group)
    if choice not in ("lm_eval", "lm_eval_spare"):
        return exemplars
    draws = {key: drawn for group in groups for key, drawn in _draws(exemplars, group, tested)}
    return replace(exemplars, pool=(), draws=draws)


def _pool(items: Sequence[Item], seed: int, choice: ChosenExemplars) -> tuple[Item, ...]:
    """What exemplars are taken from, in the order in which they are."""
    if isinstance(choice, tuple):
        by_id = {item.id: item for item in items}
        return tuple(by_id[name] for name in choice)
    return tuple(sorted(items, key=lambda item: rank(item, seed))) if choice in SEEDED else tuple(items)


def _check_enough(exemplars: Exemplars, group: str) -> None:
    needed, there = exemplars.count, len(exemplars.pool_of(group))
    if exemplars.choice == "lm_eval_spare":
        needed += 1  # one is drawn and not shown
    if needed <= there:
        return
    where = "exemplar_choice names" if isinstance(exemplars.choice, tuple) else "the exemplars split has"
    what = f"{there} of the group '{group}'" if exemplars.within else counted(there, "item")
    verb = "is" if needed == 1 else "are"
    remedies = ["ask for fewer"] if there or not exemplars.within else []
    if exemplars.within:
        remedies += ["add exemplars of the group", "remove exemplars_within"]
    remedy = f"{', '.join(remedies[:-1])} or {remedies[-1]}" if remedies[1:] else remedies[0]
    raise Unavailable(f"{counted(needed, 'exemplar')} {verb} needed, but {where} {what}", remedy)


def _draws(
    exemplars: Exemplars, group: str, tested: Sequence[Item]
) -> Iterator[tuple[str, tuple[Item, ...]]]:
    """(id, exemplars) of each tested item of the group, as lm-eval's own sampler draws them for a whole run.

    Its generator goes on from question to question, in the order of the split. For a task that has no test
    split it draws one more than it shows, in case the question itself is drawn.
    """
    generator = random.Random(LM_EVAL_SEED)  # noqa: S311 (nothing secret)
    pool, spare = exemplars.pool_of(group), exemplars.choice == "lm_eval_spare"
    for item in tested:
        if not exemplars.within or item.group == group:
            drawn = generator.sample(pool, exemplars.count + spare)
            yield item.id, tuple(drawn[: exemplars.count])
