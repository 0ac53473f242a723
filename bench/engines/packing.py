"""How token trees become rows of token ids, and which logits are read. Pure.

Packed, a tree is one row: its stem, then each distinct prefix of a branch once. Plain, each distinct
stem + branch is a row of its own. Shared, a row that another one begins with is part of that one, and the
stem of all rows is run once (`shared.py`). The token at a position predicts the next one, so the last token
of a branch is no input.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Literal, TypeVar

from bench.types import Branch, Encoded, Tokens, Tree

Path = Literal["packed", "shared", "plain"]
T = TypeVar("T")

SHORTEST = 32
"""Tokens from which a common prefix saves time: a batch after one needs a mask."""


@dataclass(frozen=True, slots=True)
class Row:
    """The token ids of one row of a forward pass, for the tree at index `tree`.

    The first `trunk` tokens follow one another. Each later token follows the position that its entry of
    `parents` names, and sees only its ancestors.
    """

    tree: int
    tokens: Tokens
    trunk: int
    parents: tuple[int, ...] = ()

    @property
    def positions(self) -> tuple[int, ...]:
        """The number of ancestors of each token."""
        positions = list(range(self.trunk))
        for parent in self.parents:
            positions.append(positions[parent] + 1)
        return tuple(positions)


@dataclass(frozen=True, slots=True)
class Read:
    """One log-probability to read: of `token`, predicted at `place`, for branch `branch` of tree `tree`.

    `place` is an index into the layout's places.
    """

    place: int
    token: int
    tree: int
    branch: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Rows, and what is read from them. Logits are needed only at `places`, each a (row, position).

    Several reads may share a place, as the letters of a question do.
    """

    rows: tuple[Row, ...]
    places: tuple[tuple[int, int], ...]
    reads: tuple[Read, ...]

    @property
    def is_causal(self) -> bool:
        """Whether every token sees all tokens before it, so that no mask is needed."""
        return not any(row.parents for row in self.rows)


def lay_out(trees: Sequence[Tree], path: Path) -> Layout:
    """The rows of a batch of trees. Its reads are in the order of trees, branches and tokens."""
    build = {"packed": _packed_rows, "shared": _longest_rows, "plain": _plain_rows}[path]
    rows: list[Row] = []
    places: dict[tuple[int, int], int] = {}
    reads: list[Read] = []
    for index, tree in enumerate(trees):
        tree_rows, predictors = build(index, tree)
        for number, (branch, predictor) in enumerate(zip(tree.flat, predictors, strict=True)):
            for offset in range(branch.given, len(branch.tokens)):
                row, position = predictor(offset)
                place = places.setdefault((len(rows) + row, position), len(places))
                reads.append(Read(place, branch.tokens[offset], index, number))
        rows += tree_rows
    return Layout(tuple(rows), tuple(places), tuple(reads))


Predictor = Callable[[int], tuple[int, int]]
"""Offset of a token in its branch -> the (row, position) that predicts it, in the rows of its tree."""


def _packed_rows(index: int, tree: Tree) -> tuple[list[Row], list[Predictor]]:
    tokens, parents = list(tree.stem), list[int]()
    nodes: dict[Tokens, int] = {(): len(tokens) - 1}
    for branch in tree.flat:
        for end in range(1, len(branch.tokens)):
            prefix = branch.tokens[:end]
            if prefix not in nodes:
                nodes[prefix] = len(tokens)
                parents.append(nodes[prefix[:-1]])
                tokens.append(prefix[-1])
    row = Row(index, tuple(tokens), len(tree.stem), tuple(parents))
    return [_extend_trunk(row)], [_packed_predictor(nodes, branch) for branch in tree.flat]


def _extend_trunk(row: Row) -> Row:
    """The same row, its trunk extended up to the first fork."""
    # lowest[i] is the earliest parent of the tokens from i on: a text of a thousand tokens is one branch.
    lowest = [*accumulate(reversed(row.parents), min)][::-1]
    more = 0
    while more < len(lowest) and row.parents[more] == row.trunk + more - 1:
        if more + 1 < len(lowest) and lowest[more + 1] < row.trunk + more:
            break
        more += 1
    return replace(row, trunk=row.trunk + more, parents=row.parents[more:])


def _packed_predictor(nodes: dict[Tokens, int], branch: Branch) -> Predictor:
    return lambda offset: (0, nodes[branch.tokens[:offset]])


def _longest_rows(index: int, tree: Tree) -> tuple[list[Row], list[Predictor]]:
    inputs = {branch.tokens[:-1] for branch in tree.flat}
    longest = sorted(
        ids for ids in inputs if not any(ids == other[: len(ids)] for other in inputs if other != ids)
    )

    def predictor(branch: Branch) -> Predictor:
        given = branch.tokens[:-1]
        row = next(at for at, ids in enumerate(longest) if ids[: len(given)] == given)
        return lambda offset: (row, len(tree.stem) - 1 + offset)

    rows = [tree.stem + ids for ids in longest]
    return [Row(index, ids, len(ids)) for ids in rows], [predictor(branch) for branch in tree.flat]


