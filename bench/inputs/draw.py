"""Items drawn by seed and content: where they stand in a file, and what else is asked, does not matter."""

import hashlib
from collections.abc import Sequence

from bench.types import Item


def rank(item: Item, seed: int) -> str:
    """SHA-256 of seed, question and extra columns: the lowest are the exemplars."""
    content = f"{item.question}\n{item.extra}" if item.extra else item.question
    return hashlib.sha256(f"{seed}\n{content}".encode()).hexdigest()


def draw(items: Sequence[Item], count: int, seed: int = 0) -> tuple[Item, ...]:
    """`count` of the items, or all where there are fewer, in the order of the file.

    Of items with the same content, those that come first in the file are drawn first.
    """
    ranked = sorted(range(len(items)), key=lambda index: (_place(items[index], seed), index))
    return tuple(items[index] for index in sorted(ranked[:count]))


def _place(item: Item, seed: int) -> str:
    """SHA-256 of seed, question, options and extra columns: the lowest are drawn first."""
    content = f"{seed}\n{item.question}\n{item.options}\n{item.extra}"
    return hashlib.sha256(content.encode()).hexdigest()


def one_letter(items: Sequence[Item]) -> str:
    """The letter that is the right answer of every item; "" where there are several, or one item only."""
    letters = {item.letters[item.answer] for item in items}
    return letters.pop() if len(letters) == 1 and len(items) > 1 else ""
