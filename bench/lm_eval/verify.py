"""Compares our scores and our speed with lm-evaluation-harness's, on the same prompts.

The reference is lm-eval's `HFLM` in this same process, with its own copy of the model. Both do the same
pieces of work in turns, so that a noisy machine slows both.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

from bench.config import Strict
from bench.engines import checked
from bench.engines.engine import Opening, in_order
from bench.engines.loading import open_transformers
from bench.engines.memory import peak_since_reset, reset_peak
from bench.engines.transformer import TransformerEngine
from bench.evaluate import bare_scores, no_chat
from bench.inputs.prompts import answer_text
from bench.inputs.task import Scoring
from bench.inputs.weights import Weights
from bench.lm_eval.flops import linear_flops, matmul_flops
from bench.lm_eval.reference import open_reference, reference_scores
from bench.numbers import Amount, Count, Real
from bench.results.provenance import provenance
from bench.results.result import Provenance
from bench.scoring.asking import Asking, score_request
from bench.scoring.recording import view_scores, views_of
from bench.types import Item, ScoreRequest, Scores, ViewName
from bench.views import best

Work = Literal["letters", "texts", "all views"]
Side = Literal["ours", "reference"]
LONGEST = 16
"""Peak memory is measured on this many questions, the longest: both sides start with the longest."""


class ViewCheck(Strict):
    """`max_difference` is the largest between the two sides' scores of an option, in nats; on `agree` of
    `items` questions both give the same answer.
    """

    max_difference: Real
    agree: Count
    items: Count


class Timing(Strict):
    """Seconds of each round, and how many times as fast ours is: the ratio of the medians."""

    ours: tuple[Amount, ...]
    reference: tuple[Amount, ...]
    ratio: Real

    @property
    def median_ours(self) -> float:
        return statistics.median(self.ours)

    @property
    def median_reference(self) -> float:
        return statistics.median(self.reference)


class Verification(Strict):
    """`rate_share` compares the FLOP/s of our linear layers while scoring letters with `matmul_flops`, the
    machine's best rate. `peak_ours` and `peak_reference` are bytes.
    """

    model: str
    task: str
    items: Count
    exemplars: Count
    dtype: str
    rounds: Count
    reference_batch: Count
    path: str
    views: dict[ViewName, ViewCheck]
    work: dict[Work, Timing]
    peak_ours: Count | None
    peak_reference: Count | None
    all_views_to_letters: Real
    matmul_flops: Real
    rate_share: Real
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Lap:
    """One piece of work by one side."""

    seconds: float
    reply: Any


@dataclass(frozen=True, slots=True)
class Round:
    ours: dict[Work, Lap]
    reference: dict[Work, Lap]


@dataclass(frozen=True, slots=True)
class Pair:
    """Both sides and the requests that they answer."""

    engine: TransformerEngine
    reference: Any
    requests: tuple[ScoreRequest, ...]
    asking: Asking


def verify(
    opening: Opening,
    weights: Weights,
    asking: Asking,
    items: Sequence[Item],
    *,
    rounds: Count,
    reference_batch: Count,
    report: Callable[[str], None],
) -> Verification:
    """Score the items both ways, `rounds` times in turns, as plain prompts. `report` gets the speeds as soon
    as they are measured; memory takes a while longer.
    """
    pair = _open_pair(opening, weights, asking, items, reference_batch)
    rate = matmul_flops(pair.engine)
    longest = sorted(items, key=lambda item: len(item.question), reverse=True)[:LONGEST]
    laps = [_round(pair) for _ in range(rounds)]
    work: dict[Work, Timing] = {name: _timing(name, laps) for name in laps[0].ours}
    report(", ".join(f"{name} {timing.ratio:.1f} times as fast" for name, timing in work.items()))
    first = next(iter(work.values())).median_ours
    return Verification(
        model=opening.card.name,
        task=asking.task.name,
        items=len(items),
        exemplars=asking.exemplars.count,
        dtype=str(opening.dtype),
        rounds=rounds,
        reference_batch=reference_batch,
        path=pair.engine.path,
        views=_compare(pair, laps[-1], asking.task.scoring),
        work=work,
        peak_ours=peak("ours", opening, weights, asking, longest, reference_batch),
        peak_reference=peak("reference", opening, weights, asking, longest, reference_batch),
        all_views_to_letters=work["all views"].median_ours / first,
        matmul_flops=rate,
        rate_share=_letters_flops(pair) / first / rate,
        provenance=provenance(),
    )


def _open_pair(
    opening: Opening, weights: Weights, asking: Asking, items: Sequence[Item], reference_batch: int
) -> Pair:
    """Open both sides. A prompt that does not fit fails here, before anything is measured."""
    engine = open_transformers(opening, weights)
    requests = tuple(score_request(asking, item, no_chat) for item in items)
    for request in requests:
        checked.encode(engine, request)
    return Pair(engine, open_reference(opening, weights, reference_batch), requests, asking)


def _round(pair: Pair) -> Round:
    """Every piece of work once by each side, in turns.

    The reference does all views in three pieces: letters, texts, and texts after the bare cue.
    """
    ours: dict[Work, Lap] = {}
    reference: dict[Work, Lap] = {}
    if len(pair.requests[0].continuations) > 1:
        letters = [_only(request, slice(0, 1)) for request in pair.requests]
        ours["letters"] = _lap(lambda: _score(pair.engine, letters))
        reference["letters"] = _reference_lap(pair, letters)
    items = [request.item for request in pair.requests]
    texts = [_only(request, slice(-1, None)) for request in pair.requests]
    ours["texts"] = _lap(lambda: _score(pair.engine, texts))
    reference["texts"] = _reference_lap(pair, texts)
    ours["all views"] = _lap(
        lambda: (_score(pair.engine, pair.requests), bare_scores(pair.asking, items, pair.engine)),
    )
    bare = _reference_lap(pair, [_bare(pair.asking, item) for item in items])
    parts = [*reference.values(), bare]
    reference["all views"] = Lap(
        sum(part.seconds for part in parts),
        tuple(part.reply for part in parts),
    )
    return Round(ours, reference)


def _lap(run: Callable[[], Any]) -> Lap:
    start = time.perf_counter()
    reply = run()
    return Lap(time.perf_counter() - start, reply)


def _reference_lap(pair: Pair, requests: Sequence[ScoreRequest]) -> Lap:
    return _lap(lambda: reference_scores(pair.reference, requests))


def _timing(work: Work, laps: Sequence[Round]) -> Timing:
    ours = tuple(lap.ours[work].seconds for lap in laps)
    reference = tuple(lap.reference[work].seconds for lap in laps)
    return Timing(
        ours=ours, reference=reference, ratio=statistics.median(reference) / statistics.median(ours)
    )


def peak(
    side: Side, opening: Opening, weights: Weights, asking: Asking, items: Sequence[Item], batch: int
) -> int | None:
    """Peak memory in bytes of one side while it computes all views of the items, in its own process."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_peak, side, opening, weights, asking, items, batch).result()


