"""What an engine may give: each check raises an EngineMistake that names what is wrong, and the question.

- Each request that is not in `skip` has one reply, or is in `too_long`; indices are whole numbers from 0 on.
- A batch has as many replies as indices, and answers at least one request that is not in `skip`.
- A reply has a set for each set of continuations (with `reads="item"`, one set of the options' weights), with
  a number for each continuation: an `int` or `float` that is finite, no `bool` and no array. A letter that a
  server does not list is no infinite number: its value is the lowest listed one, and `bounded` names it.
- With `reads="prompt"`, `tokens` has the same shape. Counts of tokens are whole numbers from 0 on.
- `encode` returns the request that it got; a tree, where there is one, has the request's continuations.
- `generate` gives as many completions as samples. Texts can be written as UTF-8.
- `model_bytes` and other facts are whole numbers of a stated size, or None.

An engine may print, start processes, and change its folder, umask or environment: nothing of it reaches the
terminal or another cell. A `close` that raises is a note.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any, cast

from bench import numbers
from bench.errors import BenchError, shown_line
from bench.types import (
    Completion,
    Encoded,
    GenerateRequest,
    MoreScores,
    ScoredBatch,
    ScoreRequest,
    Scores,
    Tree,
    WrittenBatch,
)

NAMED = 3
"""Questions that a message names; of more it says how many."""
LONGEST_NAME = 60
MOST = 2**50
"""No count of tokens or bytes is higher."""
LONGEST_TEXT = 10_000_000
"""Characters of a prompt or a reply."""
UNCLEAR = "its scores are not finite numbers; try another --dtype"


class EngineMistake(BenchError):
    """What an engine gave is not what `bench/engines/engine.py` asks for.

    In `text`, which lacks its subject, "{of}" stands for the ids of `questions` and "{given}" for the value
    that the engine gave, `given` in a few words, and without what it quotes.
    """

    def __init__(self, text: str, questions: Sequence[str] = (), given: tuple[str, str] = ("", "")) -> None:
        self.parts = text, tuple(questions), given
        super().__init__(f"the engine {self.text}")

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), self.parts

    @property
    def text(self) -> str:
        """The mistake, without its subject."""
        text, questions, (given, _) = self.parts
        return _filled(text, names_of(questions), given)

    def without_texts(self, name: Callable[[str], str]) -> str:
        """`text` with other names in the place of ids, and without what it quotes."""
        text, questions, (_, given) = self.parts
        return _filled(text, _some([name(each) for each in questions[:NAMED]], len(questions)), given)

    def by(self, engine: str, package: str) -> str:
        """The message for an engine, and the package that it comes with, "" for ours."""
        return f"engine {engine} {self.text}{f'; it comes with {package}' if package else ''}"


def mistake(text: str, given: object = None, questions: Sequence[str] = ()) -> EngineMistake:
    """A mistake whose text names a value that the engine gave."""
    return EngineMistake(text, questions, (kind_of(given), kind_of(given, quoted=False)))


def _filled(text: str, names: str, given: str) -> str:
    """The text with its two parts, in which braces mean nothing."""
    return re.sub(r"\{(of|given)\}", lambda part: names if part[1] == "of" else given, text)


def _some(names: Sequence[str], all_names: int) -> str:
    more = all_names - len(names)
    return ", ".join(names) + (f" and {more:,} more" if more else "")


def names_of(questions: Sequence[str]) -> str:
    """Ids of questions for a message: the first few, and how many more."""
    names = [shown_line(name, LONGEST_NAME) or "one without an id" for name in questions[:NAMED]]
    return _some(names, len(questions))


def is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= MOST


def is_text(value: object) -> bool:
    """Whether it is a text that a file can hold."""
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        return False
    return value.isascii() or not any("\ud800" <= sign <= "\udfff" for sign in value)


def kind_of(value: object, *, quoted: bool = True) -> str:
    """What a value is, in a few words, never its whole contents; a text is quoted where it is short."""
    if isinstance(value, str):
        is_shown = quoted and len(value) <= LONGEST_NAME
        return repr(value) if is_shown else f"a text of {len(value):,} characters"
    if value is None or isinstance(value, (bool, float, complex)):
        return str(value)
    if isinstance(value, int):
        return str(value) if abs(value) <= MOST else "a number too large"
    return f"an object of the type {type(value).__name__}"


def row(value: object) -> tuple[Any, ...] | None:
    """The values of a tuple or list, None for anything else."""
    return tuple(cast("Iterable[Any]", value)) if isinstance(value, (tuple, list)) else None


class Asked:
    """The requests of a call, and which of them the engine has answered so far."""

    def __init__(self, requests: Sequence[Encoded] | Sequence[GenerateRequest], skip: frozenset[int]) -> None:
        self.requests = requests
        self.skip = skip
        self.answered: set[int] = set()

    def name(self, index: int) -> str:
        request = self.requests[index]
        item = request.request.item if isinstance(request, Encoded) else request.item
        return item.id or f"request {index}"

    def mistake(self, index: int, text: str, given: object = None) -> EngineMistake:
        """A mistake in the reply to a request, whose question takes the place of "{of}" in the text."""
        return mistake(text, given, [self.name(index)])

    def take(self, batch: ScoredBatch | WrittenBatch) -> None:
        """Note what a batch answers; raises where its indices are not each one of the requests, once."""
        rows = [row(values) for values in (batch.indices, batch.replies, batch.too_long)]
        if None in rows:
            raise EngineMistake("gave a batch whose indices and replies are no tuples")
        answered = (*batch.indices, *batch.too_long)
        for index in answered:
            self._take_one(index)
        if len(batch.replies) != len(batch.indices):
            counts = f"{len(batch.replies)} replies to the {len(batch.indices)} requests"
            raise EngineMistake(f"gave {counts} of a batch")
        if self.skip.issuperset(answered):
            raise EngineMistake("gave a batch without any request that was left to answer")
        if batch.batch_tokens is not None and not is_count(batch.batch_tokens):
            raise mistake("planned a batch for {given} tokens", batch.batch_tokens)

    def _take_one(self, index: object) -> None:
        if type(index) is not int:
            raise mistake("gave {given} in place of the index of a request", index)
        if not 0 <= index < len(self.requests):
            of = f"{len(self.requests)} were asked, from index 0"
            raise mistake(f"replied to a request with the index {{given}} ({of})", index)
        if index in self.answered:
            raise self.mistake(index, "replied twice to {of}")
        self.answered.add(index)

    def end(self) -> None:
        """Raises where a request has no reply."""
        wanted = set(range(len(self.requests))) - self.skip
        if missing := sorted(wanted - self.answered):
            names = [self.name(index) for index in missing]
            count = f"{len(wanted) - len(missing)} of {len(wanted)} requests"
            raise EngineMistake(f"replied to {count} (missing: {{of}})", names)


def check_scores(
    asked: Asked, index: int, scores: object, lengths: Sequence[int], *, needs_tokens: bool
) -> None:
    """Raises where a reply does not have `lengths` finite numbers, a set each, or another part is wrong."""
    if not isinstance(scores, Scores):
        raise asked.mistake(index, "gave {given} in place of the scores of {of}", scores)
    for number in _numbers(asked, index, scores.logprobs, lengths):
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise asked.mistake(index, "gave {given} in place of a log-probability of {of}", number)
        if not abs(number) <= numbers.MOST:  # as NaN is not
            raise asked.mistake(index, f"replied to {{of}} with {{given}}: {UNCLEAR}", number)
    has_tokens = needs_tokens or row(scores.tokens) != ()
    counts = _numbers(asked, index, scores.tokens, lengths) if has_tokens else ()
    check_counts(asked, index, (*counts, 0 if scores.prompt_tokens is None else scores.prompt_tokens))
    greedy = _numbers(asked, index, scores.greedy, lengths) if row(scores.greedy) != () else ()
    if wrong := [value for value in greedy if type(value) is not bool]:
        raise asked.mistake(index, "gave {given} in place of whether an answer to {of} is greedy", wrong[0])
    if not is_text(scores.prompt):
        raise asked.mistake(index, "gave {given} in place of the prompt of {of}", scores.prompt)
    _check_options(asked, index, (scores.bounded, *(row(scores.alike) or ())), max(lengths, default=0))


def lengths_of(encoded: Encoded, reads: str) -> tuple[int, ...]:
    """How many numbers each set of a reply has."""
    if reads == "item":
        return (len(encoded.request.item.options),)
    return tuple(map(len, encoded.tree.branches or encoded.request.continuations))


def _numbers(asked: Asked, index: int, given: object, lengths: Sequence[int]) -> tuple[Any, ...]:
    """The values of all sets; raises where they are not as many as `lengths` says."""
    every = row(given)
    if every is None:
        raise asked.mistake(index, "gave {given} in place of the numbers for {of}", given)
    sets = [row(one) for one in every]
    if len(sets) != len(lengths):
        raise asked.mistake(
            index, f"gave {len(sets)} sets of numbers for {{of}}, and {len(lengths)} were asked"
        )
    for values, length in zip(sets, lengths, strict=True):
        if values is None or len(values) != length:
            count = "no tuple of numbers" if values is None else f"{len(values)} numbers"
            raise asked.mistake(index, f"gave {count} for the {length} continuations of {{of}}")
    return tuple(number for values in sets if values for number in values)


def check_counts(asked: Asked, index: int, counts: Iterable[object]) -> None:
    """Raises where a number of tokens is no whole number from 0 on."""
    for count in counts:
        if not is_count(count):
            raise asked.mistake(index, "counted {given} tokens in {of}", count)


def _check_options(asked: Asked, index: int, sets: Iterable[object], options: int) -> None:
    for one in sets:
        members = cast("frozenset[object]", one) if isinstance(one, frozenset) else (None,)
        if not all(type(at) is int and 0 <= at < options for at in members):
            raise asked.mistake(index, "named options of {of} that it does not have")


def check_more(
    asked: Asked, batch: MoreScores, further: Mapping[int, Sequence[Encoded]], seen: set[Any]
) -> None:
    """As for a batch, of the further requests by index in `further`; `seen` are those that have a reply."""
    replies: object = batch.replies
    if type(replies) is not dict:
        raise mistake("gave {given} in place of replies to further requests", replies)
    for key, scores in cast("dict[Any, object]", replies).items():
        match key:
            case (int(index), int(number)) if index in further and 0 <= number < len(further[index]):
                pass
            case _:
                raise EngineMistake("replied to a further request that was not asked")
        if key in seen:
            raise asked.mistake(index, "replied twice to a changed form of {of}")
        seen.add(key)
        check_scores(asked, index, scores, lengths_of(further[index][number], "prompt"), needs_tokens=True)


def check_completions(asked: Asked, index: int, request: GenerateRequest, given: object) -> None:
    """Raises where a written reply does not have a text for each sample."""
    texts = row(given)
    if texts is None or len(texts) != request.samples:
        count = "{given}" if texts is None else f"{len(texts)}"
        raise asked.mistake(index, f"gave {count} replies to {{of}}, and {request.samples} were asked", given)
    for one in texts:
        if not isinstance(one, Completion) or not is_text(one.text) or type(one.finished) is not bool:
            wrong: object = one.text if isinstance(one, Completion) else one
            raise asked.mistake(index, "gave {given} in place of a text in reply to {of}", wrong)
        check_counts(asked, index, [one.tokens])


def check_encoded(encoded: object, asked: ScoreRequest) -> None:
    """Raises where a request in tokens is not that request, or its tree has other continuations."""
    name = asked.item.id
    if not isinstance(encoded, Encoded):
        raise mistake("gave {given} in place of {of} in tokens", encoded, [name])
    if encoded.request != asked:
        raise mistake("changed {of} when it made tokens of it", questions=[name])
    tree = cast("object", encoded.tree)
    if not isinstance(tree, Tree) or not all(map(isinstance, tree.branches, repeat(tuple))):
        raise mistake("gave {given} in place of the tokens of {of}", tree, [name])
    if tree.branches and [len(one) for one in tree.branches] != [len(one) for one in asked.continuations]:
        raise mistake("made tokens of other continuations than those of {of}", questions=[name])
    given = all(is_count(branch.given) and branch.given <= len(branch.tokens) for branch in tree.flat)
    if not given or not all(
        are_tokens(tokens) for tokens in (tree.stem, *(each.tokens for each in tree.flat))
    ):
        raise mistake("gave tokens of {of} that are no numbers from 0 on", questions=[name])


def are_tokens(tokens: object) -> bool:
    values = row(tokens)
    return values is not None and all(type(token) is int and token >= 0 for token in values)