def _plain_rows(index: int, tree: Tree) -> tuple[list[Row], list[Predictor]]:
    rows: dict[Tokens, int] = {}
    for branch in tree.flat:
        rows.setdefault(tree.stem + branch.tokens[:-1], len(rows))

    def predictor(branch: Branch) -> Predictor:
        row = rows[tree.stem + branch.tokens[:-1]]
        return lambda offset: (row, len(tree.stem) - 1 + offset)

    return [Row(index, ids, len(ids)) for ids in rows], [predictor(branch) for branch in tree.flat]


def each_row(layout: Layout) -> list[tuple[Layout, list[int]]]:
    """A layout for each row alone, with the indices of its reads in the whole layout."""
    alone: list[tuple[Layout, list[int]]] = []
    for number, row in enumerate(layout.rows):
        places = [position for at, position in layout.places if at == number]
        held = [at for at, read in enumerate(layout.reads) if layout.places[read.place][0] == number]
        here = {position: place for place, position in enumerate(places)}
        reads = [
            replace(layout.reads[at], place=here[layout.places[layout.reads[at].place][1]]) for at in held
        ]
        alone.append((Layout((row,), tuple((0, position) for position in places), tuple(reads)), held))
    return alone


def shape(tree: Tree, path: Path) -> tuple[int, int]:
    """(rows, longest row) of one tree."""
    rows = lay_out([tree], path).rows
    return len(rows), max(len(row.tokens) for row in rows)


def sums(layout: Layout, logprobs: Sequence[float], trees: Sequence[Tree]) -> list[list[float]]:
    """The sums of `logprobs`, (reads,), for each tree and branch."""
    totals = [[0.0] * len(tree.flat) for tree in trees]
    for read, logprob in zip(layout.reads, logprobs, strict=True):
        totals[read.tree][read.branch] += logprob
    return totals


def conjunctions(layout: Layout, holds: Sequence[bool], trees: Sequence[Tree]) -> list[list[bool]]:
    """Whether all of `holds`, (reads,), are True, for each tree and branch."""
    results = [[True] * len(tree.flat) for tree in trees]
    for read, value in zip(layout.reads, holds, strict=True):
        results[read.tree][read.branch] &= value
    return results


def by_set(sets: Iterable[Iterable[object]], flat: Iterable[T]) -> tuple[tuple[T, ...], ...]:
    """Group flat values into sets of the same lengths as `sets`."""
    values = iter(flat)
    return tuple(tuple(next(values) for _ in members) for members in sets)


def grow(prompt: Tokens, wholes: Sequence[Sequence[Tokens]]) -> Tree:
    """The tree of an encoded prompt and of the encoded texts prompt + continuation, which come in sets.

    Within a set every continuation is scored from the same token on: the first at which one of them
    differs from the encoded prompt. Where a token spans the border of prompt and continuation, that token
    is scored, and so is the token in its place in the other continuations of the set. The stem is what
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
    """How many tokens of the prompt all texts begin with; each text keeps one token to be scored."""
    return min(min(shared_length(prompt, whole), len(whole) - 1) for whole in wholes)


def common_prefix(trees: Sequence[Tree]) -> Tokens:
    """The tokens that all stems begin with. Every stem keeps at least one token of its own."""
    if len(trees) < 2:
        return ()
    shortest = min((tree.stem for tree in trees), key=len)
    length = min(shared_length(shortest, tree.stem) for tree in trees)
    return shortest[: min(length, len(shortest) - 1)]


def shared_length(a: Tokens, b: Tokens) -> int:
    """How many tokens both begin with."""
    pairs = zip(a, b, strict=False)
    return next((i for i, (x, y) in enumerate(pairs) if x != y), min(len(a), len(b)))


def joined(encoded: Sequence[Encoded]) -> Encoded:
    """Several requests of a decoder-only model as one: their stems' common beginning is run once.

    The request is that of the first, with the sets of all; `alike` is left out. A single one stays as it is.
    Raises a ValueError where their first tokens differ.
    """
    if len(encoded) == 1:
        return encoded[0]
    stem = common_prefix([one.tree for one in encoded])
    if not stem:
        raise ValueError("requests are joined only where they begin alike")
    cut = len(stem)
    branches = tuple(
        tuple(
            Branch(one.tree.stem[cut:] + branch.tokens, len(one.tree.stem) - cut + branch.given)
            for branch in branches
        )
        for one in encoded
        for branches in one.tree.branches
    )
    sets = tuple(texts for one in encoded for texts in one.request.continuations)
    return Encoded(replace(encoded[0].request, continuations=sets), Tree(stem, branches))
