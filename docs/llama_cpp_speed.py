"""How fast llama.cpp scores: python docs/llama_cpp_speed.py [QUESTIONS [EXEMPLARS [DATA-DIR]]]

The embedded model answers MedQA (without DATA-DIR, the sample) in one process, in turns: our engine, a loop
that gives the same library every prompt whole, and transformers in 16 bits: letters alone after EXEMPLARS
exemplars, then all views without any. Each round has its own questions, so nothing is warm.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from bench.cells.cell import Cell
from bench.cells.plan import plan
from bench.cells.wish import Wish
from bench.engines.kinds import open_engine, prepare
from bench.engines.llama_cpp import scoring
from bench.evaluate import renderer
from bench.inputs.cards import find_any_cards
from bench.inputs.choices import Choices
from bench.inputs.draw import draw
from bench.inputs.tasks import find_task
from bench.scoring.asking import score_request
from bench.types import Encoded

MODEL = "smollm2-135m-instruct-q4_1"
ROUNDS = 4


def cell_of(engine: str, exemplars: int, data_dir: Path | None) -> Cell:
    """The cell of the embedded model in an engine."""
    task = find_task("medqa" if data_dir else "medqa_sample")
    choices = Choices(engine=engine, exemplars=exemplars)
    cards = find_any_cards(MODEL, lambda _: True)
    [cell], _ = plan([task], cards, [Wish(choices)], data_dir=data_dir, offline=True)
    assert isinstance(cell, Cell)
    return cell


def encoded(cell: Cell, engine: Any, count: int) -> list[Encoded]:
    render = renderer(engine, thinking=False)
    items = draw(cell.items, min(count, len(cell.items)))
    return [engine.encode(score_request(cell.asking, item, render)) for item in items]


def letters_only(asked: Sequence[Encoded]) -> list[Encoded]:
    """The same questions with the letters as their only continuations."""
    return [replace(one, tree=replace(one.tree, branches=one.tree.branches[:1])) for one in asked]


def seconds(score: Callable[[list[Encoded]], Any], asked: list[Encoded]) -> float:
    start = time.perf_counter()
    for _ in score(asked):
        pass
    return time.perf_counter() - start


def main(count: int, exemplars: int, data_dir: Path | None) -> None:
    cells = {name: cell_of(name, exemplars, data_dir) for name in ("llama.cpp", "transformers")}
    engines: dict[str, Any] = {
        name: open_engine(cell.opening, prepare(cell.opening.card, cell.weights))
        for name, cell in cells.items()
    }
    ours = engines["llama.cpp"]
    runs: dict[str, Callable[[list[Encoded]], Any]] = {
        "llama.cpp": ours.score,
        "whole prompts": lambda asked: scoring.score(ours.caches, asked, 1, "plain"),
        "transformers": engines["transformers"].score,
    }
    print(f"{count} questions, {ours.threads} threads, {ours.build}")
    letters = letters_only(encoded(cells["llama.cpp"], ours, count))
    compare(f"letters, {exemplars} exemplars", runs, letters)
    compare("all views", runs, encoded(cell_of("llama.cpp", 0, data_dir), ours, count))


def compare(work: str, runs: Mapping[str, Callable[[list[Encoded]], Any]], asked: list[Encoded]) -> None:
    """Print how long each run takes for the questions, in turns."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    size = len(asked) // ROUNDS
    for number in range(ROUNDS):
        for name, score in runs.items():
            taken[name].append(seconds(score, asked[number * size : (number + 1) * size]))
    tokens = sum(len(one.tree.stem) for one in asked) / ROUNDS
    for name, times in taken.items():
        ratio = median(a / b for a, b in zip(times, taken["llama.cpp"], strict=True))
        print(
            f"{work:20} {name:14} {sum(times):7.1f} s, {tokens / median(times):7.0f} prompt tokens/s, "
            f"{ratio:5.2f} times the time of llama.cpp",
            flush=True,
        )


if __name__ == "__main__":
    words = sys.argv[1:]
    main(
        int(words[0]) if words else 128,
        int(words[1]) if len(words) > 1 else 5,
        Path(words[2]) if len(words) > 2 else None,
    )
