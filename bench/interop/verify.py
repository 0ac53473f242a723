"""Our scores against lm-evaluation-harness's on the same prompts: are they the same, and how much faster?

The reference is lm-eval's `HFLM` in this same process, with a copy of the model of its own. Both do
the same pieces of work in turns, so that a noisy machine is noisy for both.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import torch

from bench.config import Strict
from bench.engines.engine import Opening, in_order
from bench.engines.loading import open_transformers
from bench.engines.memory import peak_since_reset, reset_peak
from bench.engines.packing import common_prefix
from bench.engines.transformer import TransformerEngine
from bench.evaluate import bare_scores, no_chat
from bench.inputs.prompts import answer_text
from bench.inputs.task import Scoring
from bench.interop.reference import open_reference, reference_scores
from bench.runs.provenance import provenance
from bench.runs.result import Provenance
from bench.scoring.asking import Asking, score_request
from bench.scoring.views import best, view_scores
from bench.types import Encoded, Item, ScoredView, ScoreRequest, Scores

Work = Literal["letters", "texts", "all views"]
Side = Literal["ours", "reference"]
LONGEST = 16
"""Questions that the peak of memory is measured on: both sides take the longest first."""


class ViewCheck(Strict):
    """`max_difference` of log-likelihoods (of scores, in views made from several); `agree` on the answer."""

    max_difference: float
    agree: int
    items: int


class Timing(Strict):
    """Seconds of the rounds, and the ratio of their medians."""

    ours: tuple[float, ...]
    reference: tuple[float, ...]
    ratio: float

    @property
    def median_ours(self) -> float:
        return statistics.median(self.ours)

    @property
    def median_reference(self) -> float:
        return statistics.median(self.reference)


class Verification(Strict):
    """`rate_share` is our share of the machine's matrix-product rate on the letters, linear layers alone."""

    model: str
    task: str
    items: int
    exemplars: int
    dtype: str
    rounds: int
    reference_batch: int
    path: str
    views: dict[ScoredView, ViewCheck]
    work: dict[Work, Timing]
    peak_ours: int | None
    peak_reference: int | None
    all_views_to_letters: float
    matmul_flops: float
    rate_share: float
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Lap:
    seconds: float
    reply: Any


@dataclass(frozen=True, slots=True)
class Round:
    ours: dict[Work, Lap]
    theirs: dict[Work, Lap]


@dataclass(frozen=True, slots=True)
class Pair:
    """The two that are compared, on the same items."""

    engine: TransformerEngine
    reference: Any
    requests: tuple[ScoreRequest, ...]
    asking: Asking


def verify(
    opening: Opening,
    asking: Asking,
    items: Sequence[Item],
    *,
    rounds: int,
    reference_batch: int,
    tell: Callable[[str], None],
) -> Verification:
    """Score the items both ways, `rounds` times in turns; prompts are plain text."""
    engine = open_transformers(opening)
    requests = tuple(score_request(asking, item, no_chat) for item in items)
    for request in requests:
        engine.encode(request)  # what does not fit is told before anything is measured
    pair = Pair(engine, open_reference(opening, reference_batch), requests, asking)
    rate = matmul_flops(engine)
    longest = sorted(items, key=lambda item: len(item.question), reverse=True)[:LONGEST]
    laps = [_round(pair) for _ in range(rounds)]
    work: dict[Work, Timing] = {name: _timing(name, laps) for name in laps[0].ours}
    tell(", ".join(f"{name} {timing.ratio:.1f} times as fast" for name, timing in work.items()))
    first = next(iter(work.values())).median_ours
    return Verification(
        model=opening.card.name,
        task=asking.task.name,
        items=len(items),
        exemplars=asking.exemplars.count,
        dtype=str(opening.dtype),
        rounds=rounds,
        reference_batch=reference_batch,
        path=engine.path,
        views=_compare(pair, laps[-1], asking.task.scoring),
        work=work,
        peak_ours=peak("ours", opening, asking, longest, reference_batch),
        peak_reference=peak("reference", opening, asking, longest, reference_batch),
        all_views_to_letters=work["all views"].median_ours / first,
        matmul_flops=rate,
        rate_share=flops(pair) / first / rate,
        provenance=provenance(),
    )


def _round(pair: Pair) -> Round:
    """Each piece of work once by us and once by the reference, in turns.

    The reference does all views in three pieces: letters, texts, and texts after the bare cue.
    """
    ours: dict[Work, Lap] = {}
    theirs: dict[Work, Lap] = {}
    if len(pair.requests[0].continuations) > 1:
        letters = [_only(request, slice(0, 1)) for request in pair.requests]
        ours["letters"] = _lap(lambda: _score(pair.engine, letters))
        theirs["letters"] = _reference_lap(pair, letters)
    items = [request.item for request in pair.requests]
    texts = [_only(request, slice(-1, None)) for request in pair.requests]
    ours["texts"] = _lap(lambda: _score(pair.engine, texts))
    theirs["texts"] = _reference_lap(pair, texts)
    ours["all views"] = _lap(
        lambda: (_score(pair.engine, pair.requests), bare_scores(pair.asking, items, pair.engine)),
    )
    bare = _reference_lap(pair, [_bare(pair.asking, item) for item in items])
    parts = [*theirs.values(), bare]
    theirs["all views"] = Lap(
        sum(part.seconds for part in parts),
        tuple(part.reply for part in parts),
    )
    return Round(ours, theirs)


