"""How much a sweep costs beside its cells: python docs/sweep_overhead.py [CELLS].

First the baselines on four tasks of twelve questions, twelve cells, from the command to the table. Then CELLS
(1000) cells of the tests' fake engine on ten questions, one after the other, through the real path: planning,
a process each, records, results, listing. The cost of a process that only starts is measured between them
and subtracted. With CELLS 0, the first measurement alone.
"""

import json
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from statistics import fmean, median
from typing import Any

import psutil

from bench.cells.cell import Cell
from bench.cells.plan import plan
from bench.cells.wish import Wish
from bench.inputs.cards import CardFile
from bench.inputs.choices import Choices
from bench.inputs.model_card import ModelCard
from bench.inputs.task import read_task
from bench.results.check import entries
from bench.results.result import DoneResult
from bench.sweeps.events import DEFAULT_TERMS, Event
from bench.sweeps.executor import LOCAL
from bench.sweeps.process import Exit, run_in_process
from bench.sweeps.sweep import run_sweep

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "plugin"))  # the fake engine

TASK = """\
name: overhead
version: 1
title: Overhead
license: CC0-1.0
data: {files: {test: test.jsonl, train: train.jsonl}, splits: {test: test, train: train}}
prompt: "{{ question }}"
scoring: {letters: false, view: text}
"""
MORE = "metrics: [accuracy, balanced_accuracy, macro_f1]\n"
BASELINES = "chance,majority,tfidf"
QUESTIONS = 12
ROUNDS = 3
MODULES = ("bench.sweeps.work",)
EVERY = 10
"""Cells between two looks at what a bare process takes."""


def bare(modules: tuple[str, ...], events: Any) -> None:
    """A worker that imports what a cell's does, and says one word."""
    for module in modules:
        import_module(module)
    events.send("here")
    events.close()


def start_seconds() -> float:
    before = time.perf_counter()
    assert isinstance(list(run_in_process(bare, MODULES, name="bare"))[-1], Exit)
    return time.perf_counter() - before


def cards(number: int, path: Path) -> list[CardFile]:
    facts = {
        "title": "Fake",
        "family": "fake",
        "license": "mit",
        "architecture": "baseline",
        "engine": "fake",
        "settings": {"accuracy": 0.5},
    }
    return [
        CardFile(card=ModelCard.model_validate(facts | {"name": f"fake-{n:04d}"}), path=path)
        for n in range(number)
    ]


def command_seconds() -> float:
    """Seconds of `bench run` with the baselines on four tasks, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(4):
            tasks = Path(folder) / "tasks"
            write_task(tasks, f"quick{number}", QUESTIONS, MORE)
        names = ",".join(f"quick{number}" for number in range(4))
        command = [sys.executable, "-m", "bench", "run", "-m", BASELINES, "-t", names, "--offline"]
        start = time.perf_counter()
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        seconds = time.perf_counter() - start
    assert done.stdout.count(f"/{QUESTIONS}") == 12, done.stdout
    return seconds


def write_task(folder: Path, name: str, questions: int, more: str = "") -> Path:
    """A task, and its questions; returns its file."""
    rows = [
        {"question": f"Is {n} even?", "options": ["yes", "no"], "answer": n % 2} for n in range(questions)
    ]
    folder.mkdir(exist_ok=True)
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    train = [row | {"question": f"Is it true that {row['question']}"} for row in rows]
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in train), encoding="utf-8")
    path = folder / f"{name}.yaml"
    path.write_text(TASK.replace("overhead", name) + more, encoding="utf-8")
    return path


def main(number: int = 1000) -> None:
    seconds = sorted(command_seconds() for _ in range(ROUNDS))
    print(f"12 baselines  {median(seconds):6.1f} s from the command to the table (fastest {seconds[0]:.1f})")
    if number:
        overhead(number)


def overhead(number: int) -> None:
    """What a cell costs beyond its questions, from this many cells."""
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        task = read_task(write_task(here / "tasks", "overhead", 10))
        start = time.perf_counter()
        cells, _ = plan([task], cards(number, task.path), [Wish(Choices())], data_dir=None, offline=True)
        planned = time.perf_counter() - start
        took, bares, memory = run(cells, here / "results")
        start = time.perf_counter()
        listed = sum(1 for _ in entries(here / "results"))
        listing = time.perf_counter() - start
    assert listed == number
    print(f"planning      {1000 * planned / number:6.1f} ms a cell")
    print(f"running       {1000 * fmean(took):6.1f} ms a cell (median {1000 * median(took):.1f})")
    print(
        f"bare process  {1000 * fmean(bares):6.1f} ms (median {1000 * median(bares):.1f}, {len(bares)} times)"
    )
    print(f"listing       {1000 * listing / number:6.1f} ms a cell")
    beside = fmean(took) - fmean(bares) + (planned + listing) / number
    print(f"overhead      {1000 * beside:6.1f} ms a cell beyond process start, all of it")
    print(
        f"parent        {memory[0] / 1e6:.0f} MB after a tenth of the cells, "
        f"{memory[-1] / 1e6:.0f} MB at the end"
    )


def run(cells: list[Cell], results: Path) -> tuple[list[float], list[float], list[int]]:
    """Seconds of each cell, seconds of bare processes between them, the parent's memory on the way."""
    took: list[float] = []
    bares: list[float] = []
    memory: list[int] = []
    start = time.perf_counter()

    def watch(_cell: Cell, event: Event) -> None:
        nonlocal start
        if isinstance(event, DoneResult):
            took.append(time.perf_counter() - start)
            if len(took) % EVERY == 0:
                bares.append(start_seconds())
            if len(took) % max(1, len(cells) // 10) == 0:
                memory.append(psutil.Process().memory_info().rss)
            start = time.perf_counter()

    run_sweep(cells, results, DEFAULT_TERMS, LOCAL, watch)
    return took, bares, memory


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
