"""How a batch of token trees becomes rows of token ids, and which logits must be read. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

Tokens = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Read:
    """Log-probability wanted: of `token`, predicted at `place`, for branch `branch` of tree `tree`."""

    place: int
    token: int
    tree: int
    branch: int


@dataclass(frozen=True, slots=True)
class Layout:
    """`rows[i]` is fed to the model for tree `owners[i]`; logits are needed at `places` alone.

    A place is (row, position). Several reads may share one: the letters all do.
    """

    rows: tuple[Tokens, ...]
    owners: tuple[int, ...]
    places: tuple[tuple[int, int], ...]
    reads: tuple[Read, ...]


def lay_out(stems: Sequence[Tokens], branches: Sequence[Sequence[Tokens]]) -> Layout:
    """A row for every distinct `stem + branch without its last token`.

    The token at position p predicts the one at p + 1, so a branch's last token is never fed, and
    branches of one token (the letters) all share one row: their stem.
    """
    rows: dict[tuple[int, Tokens], int] = {}
    places: dict[tuple[int, int], int] = {}
    reads: list[Read] = []
    for tree, (stem, tips) in enumerate(zip(stems, branches, strict=True)):
        for branch, tip in enumerate(tips):
            row = rows.setdefault((tree, stem + tip[:-1]), len(rows))
            for offset, token in enumerate(tip):
                place = places.setdefault((row, len(stem) - 1 + offset), len(places))
                reads.append(Read(place, token, tree, branch))
    return Layout(
        rows=tuple(ids for _, ids in rows),
        owners=tuple(tree for tree, _ in rows),
        places=tuple(places),
        reads=tuple(reads),
    )


def sums(
    layout: Layout, logprobs: Sequence[float], branches: Sequence[Sequence[Tokens]]
) -> list[list[float]]:
    """Add up `logprobs`, one a read, per tree and branch."""
    totals = [[0.0] * len(tips) for tips in branches]
    for read, logprob in zip(layout.reads, logprobs, strict=True):
        totals[read.tree][read.branch] += logprob
    return totals


def split_tree(prompt: Tokens, wholes: Sequence[Tokens]) -> tuple[Tokens, tuple[Tokens, ...]]:
    """Stem and branches of encoded prompt + continuation texts.

    The stem is the longest prefix that all share with the encoded prompt: where a token spans the
    border of prompt and continuation, that token belongs to the branch.
    """
    stem = prompt
    for whole in wholes:
        stem = stem[: _shared(stem, whole)]
    # At least one token must be read from each branch.
    stem = stem[: min(len(stem), *(len(whole) - 1 for whole in wholes))]
    return stem, tuple(whole[len(stem) :] for whole in wholes)


def _shared(a: Tokens, b: Tokens) -> int:
    pairs = zip(a, b, strict=False)
    return next((i for i, (x, y) in enumerate(pairs) if x != y), min(len(a), len(b)))