def _lap(run: Callable[[], Any]) -> Lap:
    start = time.perf_counter()
    reply = run()
    return Lap(time.perf_counter() - start, reply)


def _reference_lap(pair: Pair, requests: Sequence[ScoreRequest]) -> Lap:
    return _lap(lambda: reference_scores(pair.reference, requests))


def _timing(work: Work, laps: Sequence[Round]) -> Timing:
    ours = tuple(lap.ours[work].seconds for lap in laps)
    theirs = tuple(lap.theirs[work].seconds for lap in laps)
    return Timing(ours=ours, reference=theirs, ratio=statistics.median(theirs) / statistics.median(ours))


def peak(side: Side, opening: Opening, asking: Asking, items: Sequence[Item], batch: int) -> int | None:
    """Most memory that one side held while it made all views of the items, in a process of its own."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_peak, side, opening, asking, items, batch).result()


def _peak(side: Side, opening: Opening, asking: Asking, items: Sequence[Item], batch: int) -> int | None:
    requests = [score_request(asking, item, no_chat) for item in items]
    if side == "ours":
        engine = open_transformers(opening)
        reset_peak()
        _score(engine, requests)
        bare_scores(asking, items, engine)
    else:
        reference = open_reference(opening, batch)
        reset_peak()
        reference_scores(reference, [*requests, *(_bare(asking, item) for item in items)])
    return peak_since_reset()


def _bare(asking: Asking, item: Item) -> ScoreRequest:
    """An item's option texts after the bare cue: as the reference asks, four for each item."""
    cue = asking.task.scoring.cue
    texts = tuple(answer_text(cue, option.strip()) for option in item.options)
    return ScoreRequest(item, cue, (texts,))


def _only(request: ScoreRequest, sets: slice) -> ScoreRequest:
    return ScoreRequest(request.item, request.prompt, request.continuations[sets], request.templated)


def _score(engine: TransformerEngine, requests: Sequence[ScoreRequest]) -> list[Scores]:
    return in_order(engine.score([engine.encode(request) for request in requests]))


def _compare(pair: Pair, lap: Round, scoring: Scoring) -> dict[ScoredView, ViewCheck]:
    """Every view of every item, made from both sides' log-likelihoods in the same way."""
    ours, bare = lap.ours["all views"].reply
    *parts, told_bare = [iter(reply) for reply in lap.theirs["all views"].reply]
    checks: dict[ScoredView, list[tuple[float, bool]]] = {}
    for request, scores in zip(pair.requests, ours, strict=True):
        scores_bare = bare[request.item.id]
        mine = view_scores(request.item, scoring, scores, scores_bare)
        told = _as_told(scores, parts), _as_told(scores_bare, [told_bare])
        reference = view_scores(request.item, scoring, *told)
        for view, values in mine.items():
            apart = max(abs(x - y) for x, y in zip(values, reference[view], strict=True))
            checks.setdefault(view, []).append((apart, best(values) == best(reference[view])))
    return {
        view: ViewCheck(
            max_difference=max(apart for apart, _ in found),
            agree=sum(same for _, same in found),
            items=len(found),
        )
        for view, found in checks.items()
    }


def _as_told(scores: Scores, sets: Sequence[Iterator[float]]) -> Scores:
    """The same reply with the reference's log-likelihoods, taken in order from an iterator a set."""
    told = tuple(
        tuple(next(values) for _ in ours) for ours, values in zip(scores.logprobs, sets, strict=True)
    )
    return Scores(scores.prompt, scores.prompt_tokens, told, scores.tokens)


def matmul_flops(engine: TransformerEngine, size: int = 2048, times: int = 15) -> float:
    """The machine's best rate of square matrix products in the engine's dtype, in FLOP/s."""
    device, dtype = engine.model.device, engine.model.dtype
    a = torch.randn(size, size, device=device, dtype=dtype)
    seconds: list[float] = []
    for _ in range(times):
        _synchronise(device)
        start = time.perf_counter()
        torch.matmul(a, a)
        _synchronise(device)
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / min(seconds)


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def flops(pair: Pair) -> float:
    """What the linear layers must compute for the letters; attention and output head are left out."""
    encoded = [pair.engine.encode(_only(request, slice(0, 1))) for request in pair.requests]
    model = pair.engine.model
    if model.config.is_encoder_decoder:
        read = sum(len(one.tree.stem) for one in encoded)
        return 2.0 * read * _weights(model.get_encoder()) + 2.0 * len(encoded) * _weights(model.get_decoder())
    return 2.0 * _fed(encoded) * _weights(model.base_model)


def _fed(encoded: Sequence[Encoded]) -> int:
    prefix = len(common_prefix([one.tree for one in encoded]))
    return prefix + sum(one.tree.longest - prefix for one in encoded)


def _weights(module: Any) -> int:
    """Numbers in the module's linear layers."""
    return sum(part.weight.numel() for part in module.modules() if isinstance(part, torch.nn.Linear))


def save(found: Verification, folder: Path) -> Path:
    """Write it beside the others, named by what was compared."""
    path = folder / f"{found.model}-{found.task}-{found.exemplars}shot-{found.dtype}.json"
    path.write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return path
