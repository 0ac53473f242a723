"""Measuring how long a question takes when it is asked alone."""

import random
import time
from collections.abc import Collection, Iterator

from bench.cells.cell import Cell
from bench.engines.engine import Engine
from bench.evaluate import evaluate

ALONE = 20
"""The number of questions to time; the first is also asked before, untimed, as a warm-up."""


def ask_alone(cell: Cell, engine: Engine, answered: Collection[str]) -> Iterator[float]:
    """Ask up to ALONE questions one at a time; yields the seconds of each, from prompt to answer.

    Only questions with ids in `answered` are asked, because a prompt that does not fit takes no time.
    """
    draw = random.Random(cell.facts.id)  # noqa: S311 (not a secret)
    items = [item for item in cell.items if item.id in answered]
    sample = draw.sample(items, min(ALONE, len(items)))
    for timed, item in (*((False, item) for item in sample[:1]), *((True, item) for item in sample)):
        start = time.perf_counter()
        list(evaluate(cell.asking, [item], engine))
        if timed:
            yield time.perf_counter() - start
