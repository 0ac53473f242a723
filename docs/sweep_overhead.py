"""How much a sweep costs beside its questions: python docs/sweep_overhead.py [CELLS].

First the baselines on four tasks of twelve questions, twelve cells, from the command to the table. Then CELLS
(1000) cells of the tests' fake engine on ten questions, one after the other, by the command as users call it:
planning, a process each, records, results, listing. With CELLS 0, the first measurement alone.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import psutil

PLUGIN = Path(__file__).resolve().parents[1] / "tests" / "plugin"
"""The package of the fake engine."""
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
CARD = """\
name: NAME
title: Fake
family: fake
license: mit
architecture: baseline
engine: fake
settings: {accuracy: 0.5}
"""
BASELINES = "chance,majority,tfidf"
ROUNDS = 3


def write_task(folder: Path, name: str, questions: int, more: str = "") -> None:
    """A task, and its questions."""
    rows = [
        {"question": f"Is {n} even?", "options": ["yes", "no"], "answer": n % 2} for n in range(questions)
    ]
    folder.mkdir(exist_ok=True)
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    train = [row | {"question": f"Is it true that {row['question']}"} for row in rows]
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in train), encoding="utf-8")
    (folder / f"{name}.yaml").write_text(TASK.replace("overhead", name) + more, encoding="utf-8")


def write_cards(folder: Path, number: int) -> None:
    folder.mkdir()
    for n in range(number):
        name = f"fake-{n:04d}"
        (folder / f"{name}.yaml").write_text(CARD.replace("NAME", name), encoding="utf-8")


def environment() -> dict[str, str]:
    """With the fake engine, and with modules that stay compiled, as where a package is installed."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, (str(PLUGIN), kept.get("PYTHONPATH"))))}


def bench(folder: str, *arguments: str) -> tuple[float, list[int], str]:
    """Seconds of a command, bytes of its process's memory every two seconds, and what it prints."""
    command = [sys.executable, "-m", "bench", *arguments]
    memory: list[int] = []
    start = time.perf_counter()
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        while True:
            try:
                printed, _ = process.communicate(timeout=2)
            except subprocess.TimeoutExpired:
                memory.append(psutil.Process(process.pid).memory_info().rss)
            else:
                break
    seconds = time.perf_counter() - start
    if process.returncode:
        sys.exit(f"bench {' '.join(arguments)} ended with {process.returncode}: run it by hand to see why")
    return seconds, memory, printed


def baselines() -> float:
    """Seconds of `bench run` with the baselines on four tasks of twelve questions, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        names = [f"quick{number}" for number in range(4)]
        for name in names:
            write_task(Path(folder) / "tasks", name, 12, MORE)
        seconds, _, printed = bench(folder, "run", "-m", BASELINES, "-t", ",".join(names), "--offline")
    assert printed.count("/12") == 12, printed
    return seconds


def overhead(number: int) -> None:
    """What a cell costs, from this many cells."""
    with tempfile.TemporaryDirectory() as folder:
        write_task(Path(folder) / "tasks", "overhead", 10)
        write_cards(Path(folder) / "model_cards", number)
        run = ("run", "-m", "fake-*", "-t", "overhead", "--offline")
        planned, _, _ = bench(folder, *run, "--dry-run")
        running, memory, _ = bench(folder, *run)
        listing, _, listed = bench(folder, "results", "list", "--json")
    assert len(json.loads(listed)) == number
    print(f"planning      {1000 * planned / number:6.1f} ms a cell (--dry-run)")
    print(f"running       {1000 * running / number:6.1f} ms a cell, all of it")
    print(f"listing       {1000 * listing / number:6.1f} ms a cell")
    tenth = len(memory) // 10
    early, late = memory[tenth] / 1e6, memory[-1] / 1e6
    print(f"memory        {early:6.0f} MB of the command after a tenth of the time, {late:.0f} MB at the end")


def main(number: int = 1000) -> None:
    seconds = sorted(baselines() for _ in range(ROUNDS))
    print(f"12 baselines  {median(seconds):6.1f} s from the command to the table (fastest {seconds[0]:.1f})")
    if number:
        overhead(number)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
