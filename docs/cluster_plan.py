"""What a large sweep takes: python docs/cluster_plan.py [MODELS TASKS QUESTIONS WORKERS].

By default 1,000 models on 20 tasks of 1,273 questions, on 64 workers; smaller and faster sweeps are shown
beside it. What is measured comes from the runs in `results/` (whole models in 16 bits on MedQA, without
exemplars and written answers, on the machine that has most of them) and from this project's other scripts.
Models have the sizes of the cards, in turn. `speed` is how many times as fast as that machine a worker
computes; it loads weights as fast. The sweep is played by the rules of the executor ray: shards of at most
256 questions, the cells with the most to compute first, and workers of a cell, each of which loads its model.
"""

import heapq
import math
import sys
from collections import Counter, deque
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from bench.inputs.cards import all_cards
from bench.results.machine import machine_of
from bench.results.result import DoneResult
from bench.results.store import read_results
from bench.sweeps.ray_executor import LOOKAHEAD
from bench.sweeps.units import SHARD_ITEMS

START_SECONDS = 1.0
"""Of a worker; a quick cell in `python docs/cluster_speed.py` takes 0.7 s on a busy machine."""
MERGE_SECONDS = 0.0024
"""Of a part: `python docs/merge_speed.py`, 2.4 s for 1,000."""
BYTES_EACH = 2
"""Of a weight in 16 bits."""
RESULTS = Path(__file__).resolve().parents[1] / "results"


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds of a question for each parameter and of loading for each byte; stored bytes of a question."""

    machine: str
    runs: int
    seconds: float
    loading: float
    stored: float


def figures() -> Figures:
    runs = [run for run in read_results(RESULTS) if _counts(run)]
    machine, _ = Counter(machine_of(run.provenance) for run in runs).most_common(1)[0]
    runs = [run for run in runs if machine_of(run.provenance) == machine]
    each = [_seconds_each(run) for run in runs]
    loading = [(run.cost.load_seconds or 0) / (run.cost.model_bytes or 1) for run in runs]
    folders = [path.parent for path in RESULTS.rglob("records.jsonl")]
    sizes = [sum(file.stat().st_size for file in folder.iterdir()) for folder in folders]
    stored = sum(sizes) / sum(sum(1 for _ in (folder / "records.jsonl").open("rb")) for folder in folders)
    return Figures(machine, len(runs), median(each), median(loading), stored)


def _counts(run: DoneResult) -> bool:
    variant = run.cell.variant
    plain = variant.dtype is not None and variant.quantize == "none" and not variant.adapter
    return plain and not variant.exemplars and variant.generate is None and run.metrics.accuracy.total > 1000


def _seconds_each(run: DoneResult) -> float:
    seconds, parameters = run.cost.scoring_seconds, run.cell.model.parameters
    assert seconds
    assert parameters
    return seconds / run.measured_questions / parameters


@dataclass(frozen=True, slots=True)
class Sweep:
    """Models of these sizes on so many tasks, and workers that are `speed` times as fast as measured."""

    sizes: tuple[int, ...]
    tasks: int
    questions: int
    workers: int
    speed: float = 1.0


@dataclass(slots=True)
class Cell:
    """A cell that is begun: how many of its shards wait, the seconds of each, and how many workers it has."""

    parameters: int
    waiting: int
    seconds: float
    workers: int = 0

    @property
    def effort_each(self) -> float:
        return self.waiting * self.seconds / (self.workers + 1)


@dataclass(slots=True)
class Played:
    """What a sweep took: seconds on the clock, and of all workers to compute, to load and to start."""

    clock: float = 0.0
    computing: float = 0.0
    loading: float = 0.0
    starting: float = 0.0
    parts: int = 0


def play(sweep: Sweep, by: Figures) -> Played:
    """The sweep on a clock of its own: a worker goes on when its shard ends."""
    count = math.ceil(sweep.questions / SHARD_ITEMS)
    cells = deque(sorted((size for size in sweep.sizes for _ in range(sweep.tasks)), reverse=True))
    begun: list[Cell] = []
    played = Played()
    free: list[tuple[float, int, Cell | None]] = [(0.0, number, None) for number in range(sweep.workers)]
    while free:
        now, number, cell = heapq.heappop(free)
        if cell is None or not cell.waiting:
            if cell:
                cell.workers -= 1
            while cells and len(begun) < LOOKAHEAD * sweep.workers:
                parameters = cells.popleft()
                seconds = sweep.questions / count * parameters * by.seconds / sweep.speed
                begun.append(Cell(parameters, count, seconds))
            cell = max(begun, key=lambda one: one.effort_each, default=None)
            if cell is None:
                continue
            cell.workers += 1
            played.loading += (loading := cell.parameters * BYTES_EACH * by.loading)
            played.starting += START_SECONDS
            now += loading + START_SECONDS
        cell.waiting -= 1
        played.parts += 1
        played.computing += cell.seconds
        if not cell.waiting:
            begun.remove(cell)
        played.clock = max(played.clock, now + cell.seconds)
        heapq.heappush(free, (now + cell.seconds, number, cell))
    return played


def row(sweep: Sweep, by: Figures) -> tuple[str, ...]:
    played = play(sweep, by)
    busy = played.computing + played.loading + played.starting
    shares = (played.computing, played.loading, played.starting)
    stored = len(sweep.sizes) * sweep.tasks * sweep.questions * by.stored
    return (
        f"{len(sweep.sizes):,} x {sweep.tasks}",
        f"{sweep.workers:,}",
        f"{sweep.speed:g}",
        f"{played.clock / 3600:,.1f} h",
        f"{busy / sweep.workers / played.clock:.0%}",
        *(f"{part / busy:.0%}" for part in shares),
        f"{played.parts * MERGE_SECONDS / 60:.1f} min",
        f"{stored / 1e9:,.1f} GB",
        f"{sum(sweep.sizes) * BYTES_EACH / 1e12:,.2f} TB",
    )


COLUMNS = (
    "cells",
    "workers",
    "speed",
    "time",
    "busy",
    "compute",
    "load",
    "start",
    "merging",
    "results",
    "weights",
)


def main(models: int = 1000, tasks: int = 20, questions: int = 1273, workers: int = 64) -> None:
    by = figures()
    cards = (file.card.parameters for file in all_cards())
    sizes = tuple(islice(cycle(filter(None, cards)), models))
    whole = Sweep(sizes, tasks, questions, workers)
    few = replace(whole, sizes=sizes[: models // 10])
    sweeps = [replace(few, tasks=max(1, tasks // 10)), few, whole]
    sweeps += [replace(whole, speed=speed) for speed in (10, 100, 1000)]
    sweeps += [replace(whole, speed=100, workers=workers * times) for times in (4, 16)]
    table = Table(*COLUMNS, box=None)
    for sweep in sweeps:
        table.add_row(*row(sweep, by))
    Console(width=130).print(table)
    print(
        f"measured on {by.machine} ({by.runs} runs): {by.seconds * 1e9:.2f} s a question for 10^9 parameters,"
    )
    print(f"{by.loading * 1e9:.1f} s to load a gigabyte, {by.stored:,.0f} bytes stored a question")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
