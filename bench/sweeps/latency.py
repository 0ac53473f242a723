"""How long one question takes when it is asked alone."""

import random
import statistics
import time
from collections.abc import Collection, Iterator, Sequence

from bench.cells.cell import Cell
from bench.engines.engine import Engine
from bench.evaluate import evaluate
from bench.results.result import Latency

ALONE = 20
"""Questions that are asked one at a time; the first is asked once before, untimed."""


def ask_alone(cell: Cell, engine: Engine, answered: Collection[str]) -> Iterator[float]:
    """Seconds that each of some questions takes when it is asked alone, prompt to answer.

    Only what was `answered` (ids) is asked: a prompt that does not fit takes no time.
    """
    draw = random.Random(cell.facts.id)  # noqa: S311 (not a secret)
    items = [item for item in cell.items if item.id in answered]
    sample = draw.sample(items, min(ALONE, len(items)))
    for timed, item in (*((False, item) for item in sample[:1]), *((True, item) for item in sample)):
        start = time.perf_counter()
        list(evaluate(cell.asking, [item], engine))
        if timed:
            yield time.perf_counter() - start


def latency(seconds: Iterator[float] | Sequence[float]) -> Latency | None:
    """Percentiles as statistics.quantiles has them, between the sample's own values."""
    values = sorted(seconds)
    if not values:
        return None
    cuts = statistics.quantiles(values, n=20, method="inclusive") if len(values) > 1 else values * 19
    return Latency(questions=len(values), p50=cuts[9], p95=cuts[18])
