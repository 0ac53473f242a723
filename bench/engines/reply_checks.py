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

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any, cast

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
LARGEST = 1e300
LONGEST_TEXT = 10_000_000
"""Characters of a prompt or a reply."""
UNCLEAR = "its scores are not finite numbers; try another --dtype"


class EngineMistake(BenchError):
    """What an engine gave is not what `bench/engines/engine.py` asks for: `text`, without its subject.

    `questions` are the ids that the text names. `by` is the message with the engine's name.
    """

    def __init__(self, text: str, questions: Collection[str] = ()) -> None:
        super().__init__(f"the engine {text}")
        self.text = text
        self.questions = tuple(questions)

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.text, self.questions)

    def by(self, engine: str, package: str) -> str:
        """The message for an engine, and the package that it comes with, "" for ours."""
        return f"engine {engine} {self.text}{f'; it comes with {package}' if package else ''}"


def names_of(questions: Sequence[str]) -> str:
    """Ids of questions for a message: the first few, and how many more."""
    names = [shown_line(name, LONGEST_NAME) or "one without an id" for name in questions[:NAMED]]
    more = len(questions) - len(names)
    return ", ".join(names) + (f" and {more:,} more" if more else "")


def is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= MOST


def is_text(value: object) -> bool:
    """Whether it is a text that a file can hold."""
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        return False
    return value.isascii() or not any("\ud800" <= sign <= "\udfff" for sign in value)


def kind_of(value: object) -> str:
    """What a value is, in a few words, never its whole contents."""
    if isinstance(value, str):
        return f"a text of {len(value):,} characters" if len(value) > LONGEST_NAME else repr(value)
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

    def mistake(self, index: int, text: str) -> EngineMistake:
        """A mistake in the reply to a request, whose question takes the place of "{}" in the text."""
        return _of(self.name(index), text)

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
            raise EngineMistake(f"planned a batch for {kind_of(batch.batch_tokens)} tokens")

    def _take_one(self, index: object) -> None:
        if type(index) is not int:
            raise EngineMistake(f"gave {kind_of(index)} in place of the index of a request")
        if not 0 <= index < len(self.requests):
            of = f"{len(self.requests)} were asked, from index 0"
            raise EngineMistake(f"replied to a request with the index {kind_of(index)} ({of})")
        if index in self.answered:
            raise self.mistake(index, "replied twice to {}")
        self.answered.add(index)

    def end(self) -> None:
        """Raises where a request has no reply."""
        wanted = set(range(len(self.requests))) - self.skip
        if missing := sorted(wanted - self.answered):
            names = [self.name(index) for index in missing]
            count = f"{len(wanted) - len(missing)} of {len(wanted)} requests"
            raise EngineMistake(f"replied to {count} (missing: {names_of(names)})", names[:NAMED])


def check_scores(
    asked: Asked, index: int, scores: object, lengths: Sequence[int], *, needs_tokens: bool
) -> None:
    """Raises where a reply does not have `lengths` finite numbers, a set each, or another part is wrong."""
    if not isinstance(scores, Scores):
        raise asked.mistake(index, f"gave {kind_of(scores)} in place of the scores of {{}}")
    for number in _numbers(asked, index, scores.logprobs, lengths):
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise asked.mistake(index, f"gave {kind_of(number)} in place of a log-probability of {{}}")
        if not abs(number) < LARGEST:  # as NaN is not
            raise asked.mistake(index, f"replied to {{}} with {kind_of(number)}: {UNCLEAR}")
    counts = _numbers(asked, index, scores.tokens, lengths) if scores.tokens or needs_tokens else ()
    check_counts(asked, index, (*counts, 0 if scores.prompt_tokens is None else scores.prompt_tokens))
    if scores.greedy:
        _numbers(asked, index, scores.greedy, lengths)
    if not is_text(scores.prompt):
        raise asked.mistake(index, f"gave {kind_of(scores.prompt)} in place of the prompt of {{}}")
    _check_options(asked, index, (scores.bounded, *(row(scores.alike) or ())), max(lengths, default=0))


def lengths_of(encoded: Encoded, reads: str) -> tuple[int, ...]:
    """How many numbers each set of a reply has."""
    if reads == "item":
        return (len(encoded.request.item.options),)
    return tuple(map(len, encoded.tree.branches or encoded.request.continuations))


