"""Items -> what a model is trained on: the tokens it is scored with, and the loss on the answer alone."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bench.engines.transformer import TransformerEngine
from bench.errors import PromptTooLong
from bench.evaluate import renderer
from bench.scoring.asking import Asking, score_request
from bench.types import Item, Tokens
from bench.views import VIEWS


@dataclass(frozen=True, slots=True)
class Example:
    """Decoder-only: the whole row, of which the last tokens are the answer. Encoder-decoder: both sides."""

    prompt: Tokens
    answer: Tokens


def examples(engine: TransformerEngine, asking: Asking, items: Sequence[Item]) -> list[Example]:
    """The right answer of every item that fits the model, in tokens."""
    return list(_examples(engine, asking, items))


def _examples(engine: TransformerEngine, asking: Asking, items: Sequence[Item]) -> Iterator[Example]:
    render = renderer(engine, thinking=False)
    letters = VIEWS.get(asking.task.scoring.view).needs_letters
    for item in items:
        try:
            tree = engine.encode(score_request(asking, item, render)).tree
        except PromptTooLong:
            continue
        # The letters are the first set where a task shows them, the texts the last.
        branch = tree.branches[0 if letters else -1][item.answer]
        given = branch.tokens[: branch.given]
        yield Example((*tree.stem, *given), branch.tokens[branch.given :])


def held_out(items: Sequence[Item], share: float, most: int, seed: int) -> tuple[list[Item], list[Item]]:
    """(to train on, to choose the best checkpoint by): drawn by seed, both in their order."""
    count = min(most, round(share * len(items))) if share else 0
    if share and len(items) > 1:
        count = max(1, count)
    chosen = set(random.Random(seed).sample(range(len(items)), count))  # noqa: S311 (not a secret)
    kept = [item for at, item in enumerate(items) if at not in chosen]
    return kept, [items[at] for at in sorted(chosen)]


def with_fewer_options(items: Sequence[Item], most: int, seed: int) -> tuple[list[Item], int]:
    """Items of at most `most` options, and how many lost some: wrong ones, drawn by seed and question."""
    found = [_fewer(item, most, seed) for item in items]
    return found, sum(len(item.options) > most for item in items)


def _fewer(item: Item, most: int, seed: int) -> Item:
    if len(item.options) <= most:
        return item
    draw = random.Random(f"{seed}\n{item.question}")  # noqa: S311 (not a secret)
    wrong = [at for at in range(len(item.options)) if at != item.answer]
    kept = sorted([item.answer, *draw.sample(wrong, most - 1)])
    return replace(item, options=tuple(item.options[at] for at in kept), answer=kept.index(item.answer))
