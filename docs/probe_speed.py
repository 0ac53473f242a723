"""What probes cost, as multiples of one pass: python docs/probe_speed.py [QUESTIONS [DATA-DIR [STYLE]]]

The embedded model answers MedQA (without DATA-DIR, the sample) in one process. In turns, it answers the same
questions alone, with all orders of their options, and with the options alone and the right one replaced. The
fastest of several rounds counts, which other programs of the machine disturbed least.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.cells.cell import Cell
from bench.cells.plan import plan
from bench.cells.wish import Wish
from bench.engines.kinds import open_engine, prepare
from bench.evaluate import evaluate
from bench.inputs.cards import find_any_cards
from bench.inputs.choices import Choices
from bench.inputs.draw import draw
from bench.inputs.tasks import find_task
from bench.results.probe_figures import by_change
from bench.scoring.record import Record
from bench.sweeps.probe_run import ask_left
from bench.types import Item, ProbeName

MODEL = "smollm2-135m-instruct-q4_1"
ROUNDS = 3
WAYS: dict[str, tuple[ProbeName, ...]] = {
    "one pass": (),
    "with every order": ("order",),
    "with options alone and the right one replaced": ("question", "nota"),
    "with all three": ("order", "question", "nota"),
}


def cell_of(data_dir: Path | None, style: str) -> Cell:
    task = find_task("medqa" if data_dir else "medqa_sample")
    cards = find_any_cards(MODEL, lambda _: True)
    choices = Choices.model_validate({"prompt": style})
    [cell], _ = plan([task], cards, [Wish(choices)], data_dir=data_dir, offline=True)
    assert isinstance(cell, Cell)
    return cell


def seconds(cell: Cell, items: Sequence[Item], engine: Any, probes: tuple[ProbeName, ...]) -> float:
    """How long a pass takes with its probes, encoding included."""
    start = time.perf_counter()
    records: list[Record] = []
    probed: list[Record] = []
    for answered in evaluate(cell.asking, items, engine, probes=probes):
        records += answered.records
        probed += answered.probed
    for _, left in ask_left(cell, engine, probes, records, probed) if probes else ():
        probed += left
    assert len(by_change(probed)) == len(items) * (3 * ("order" in probes) + 2 * ("nota" in probes))
    return time.perf_counter() - start


def main(count: int, data_dir: Path | None, style: str) -> None:
    cell = cell_of(data_dir, style)
    items = draw(cell.items, min(count, len(cell.items)))
    engine = open_engine(cell.opening, prepare(cell.opening.card, cell.weights))
    seconds(cell, items[:16], engine, ())
    taken: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(ROUNDS):
        for name, probes in WAYS.items():
            taken[name].append(seconds(cell, items, engine, probes))
    print(f"{len(items)} questions, {style} prompts, the fastest of {ROUNDS} rounds")
    for name, times in taken.items():
        print(f"{name:48} {min(times):7.1f} s  {min(times) / min(taken['one pass']):5.2f} times one pass")


if __name__ == "__main__":
    words = sys.argv[1:]
    main(
        int(words[0]) if words else 200,
        Path(words[1]) if len(words) > 1 else None,
        words[2] if len(words) > 2 else "plain",
    )
