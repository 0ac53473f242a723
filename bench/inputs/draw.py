"""Items drawn by seed and question: where they stand in a file, and what else is asked, does not matter."""

import hashlib
from collections.abc import Sequence

from bench.types import Item


def rank(item: Item, seed: int) -> str:
    """SHA-256 of seed and question: the lowest are drawn first."""
    return hashlib.sha256(f"{seed}\n{item.question}".encode()).hexdigest()


def draw(items: Sequence[Item], count: int, seed: int = 0) -> tuple[Item, ...]:
    """`count` of the items, or all where there are fewer, in the order of the file.

    Of items with the same question, those that come first in the file are drawn first.
    """
    ranked = sorted(range(len(items)), key=lambda index: (rank(items[index], seed), index))
    return tuple(items[index] for index in sorted(ranked[:count]))


def one_letter(items: Sequence[Item]) -> str:
    """The letter that is the right answer of every item; "" where there are several, or one item only."""
    letters = {item.letters[item.answer] for item in items}
    return letters.pop() if len(letters) == 1 and len(items) > 1 else ""
