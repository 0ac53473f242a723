"""Cutting a cell into shards: which of its questions each has, by a rule that needs only their texts."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from bench.cells.cell import CannotRun, Cell, NeedsTuning, Planned
from bench.errors import UsageError
from bench.results.result import Shard
from bench.types import Item

MOST = 100_000
"""Shards of a cell."""


@dataclass(frozen=True, slots=True)
class Share:
    """Shard `index`, from 1 on, of `count`, of every cell."""

    index: int
    count: int


def read_share(text: str) -> Share:
    """The share that a text such as "2/3" names; raises a ValueError that says what is wrong."""
    if not re.fullmatch(r"[0-9]{1,9}/[0-9]{1,9}", text):
        raise ValueError(f"'{text}' is not I/N, such as 2/3")
    index, count = map(int, text.split("/"))
    if not 1 <= index <= count <= MOST:
        raise ValueError(f"'{text}': I is from 1 to N, and N at most {MOST:,}")
    return Share(index, count)


def dealt(items: Sequence[Item], count: int) -> list[tuple[int, ...]]:
    """Where the questions of each shard are among the items, ascending; `count` is at most their number.

    The longest texts are dealt first, from the first shard to the last and back. So shards have nearly equal
    numbers of questions and of tokens, and each has short and long ones, as the whole has. Texts of the same
    length are ordered by their digest: neither ids nor places matter.
    """
    texts = enumerate("\n".join((item.question, *item.options)).encode(errors="replace") for item in items)
    order = sorted((-len(text), hashlib.sha256(text).digest(), number) for number, text in texts)
    hands: list[list[int]] = [[] for _ in range(count)]
    for place, (_, _, number) in enumerate(order):
        turn, at = divmod(place, count)
        hands[count - 1 - at if turn % 2 else at].append(number)
    return [tuple(sorted(hand)) for hand in hands]


def shards_of(cell: Cell, count: int) -> list[Cell]:
    """A cell for the questions of each shard: `count` of them, or as many as there are questions."""
    count = min(count, len(cell.items))
    return [
        replace(
            cell,
            items=tuple(cell.items[number] for number in positions),
            shard=Shard(index=index, count=count, positions=positions),
        )
        for index, positions in enumerate(dealt(cell.items, count), start=1)
    ]


def in_share(cells: Iterable[Planned], share: Share) -> Iterator[Planned]:
    """The cells with the questions of a shard alone, without those that have no such shard.

    What cannot run is kept in the first share. Raises a UsageError for a cell that must be tuned first,
    because each shard would be asked of another adapter.
    """
    for cell in cells:
        match cell:
            case CannotRun():
                if share.index == 1:
                    yield cell
            case NeedsTuning():
                text = f"{cell.model_name}: a model cannot be tuned in shards (--lora quick with --shard)"
                raise UsageError(f"{text}: tune it once with bench tune, and give its adapter with --adapter")
            case Cell():
                yield from shards_of(cell, share.count)[share.index - 1 : share.index]
