"""Small questions by which the paths of an engine are compared."""

from collections.abc import Iterable

from bench.engines.engine import in_order
from bench.engines.packing import SHORTEST
from bench.types import Branch, Encoded, Item, ScoredBatch, ScoreRequest, Tree


def probe_requests(vocabulary: int) -> list[Encoded]:
    """Two questions with a common prefix and several branches; ids are spread over the vocabulary.

    The branches differ in their first token and continue alike, and the last one repeats part of the
    prefix. A model that sees another branch copies from it, and one that does not see the prefix cannot
    copy from that: either changes a score by far more than rounding.
    """
    ids = [(7 + 31 * at * at) % vocabulary for at in range(SHORTEST + 30)]
    prefix, stem_ends = tuple(ids[:SHORTEST]), (tuple(ids[SHORTEST:-16]), tuple(ids[SHORTEST + 4 : -16]))
    common = ids[-10:]
    continuations = [[first, *common] for first in ids[-16:-12]]
    continuations += [[ids[-16], *common[:4], *ids[-12:-10]], common[:1], ids[4:14]]
    branches = tuple(Branch(tuple(tokens)) for tokens in continuations)
    request = ScoreRequest(Item("", "", (), 0), "", ())
    return [Encoded(request, Tree(prefix + end, (branches,))) for end in stem_ends]


def logprobs_of(batches: Iterable[ScoredBatch]) -> list[float]:
    return [value for scores in in_order(batches) for value in scores.logprobs[0]]
