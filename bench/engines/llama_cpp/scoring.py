"""Score token trees with llama.cpp: what rows share is decoded once and copied from sequence to sequence."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from bench.engines.llama_cpp.cache import Cache, CacheFull, Caches, Logits, Part
from bench.engines.packing import SHORTEST, Layout, Path, common_prefix, lay_out
from bench.engines.replies import Reading, score_in_batches
from bench.types import Encoded, ScoredBatch, Tree


def score(
    caches: Caches,
    requests: Sequence[Encoded],
    budget: int,
    path: Path,
    skip: frozenset[int] = frozenset(),
) -> Iterator[ScoredBatch]:
    """Score requests in batches of about `budget` cells of the cache.

    On the path `shared` their common prefix is decoded once for all batches, and each stem once. On the path
    `plain` each row is a sequence of its own.
    """
    common = common_prefix([encoded.tree for encoded in requests]) if path == "shared" else ()
    prefix = common if len(common) >= SHORTEST else ()
    trees = [replace(encoded.tree, stem=encoded.tree.stem[len(prefix) :]) for encoded in requests]
    cells = [_cells(tree, path) for tree in trees]
    # A request counts for the cells that it takes, or for its share of the stems.
    shapes = [(1, max(size, -(-budget // caches.room.stems))) for size in cells]

    def run(indices: Sequence[int]) -> tuple[Layout, Reading]:
        layout = lay_out([trees[index] for index in indices], path)
        cache = caches.open(sum(cells[index] for index in indices), prefix)
        shared = [len(trees[index].stem) if path == "shared" else 0 for index in indices]
        return layout, _Pass(cache, layout, len(prefix), shared).read()

    yield from score_in_batches(requests, trees, shapes, budget, run, is_cache_full, skip)


def is_cache_full(error: Exception) -> bool:
    """Whether a smaller batch may help."""
    return isinstance(error, CacheFull)


def _cells(tree: Tree, path: Path) -> int:
    """The cells of the cache that a tree takes."""
    rows = lay_out([tree], path).rows
    shared = len(tree.stem) if path == "shared" else 0
    return shared + sum(len(row.tokens) - shared for row in rows)


class _Pass:
    """One pass over a layout's rows, after a prefix of `start` tokens.

    `shared` says how many tokens the rows of each tree begin with alike: its stem, which has a sequence of
    its own. Rows come in groups, whose sequences are used again.
    """

    def __init__(self, cache: Cache, layout: Layout, start: int, shared: Sequence[int]) -> None:
        self.cache, self.layout, self.start, self.shared = cache, layout, start, shared
        self.first: dict[int, int] = {}
        for number, row in enumerate(layout.rows):
            self.first.setdefault(row.tree, number)
        self.reads: dict[tuple[int, int], list[int]] = {}
        for number, read in enumerate(layout.reads):
            row, at = layout.places[read.place]
            tree = layout.rows[row].tree
            row = self.first[tree] if at < shared[tree] else row
            self.reads.setdefault((row, at), []).append(number)
        self.reading: Reading = [0.0] * len(layout.reads), [False] * len(layout.reads)

    def read(self) -> Reading:
        """The log-probabilities of the layout's reads."""
        stems = [
            (1 + tree, row, 0, self.shared[tree]) for tree, row in self.first.items() if self.shared[tree]
        ]
        for sequence, *_ in stems if self.start else ():
            self.cache.copy(0, sequence)
        self._decode(stems)
        ends = [
            (number, self.shared[row.tree], len(row.tokens))
            for number, row in enumerate(self.layout.rows)
            if len(row.tokens) > self.shared[row.tree]
        ]
        room = self.cache.room
        for at in range(0, len(ends), room.rows):
            group = [(1 + room.stems + slot, *end) for slot, end in enumerate(ends[at : at + room.rows])]
            for sequence, row, *_ in group:
                tree = self.layout.rows[row].tree
                if self.shared[tree]:
                    self.cache.copy(1 + tree, sequence)
            self._decode(group)
            for sequence, *_ in group:
                self.cache.remove(sequence)
        return self.reading

    def _decode(self, spans: Sequence[tuple[int, int, int, int]]) -> None:
        """Decode tokens, each span as (sequence, row, from, to), and keep what is read of them."""
        parts: list[Part] = []
        places: list[tuple[int, int]] = []
        for sequence, row, begin, end in spans:
            read = [at for at in range(begin, end) if (row, at) in self.reads]
            places += [(row, at) for at in read]
            tokens = self.layout.rows[row].tokens[begin:end]
            parts.append(Part(sequence, self.start + begin, tokens, tuple(at - begin for at in read)))
        for place, logits in zip(places, self.cache.decode(parts), strict=True):
            _fill(self.reading, self.layout, self.reads[place], logits)


def _fill(reading: Reading, layout: Layout, numbers: Sequence[int], logits: Logits) -> None:
    """Set the log-probabilities, in float32, that are read from one row of logits."""
    highest = logits.max()
    total = highest + np.log(np.exp(logits - highest).sum())
    for number in numbers:
        logit = logits[layout.reads[number].token]
        reading[0][number] = float(logit - total)
        reading[1][number] = bool(logit == highest)
