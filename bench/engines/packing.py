"""How token trees become rows of token ids, and which logits must be read. Pure.

Packed, a tree is one row: its stem, then every distinct beginning of a branch once. Plain, every
distinct stem + branch is a row of its own. The token at a position predicts the next one, so the
last token of a branch is never fed.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from bench.types import Branch, Tokens, Tree

Path = Literal["packed", "plain"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    """Ids of one row of a forward pass, for the tree at index `tree`.

    The first `trunk` tokens follow one another. Each token after them follows the one at its entry
    of `parents`, and may look only at its own ancestors.
    """

    tree: int
    tokens: Tokens
    trunk: int
    parents: tuple[int, ...] = ()

    @property
    def positions(self) -> tuple[int, ...]:
        """How many tokens stand before each, on its own path."""
        found = list(range(self.trunk))
        for parent in self.parents:
            found.append(found[parent] + 1)
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Read:
    """Log-probability wanted: of `token`, predicted at `place`, for branch `branch` of tree `tree`."""

    place: int
    token: int
    tree: int
    branch: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Logits are needed at `places` alone, each a (row, position). Reads may share one: letters all do."""

    rows: tuple[Row, ...]
    places: tuple[tuple[int, int], ...]
    reads: tuple[Read, ...]

    @property
    def is_causal(self) -> bool:
        """Whether every token sees just what stands before it, so that no mask is needed."""
        return not any(row.parents for row in self.rows)


def lay_out(trees: Sequence[Tree], path: Path) -> Layout:
    build = _packed_rows if path == "packed" else _plain_rows
    rows: list[Row] = []
    places: dict[tuple[int, int], int] = {}
    reads: list[Read] = []
    for index, tree in enumerate(trees):
        found, steps = build(index, tree)
        for number, (branch, at) in enumerate(zip(tree.flat, steps, strict=True)):
            for offset in range(branch.given, len(branch.tokens)):
                row, position = at(offset)
                place = places.setdefault((len(rows) + row, position), len(places))
                reads.append(Read(place, branch.tokens[offset], index, number))
        rows += found
    return Layout(tuple(rows), tuple(places), tuple(reads))


Step = Callable[[int], tuple[int, int]]
"""Offset of a token in its branch -> (row, position) that predicts it."""


def _packed_rows(index: int, tree: Tree) -> tuple[list[Row], list[Step]]:
    tokens, parents = list(tree.stem), list[int]()
    nodes: dict[Tokens, int] = {(): len(tokens) - 1}
    for branch in tree.flat:
        for end in range(1, len(branch.tokens)):
            beginning = branch.tokens[:end]
            if beginning not in nodes:
                nodes[beginning] = len(tokens)
                parents.append(nodes[beginning[:-1]])
                tokens.append(beginning[-1])
    row = Row(index, tuple(tokens), len(tree.stem), tuple(parents))
    return [_straight(row)], [_follow(nodes, branch) for branch in tree.flat]


def _straight(row: Row) -> Row:
    """The same row with all that follows the trunk without a fork made part of it."""
    trunk, parents = row.trunk, row.parents
    while parents and parents[0] == trunk - 1 and all(parent >= trunk for parent in parents[1:]):
        trunk, parents = trunk + 1, parents[1:]
    return replace(row, trunk=trunk, parents=parents)


def _follow(nodes: dict[Tokens, int], branch: Branch) -> Step:
    return lambda offset: (0, nodes[branch.tokens[:offset]])


def _plain_rows(index: int, tree: Tree) -> tuple[list[Row], list[Step]]:
    rows: dict[Tokens, int] = {}
    for branch in tree.flat:
        rows.setdefault(tree.stem + branch.tokens[:-1], len(rows))

    def follow(branch: Branch) -> Step:
        row = rows[tree.stem + branch.tokens[:-1]]
        return lambda offset: (row, len(tree.stem) - 1 + offset)

    return [Row(index, ids, len(ids)) for ids in rows], [follow(branch) for branch in tree.flat]


def shape(tree: Tree, path: Path) -> tuple[int, int]:
    """(rows, longest row) of one tree laid out."""
    rows = lay_out([tree], path).rows
    return len(rows), max(len(row.tokens) for row in rows)


def sums(layout: Layout, logprobs: Sequence[float], trees: Sequence[Tree]) -> list[list[float]]:
    """Add up `logprobs`, one a read, per tree and branch."""
    totals = [[0.0] * len(tree.flat) for tree in trees]
    for read, logprob in zip(layout.reads, logprobs, strict=True):
        totals[read.tree][read.branch] += logprob
    return totals


def conjunctions(layout: Layout, holds: Sequence[bool], trees: Sequence[Tree]) -> list[list[bool]]:
    """Whether it holds for every read of a branch, per tree and branch."""
    found = [[True] * len(tree.flat) for tree in trees]
    for read, value in zip(layout.reads, holds, strict=True):
        found[read.tree][read.branch] &= value
    return found


def by_set(sets: Iterable[Iterable[object]], flat: Iterable[T]) -> tuple[tuple[T, ...], ...]:
    """Values of all members, one after the other -> in sets like these."""
    values = iter(flat)
    return tuple(tuple(next(values) for _ in members) for members in sets)


def grow(prompt: Tokens, wholes: Sequence[Sequence[Tokens]]) -> Tree:
    """The tree of an encoded prompt and of its encoded prompt + continuation texts, in their sets.

    Within a set every continuation is scored from the same token on: the first at which one of them
    leaves the encoded prompt. Where a token spans the border of prompt and continuation, that token
    is scored, and for the other continuations of its set the token in its place. The stem is what
    all sets have in common.
    """
    borders = [_border(prompt, ids) for ids in wholes]
    stem = prompt[: min(borders)]
    return Tree(
        stem,
        tuple(
            tuple(Branch(whole[len(stem) :], border - len(stem)) for whole in ids)
            for border, ids in zip(borders, wholes, strict=True)
        ),
    )


def _border(prompt: Tokens, wholes: Sequence[Tokens]) -> int:
    """How many tokens of the prompt stand before every one of the texts; one is left to be read."""
    return min(min(_shared(prompt, whole), len(whole) - 1) for whole in wholes)


def common_prefix(trees: Sequence[Tree]) -> Tokens:
    """What all stems begin with, less what the shortest needs to have a token of its own."""
    if len(trees) < 2:
        return ()
    shortest = min((tree.stem for tree in trees), key=len)
    length = min(_shared(shortest, tree.stem) for tree in trees)
    return shortest[: min(length, len(shortest) - 1)]


def _shared(a: Tokens, b: Tokens) -> int:
    pairs = zip(a, b, strict=False)
    return next((i for i, (x, y) in enumerate(pairs) if x != y), min(len(a), len(b)))
