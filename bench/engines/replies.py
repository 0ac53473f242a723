"""What an engine reads of its logits -> replies, batch by batch. Pure: no library of models."""

from collections.abc import Callable, Iterator, Sequence

from bench.engines.batching import Shape, in_batches
from bench.engines.memory import release_free_pages
from bench.engines.packing import Layout, by_set, conjunctions, sums
from bench.types import Encoded, ScoredBatch, Scores, Tree

TRIM_EVERY = 4
"""Batches after which free memory is returned to the system: each time costs 5 % of a batch."""
Reading = tuple[list[float], list[bool]]
"""(log-probabilities, whether the token was the likeliest), one entry for each read of a layout."""


def stop_at(text: str, stop: Sequence[str]) -> int | None:
    """Where the first stop text begins in a reply; None where it has none."""
    return min((at for at in map(text.find, stop) if at >= 0), default=None)


def score_in_batches(
    encoded: Sequence[Encoded],
    trees: Sequence[Tree],
    shapes: Sequence[Shape],
    budget: int,
    forward: Callable[[Sequence[int]], tuple[Layout, Reading]],
    is_out_of_memory: Callable[[Exception], bool],
    skip: frozenset[int],
    spread: int | None = None,
) -> Iterator[ScoredBatch]:
    """Score requests batch by batch.

    `trees` are those of `encoded`, without a prefix that has been computed, and `shapes` say how much of
    `budget`, in tokens, each takes. `forward` takes the indices of a batch, which shrinks where memory runs
    out, which `is_out_of_memory` tells of an error; `spread` is as in `plan_batches`.
    """
    batches = in_batches(shapes, budget, forward, is_out_of_memory, skip, spread)
    for number, (indices, (layout, (logprobs, greedy)), tokens) in enumerate(batches, start=1):
        asked, batch = [encoded[index] for index in indices], [trees[index] for index in indices]
        replies = replies_of(asked, batch, layout, (logprobs, greedy))
        yield ScoredBatch(tuple(indices), tuple(replies), tokens)
        if number % TRIM_EVERY == 0:
            release_free_pages()


def replies_of(
    encoded: Sequence[Encoded], trees: Sequence[Tree], layout: Layout, reading: Reading
) -> list[Scores]:
    """The scores of requests from what was read of their trees, by a layout of these trees."""
    totals, likeliest = sums(layout, reading[0], trees), conjunctions(layout, reading[1], trees)
    return [
        Scores(
            prompt=one.request.prompt,
            prompt_tokens=len(one.tree.stem),
            logprobs=by_set(tree.branches, total),
            tokens=tuple(tuple(branch.scored for branch in group) for group in tree.branches),
            greedy=by_set(tree.branches, whole),
        )
        for one, tree, total, whole in zip(encoded, trees, totals, likeliest, strict=True)
    ]
