"""The costs of parts that were answered on machines of one class, as those of their run."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from bench.results.cost import Cost, Latency, Measured, latency
from bench.results.parts import Part

Number = TypeVar("Number", int, float)


def merged_cost(measured: Sequence[Part], shards: int) -> Cost:
    """The costs of the parts of one class of machines, where the run has so many `shards` in all.

    Times, tokens and energy are added up, peaks are the highest, and loading is the longest of any part.
    """
    costs = [part.result.cost for part in measured]
    records = [record for part in measured for record in part.records]
    scored = [record for record in records if record.parse_status != "prompt_too_long"]
    seconds = _total([cost.scoring_seconds for cost in costs])
    tokens = _total([cost.prompt_tokens for cost in costs])
    part = Measured(shards=len(costs), of=shards, questions=len(records))
    return costs[0].model_copy(
        update={
            "measured": part if part.shards < shards else None,
            "load_seconds": _most([cost.load_seconds for cost in costs]),
            "scoring_seconds": seconds,
            "items_per_second": len(scored) / seconds if scored and seconds else None,
            "prompt_tokens": tokens,
            "tokens_per_second": tokens / seconds if tokens and seconds else None,
            "new_tokens": sum(cost.new_tokens or 0 for cost in costs) or None,
            "peak_memory_bytes": _most([cost.peak_memory_bytes for cost in costs]),
            "peak_device_memory_bytes": _most([cost.peak_device_memory_bytes for cost in costs]),
            "batched": latency(record.seconds for record in scored if record.seconds is not None),
            "alone": _alone([cost.alone for cost in costs]),
            "joules": _total([cost.joules for cost in costs]),
            "joules_note": "; ".join(dict.fromkeys(cost.joules_note for cost in costs if cost.joules_note)),
        }
    )


def _total(values: Sequence[Number | None]) -> Number | None:
    """The sum; None where one is unknown."""
    known = [value for value in values if value is not None]
    return sum(known[1:], known[0]) if len(known) == len(values) else None


def _most(values: Iterable[Number | None]) -> Number | None:
    return max((value for value in values if value is not None), default=None)


def _alone(each: Iterable[Latency | None]) -> Latency | None:
    """Over the questions that any part asked alone."""
    return latency((value for one in each if one for value in one.seconds), kept=True)
