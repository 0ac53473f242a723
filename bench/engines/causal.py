"""Score with decoder-only models: a shared prefix runs once, and logits are computed only where read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch.nn.functional import pad
from transformers import Cache

from bench.engines import shared
from bench.engines.engine import in_order
from bench.engines.extending import extend, extension, keeping, layout_of
from bench.engines.long_rows import forget_lengths
from bench.engines.packing import SHORTEST, Layout, Path, common_prefix, each_row, lay_out, shape
from bench.engines.prefix import prefill
from bench.engines.replies import Reading, replies_of, score_in_batches
from bench.engines.torch_scoring import (
    TOLERANCE,
    additive,
    ancestors,
    is_out_of_memory,
    padded,
    projecting_only,
    read,
)
from bench.types import Encoded, MoreScores, ScoredBatch, Scores, Tokens, Tree


def score(
    model: Any, requests: Sequence[Encoded], budget: int, path: Path, skip: frozenset[int] = frozenset()
) -> Iterator[ScoredBatch]:
    """Score requests in batches of about `budget` tokens. Packed or shared, their common prefix runs once."""
    if path == "shared":
        yield from shared.score(model, requests, budget, skip)
        return
    prefix, trees = _without_prefix(model, requests, packed=path == "packed")

    def forward(indices: Sequence[int]) -> tuple[Layout, Reading]:
        layout = lay_out([trees[index] for index in indices], path)
        return layout, _forward(model, layout, prefix)

    shapes = [shape(tree, path) for tree in trees]
    yield from score_in_batches(requests, trees, shapes, budget, forward, is_out_of_memory, skip)


def _without_prefix(
    model: Any, requests: Sequence[Encoded], *, packed: bool
) -> tuple[Cache | None, list[Tree]]:
    """The keys and values of the common prefix, where it is worth it, and the trees without it."""
    common = common_prefix([encoded.tree for encoded in requests]) if packed else ()
    prefix = prefill(model, common) if len(common) >= SHORTEST else None
    computed = len(common) if prefix else 0
    return prefix, [replace(encoded.tree, stem=encoded.tree.stem[computed:]) for encoded in requests]


def score_with_more(
    model: Any,
    requests: Sequence[Encoded],
    more: Callable[[int], Sequence[Encoded]],
    budget: int,
    skip: frozenset[int] = frozenset(),
) -> Iterator[ScoredBatch | MoreScores]:
    """Score packed requests as `score` does; after each batch but the first, further requests of each.

    `more` gives those of the request at an index. Those that do not begin with the common prefix get no
    reply, nor do those of the first batch, the largest: nothing of it is kept, so that a peak of memory that
    is read after it is that of the requests alone. None gets one where the first reply is not that of its
    request alone, or from where memory runs out on.
    """
    prefix, trees = _without_prefix(model, requests, packed=True)
    before = int(prefix.get_seq_length()) if prefix else 0
    common = requests[0].tree.stem[:before] if requests else ()
    layers = len(prefill(model, trees[0].stem[:1]).layers) if trees else 0  # pyright: ignore[reportOptionalMemberAccess]
    kept: Cache | None = None
    keeps, is_checked = False, False

    def forward(indices: Sequence[int]) -> tuple[Layout, Reading]:
        nonlocal kept
        layout = lay_out([trees[index] for index in indices], "packed")
        kept = keeping(layers, prefix) if keeps else None
        return layout, _forward(model, layout, kept or prefix)

    shapes = [shape(tree, "packed") for tree in trees]
    batches = score_in_batches(requests, trees, shapes, budget, forward, is_out_of_memory, skip)
    for number, batch in enumerate(batches):
        yield batch
        if kept is not None:
            asked = _further(more, batch.indices, common)
            check = None if is_checked else partial(_equal_plain, model, more, budget)
            replies = _more_scores(model, kept, common, trees, asked, check)
            keeps = replies is not None
            is_checked = is_checked or bool(replies)
            if replies is not None:
                yield MoreScores(replies)
        keeps = keeps or number == 0


def _equal_plain(
    model: Any,
    more: Callable[[int], Sequence[Encoded]],
    budget: int,
    replies: Mapping[tuple[int, int], Scores],
) -> bool:
    """Whether the last reply, the most padded one, is that of the request alone, up to rounding."""
    if not replies:
        return True
    (index, number), scores = list(replies.items())[-1]
    alone = in_order(score(model, [more(index)[number]], budget, "plain"))[0]
    pairs = zip(scores.logprobs[0], alone.logprobs[0], strict=True)
    return all(abs(a - b) <= TOLERANCE[model.dtype] * max(1.0, abs(b)) for a, b in pairs)


_Further = tuple[int, int, list[tuple[int, Encoded]]]
"""A row of a batch, the index of its request, and its further requests with their numbers."""


def _further(
    more: Callable[[int], Sequence[Encoded]], indices: Sequence[int], common: Tokens
) -> list[_Further]:
    """The further requests of a batch that begin with the common prefix."""
    rows = [
        (row, index, [(at, one) for at, one in enumerate(more(index)) if _begins(one.tree.stem, common)])
        for row, index in enumerate(indices)
    ]
    return [(row, index, ones) for row, index, ones in rows if ones]


def _begins(stem: Tokens, common: Tokens) -> bool:
    """Whether a stem begins with the common prefix and goes on."""
    return len(stem) > len(common) and stem[: len(common)] == common


def _more_scores(
    model: Any,
    kept: Cache,
    common: Tokens,
    trees: Sequence[Tree],
    asked: Sequence[_Further],
    check: Callable[[Mapping[tuple[int, int], Scores]], bool] | None,
) -> dict[tuple[int, int], Scores] | None:
    """The replies to the further requests of a batch; None where memory runs out or a check fails."""
    try:
        replies = _replies_to(model, kept, common, trees, asked)
        return replies if check is None or check(replies) else None
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return None


def _replies_to(
    model: Any,
    kept: Cache,
    common: Tokens,
    trees: Sequence[Tree],
    asked: Sequence[_Further],
) -> dict[tuple[int, int], Scores]:
    cut, replies = len(common), dict[tuple[int, int], Scores]()
    further = [[replace(one.tree, stem=one.tree.stem[cut:]) for _, one in ones] for _, _, ones in asked]
    rows = [
        (row, extension(trees[index].stem, new)) for (row, index, _), new in zip(asked, further, strict=True)
    ]
    readings = extend(model, kept, cut, rows) if rows else []
    for (_, index, ones), new, (_, row), reading in zip(asked, further, rows, readings, strict=True):
        scores = replies_of([one for _, one in ones], new, layout_of([row]), reading)
        replies |= {(index, number): one for (number, _), one in zip(ones, scores, strict=True)}
    return replies


def score_alone(
    model: Any, requests: Sequence[Encoded], budget: int, skip: frozenset[int] = frozenset()
) -> Iterator[ScoredBatch]:
    """Score each row in a pass of its own, for models whose frequencies depend on the longest row of a pass.

    Batches are those of the plain path, but only of what is yielded.
    """
    trees = [encoded.tree for encoded in requests]

    def forward(indices: Sequence[int]) -> tuple[Layout, Reading]:
        layout = lay_out([trees[index] for index in indices], "plain")
        logprobs, greedy = [0.0] * len(layout.reads), [False] * len(layout.reads)
        for row, held in each_row(layout):
            forget_lengths(model)
            for at, logprob, likeliest in zip(held, *_forward(model, row, None), strict=True):
                logprobs[at], greedy[at] = logprob, likeliest
        return layout, (logprobs, greedy)

    shapes = [shape(tree, "plain") for tree in trees]
    yield from score_in_batches(requests, trees, shapes, budget, forward, is_out_of_memory, skip)


def _forward(model: Any, layout: Layout, prefix: Cache | None) -> Reading:
    ids = padded([row.tokens for row in layout.rows], model.device)
    # Padding is on the right, where no token attends. Without a mask attention uses its fastest kernel,
    # so only branches and a prefix bring one.
    is_causal = prefix is None and layout.is_causal
    tree_inputs = {} if is_causal else _tree_inputs(model, layout, int(ids.shape[1]), prefix)
    with torch.inference_mode(), projecting_only(model, layout):
        logits = model(input_ids=ids, use_cache=False, **tree_inputs).logits
    return read(logits, layout)


def _tree_inputs(model: Any, layout: Layout, width: int, prefix: Cache | None) -> dict[str, Any]:
    """The arguments by which a token sees the prefix and its own ancestors, at positions along its branch."""
    before = int(prefix.get_seq_length()) if prefix else 0
    seen = pad(ancestors(layout, width), (before, 0), value=1)
    return {
        "attention_mask": additive(seen, model.dtype, model.device),
        "position_ids": padded([row.positions for row in layout.rows], model.device) + before,
        "past_key_values": prefix,
    }