def _peak(
    side: Side, opening: Opening, weights: Weights, asking: Asking, items: Sequence[Item], batch: int
) -> int | None:
    requests = [score_request(asking, item, no_chat) for item in items]
    if side == "ours":
        engine = open_transformers(opening, weights)
        reset_peak()
        _score(engine, requests)
        bare_scores(asking, items, engine)
    else:
        reference = open_reference(opening, weights, batch)
        reset_peak()
        reference_scores(reference, [*requests, *(_bare(asking, item) for item in items)])
    return peak_since_reset()


def _bare(asking: Asking, item: Item) -> ScoreRequest:
    """A request for all option texts after the bare cue, as the reference needs it for each item."""
    cue = asking.task.scoring.cue
    texts = tuple(answer_text(cue, option.strip()) for option in item.options)
    return ScoreRequest(item, cue, (texts,))


def _only(request: ScoreRequest, sets: slice) -> ScoreRequest:
    return replace(request, continuations=request.continuations[sets])


def _score(engine: TransformerEngine, requests: Sequence[ScoreRequest]) -> list[Scores]:
    return in_order(checked.score(engine, [checked.encode(engine, request) for request in requests]))


def _compare(pair: Pair, lap: Round, scoring: Scoring) -> dict[ViewName, ViewCheck]:
    """Compare every view of every item, computed in the same way from both sides' log-likelihoods."""
    ours, bare = lap.ours["all views"].reply
    *parts, bare_part = [iter(reply) for reply in lap.reference["all views"].reply]
    checks: dict[ViewName, list[tuple[float, bool]]] = {}
    views = views_of(scoring)
    for request, scores in zip(pair.requests, ours, strict=True):
        scores_bare = bare[request.item.id]
        mine = view_scores(request.item, views, scores, scores_bare)
        replaced = _with_logprobs(scores, parts), _with_logprobs(scores_bare, [bare_part])
        reference = view_scores(request.item, views, *replaced)
        for view, values in mine.items():
            difference = max(abs(x - y) for x, y in zip(values, reference[view], strict=True))
            checks.setdefault(view, []).append((difference, best(values) == best(reference[view])))
    return {
        view: ViewCheck(
            max_difference=max(difference for difference, _ in results),
            agree=sum(same for _, same in results),
            items=len(results),
        )
        for view, results in checks.items()
    }


def _with_logprobs(scores: Scores, sets: Sequence[Iterator[float]]) -> Scores:
    """The scores with other log-likelihoods: the next ones of the iterator of each continuation set."""
    logprobs = tuple(
        tuple(next(values) for _ in ours) for ours, values in zip(scores.logprobs, sets, strict=True)
    )
    return Scores(scores.prompt, scores.prompt_tokens, logprobs, scores.tokens)


def _letters_flops(pair: Pair) -> float:
    letters = [_only(request, slice(0, 1)) for request in pair.requests]
    return linear_flops(pair.engine, [checked.encode(pair.engine, request) for request in letters])


def save(result: Verification, folder: Path) -> Path:
    """Write it to a file that is named by what was compared; returns the path."""
    path = folder / f"{result.model}-{result.task}-{result.exemplars}shot-{result.dtype}.json"
    path.write_text(result.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return path
