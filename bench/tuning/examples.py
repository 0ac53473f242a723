"""Items -> training examples: the same tokens that are scored, with the loss on the answer alone."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bench.engines import checked
from bench.engines.transformer import TransformerEngine
from bench.errors import PromptTooLong
from bench.evaluate import renderer
from bench.scoring.asking import Asking, score_request
from bench.types import Item, Tokens
from bench.views import VIEWS


@dataclass(frozen=True, slots=True)
class Example:
    """Decoder-only: `prompt` and `answer` are one row. Encoder-decoder: the encoder's and the decoder's."""

    prompt: Tokens
    answer: Tokens


def examples(engine: TransformerEngine, asking: Asking, items: Sequence[Item]) -> list[Example]:
    """Prompt and right answer, in tokens, of every item that fits the model, in order."""
    return list(_examples(engine, asking, items))


def _examples(engine: TransformerEngine, asking: Asking, items: Sequence[Item]) -> Iterator[Example]:
    render = renderer(engine, thinking=False)
    letters = VIEWS.get(asking.task.scoring.view).needs_letters
    for item in items:
        try:
            tree = checked.encode(engine, score_request(asking, item, render)).tree
        except PromptTooLong:
            continue
        # Where a task shows letters they are the first set; the texts are always the last.
        branch = tree.branches[0 if letters else -1][item.answer]
        given = branch.tokens[: branch.given]
        yield Example((*tree.stem, *given), branch.tokens[branch.given :])


def hold_out(items: Sequence[Item], share: float, most: int, seed: int) -> tuple[list[Item], list[Item]]:
    """Split off a random `share` of the items, `most` at most: (to train on, held out), each in order.

    A share above 0 holds out at least one of two or more items.
    """
    count = min(most, round(share * len(items))) if share else 0
    if share and len(items) > 1:
        count = max(1, count)
    chosen = set(random.Random(seed).sample(range(len(items)), count))  # noqa: S311 (not a secret)
    kept = [item for at, item in enumerate(items) if at not in chosen]
    return kept, [items[at] for at in sorted(chosen)]


def limit_options(items: Sequence[Item], most: int, seed: int) -> tuple[list[Item], int]:
    """The items with at most `most` options each, and how many lost some.

    Only wrong options are dropped; which ones depends on seed and question alone.
    """
    limited = [_drop_options(item, most, seed) for item in items]
    return limited, sum(len(item.options) > most for item in items)


def _drop_options(item: Item, most: int, seed: int) -> Item:
    if len(item.options) <= most:
        return item
    draw = random.Random(f"{seed}\n{item.question}")  # noqa: S311 (not a secret)
    wrong = [at for at in range(len(item.options)) if at != item.answer]
    kept = sorted([item.answer, *draw.sample(wrong, most - 1)])
    return replace(item, options=tuple(item.options[at] for at in kept), answer=kept.index(item.answer))
