"""Items -> the texts of the test of the published order: runs of consecutive questions in many orders."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bench.types import Item, ScoreRequest

LEAD = "Questions:"
"""What every text follows: a model gives its first token no probability."""
BREAK = "\n\n"
"""Around each question, so that every order has the same pieces of text."""


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive questions of a split: the index of the first, from 0, and how many."""

    first: int
    questions: int


def as_published(item: Item) -> str:
    """The question and its options in published order, a line each, without the answer."""
    options = (f"{letter}. {text.strip()}" for letter, text in zip(item.letters, item.options, strict=True))
    return "\n".join([item.question.strip(), *options])


def request_of(items: Sequence[Item]) -> ScoreRequest:
    """How likely are these questions, in this order?"""
    text = BREAK + "".join(as_published(item) + BREAK for item in items)
    return ScoreRequest(items[0], LEAD, ((text,),))


def runs_of(sizes: Sequence[int | None], most: int) -> list[Run]:
    """The questions in runs of at most `most` tokens each, in order.

    `sizes` are the questions' tokens, None for one that does not fit the model. A question that fits no run
    ends the run before it, and a run of one question is left out, because it has no order.
    """
    return [run for run in _runs(sizes, most) if run.questions > 1]


def _runs(sizes: Sequence[int | None], most: int) -> Iterator[Run]:
    first, tokens = 0, 0
    for at, size in enumerate(sizes):
        if size is None or size > most:
            yield Run(first, at - first)
            first, tokens = at + 1, 0
        elif tokens + size > most:
            yield Run(first, at - first)
            first, tokens = at, size
        else:
            tokens += size
    yield Run(first, len(sizes) - first)


def neighbours_of_one_group(items: Sequence[Item], order: Sequence[int]) -> int:
    """How many questions stand in this order before one of their own group."""
    groups = [items[at].group for at in order]
    return sum(bool(here) and here == after for here, after in pairwise(groups))


def orders_of(run: Run, shuffles: int, seed: int) -> list[tuple[int, ...]]:
    """The published order of a run, then `shuffles` random ones, each the indices of the split's questions.

    A random order may be the published one: only so is that one of many equals. Orders depend on the seed and
    on the run, not on what else is asked.
    """
    random = np.random.default_rng([seed, run.first, run.questions])
    published = range(run.first, run.first + run.questions)
    shuffled = [random.permutation(run.questions) + run.first for _ in range(shuffles)]
    return [tuple(published), *(tuple(int(at) for at in order) for order in shuffled)]