def _numbers(asked: Asked, index: int, given: object, lengths: Sequence[int]) -> tuple[Any, ...]:
    """The values of all sets; raises where they are not as many as `lengths` says."""
    sets = [row(one) for one in row(given) or ()]
    if len(sets) != len(lengths):
        raise asked.mistake(
            index, f"gave {len(sets)} sets of numbers for {{}}, and {len(lengths)} were asked"
        )
    for numbers, length in zip(sets, lengths, strict=True):
        if numbers is None or len(numbers) != length:
            count = "no tuple of numbers" if numbers is None else f"{len(numbers)} numbers"
            raise asked.mistake(index, f"gave {count} for the {length} continuations of {{}}")
    return tuple(number for numbers in sets if numbers for number in numbers)


def check_counts(asked: Asked, index: int, counts: Iterable[object]) -> None:
    """Raises where a number of tokens is no whole number from 0 on."""
    for count in counts:
        if not is_count(count):
            raise asked.mistake(index, f"counted {kind_of(count)} tokens in {{}}")


def _check_options(asked: Asked, index: int, sets: Iterable[object], options: int) -> None:
    for one in sets:
        members = cast("frozenset[object]", one) if isinstance(one, frozenset) else (None,)
        if not all(type(at) is int and 0 <= at < options for at in members):
            raise asked.mistake(index, "named options of {} that it does not have")


def check_more(
    asked: Asked, batch: MoreScores, further: Mapping[int, Sequence[Encoded]], seen: set[Any]
) -> None:
    """As for a batch, of the further requests by index in `further`; `seen` are those that have a reply."""
    replies: object = batch.replies
    if type(replies) is not dict:
        raise EngineMistake(f"gave {kind_of(replies)} in place of replies to further requests")
    for key, scores in cast("dict[Any, object]", replies).items():
        match key:
            case (int(index), int(number)) if index in further and 0 <= number < len(further[index]):
                pass
            case _:
                raise EngineMistake("replied to a further request that was not asked")
        if key in seen:
            raise asked.mistake(index, "replied twice to a changed form of {}")
        seen.add(key)
        check_scores(asked, index, scores, lengths_of(further[index][number], "prompt"), needs_tokens=True)


def check_completions(asked: Asked, index: int, request: GenerateRequest, given: object) -> None:
    """Raises where a written reply does not have a text for each sample."""
    texts = row(given)
    if texts is None or len(texts) != request.samples:
        count = kind_of(given) if texts is None else len(texts)
        raise asked.mistake(index, f"gave {count} replies to {{}}, and {request.samples} were asked")
    for one in texts:
        if not isinstance(one, Completion) or not is_text(one.text) or type(one.finished) is not bool:
            wrong: object = one.text if isinstance(one, Completion) else one
            raise asked.mistake(index, f"gave {kind_of(wrong)} in place of a text in reply to {{}}")
        check_counts(asked, index, [one.tokens])


def check_encoded(encoded: object, asked: ScoreRequest) -> None:
    """Raises where a request in tokens is not that request, or its tree has other continuations."""
    name = asked.item.id
    if not isinstance(encoded, Encoded):
        raise _of(name, f"gave {kind_of(encoded)} in place of {{}} in tokens")
    if encoded.request != asked:
        raise _of(name, "changed {} when it made tokens of it")
    tree = cast("object", encoded.tree)
    if not isinstance(tree, Tree) or not all(map(isinstance, tree.branches, repeat(tuple))):
        raise _of(name, f"gave {kind_of(tree)} in place of the tokens of {{}}")
    if tree.branches and [len(one) for one in tree.branches] != [len(one) for one in asked.continuations]:
        raise _of(name, "made tokens of other continuations than those of {}")
    given = all(is_count(branch.given) and branch.given <= len(branch.tokens) for branch in tree.flat)
    if not given or not all(
        are_tokens(tokens) for tokens in (tree.stem, *(each.tokens for each in tree.flat))
    ):
        raise _of(name, "gave tokens of {} that are no numbers from 0 on")


def are_tokens(tokens: object) -> bool:
    values = row(tokens)
    return values is not None and all(type(token) is int and token >= 0 for token in values)


def _of(name: str, text: str) -> EngineMistake:
    return EngineMistake(text.format(names_of([name])), [name])
