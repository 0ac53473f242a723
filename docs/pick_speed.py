"""How long `bench pick` takes on many runs: python docs/pick_speed.py [MODELS] [TASKS] [FOLDER].

The tests' fake engine answers made-up questions through the path of real cells, all in this process; runs
that FOLDER already holds are not made again. Then each command is timed in processes of its own, the first
one with an empty cache folder. On a busy machine, the processor's time says more than the clock's.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.cells.plan import plan
from bench.cells.wish import Wish
from bench.inputs.cards import CardFile
from bench.inputs.choices import Choices
from bench.inputs.model_card import ModelCard
from bench.inputs.task import TaskFile, read_task
from bench.results.store import begin
from bench.sweeps.events import Terms
from bench.sweeps.work import work

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "plugin"))  # the fake engine

TASK = """\
name: {name}
version: 1
title: {name}
license: CC0-1.0
data: {{files: {{test: {name}.jsonl}}, columns: {{id: id, group: group}}}}
prompt: "{{{{ question }}}}"
metrics: [accuracy]
"""
LARGEST, SMALLEST = 1273, 100
TIMES = 9
"""Of so many processes, the median is printed."""
COMMANDS = ("pick", "pick --memory 4GB --json", "leaderboard show", "results list --json")
SPLIT = """\
import sys, time
def lap(what, start):
    print(f"  {what:<34} {1000 * (time.process_time() - start):6.0f} ms")
    return time.process_time()
at = lap("Python", 0.0)
from pathlib import Path
from bench.cli import main
import bench.board.choice, bench.board.choice_words, bench.board.reading, bench.inputs.cards
at = lap("imports", at)
cards, _ = bench.inputs.cards.cards_and_mistakes()
at = lap("model cards", at)
board = bench.board.reading.read_board_quickly(Path(sys.argv[1]), cards, ranked=False)
at = lap("runs, and tables without ranks", at)
choice = bench.board.choice.choose(
    board.tasks, {table.task.name: 1.0 for table in board.tasks}, bench.board.limits.Limits()
)
at = lap("choice", at)
"""


class Unheard:
    """The sweep's end of the pipe, where nobody listens."""

    def send(self, _event: object) -> None: ...

    def close(self) -> None: ...


def tasks(number: int, place: Path) -> Iterator[TaskFile]:
    """Tasks of `SMALLEST` to `LARGEST` questions."""
    draw = random.Random(0)
    words = [f"word{n}" for n in range(2000)]
    for at in range(number):
        name = f"scale_{at:02d}"
        questions = SMALLEST + (LARGEST - SMALLEST) * at // max(1, number - 1)
        with (place / f"{name}.jsonl").open("w", encoding="utf-8") as file:
            for n in range(questions):
                row = {
                    "id": f"q{n:04d}",
                    "question": " ".join(draw.choices(words, k=110)),
                    "options": [" ".join(draw.choices(words, k=6)) for _ in range(4)],
                    "answer": draw.randrange(4),
                    "group": f"group {n % 12}",
                }
                file.write(json.dumps(row) + "\n")
        (place / f"{name}.yaml").write_text(TASK.format(name=name), encoding="utf-8")
        yield read_task(place / f"{name}.yaml")


def cards(number: int, path: Path) -> list[CardFile]:
    draw = random.Random(1)
    facts = {"family": "scale", "license": "mit", "architecture": "decoder", "engine": "fake"}
    return [
        CardFile(
            card=ModelCard.model_validate(
                facts
                | {"name": f"model-{n:04d}", "title": f"Model {n}"}
                | {"settings": {"accuracy": draw.uniform(0.2, 0.7)}}
            ),
            path=path,
        )
        for n in range(number)
    ]


def play(models: int, number: int, place: Path) -> None:
    files = list(tasks(number, place))
    cells, _ = plan(files, cards(models, files[0].path), [Wish(Choices())], data_dir=None, offline=True)
    begin(place / "results")
    start = time.perf_counter()
    for cell in cells:
        work(cell, place / "results", Terms(), Unheard())
    print(f"{len(cells)} runs made in {time.perf_counter() - start:.0f} s")


def seconds(words: list[str], cache: Path) -> tuple[float, float]:
    """Of a command: on the clock, and of the processor, which says more on a busy machine."""
    start, before = time.perf_counter(), os.times()
    subprocess.run(words, check=True, capture_output=True, env=os.environ | {"BENCH_CACHE_DIR": str(cache)})
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - start, used


def main(models: int, number: int, place: Path) -> None:
    if not (place / "results").is_dir():
        play(models, number, place)
        time.sleep(3)  # files are kept once they are two seconds old
    results = str(place / "results")
    print(f"{models} models x {number} tasks; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        for command in (COMMANDS[0], *COMMANDS):
            first = not any(cache.iterdir())
            words = [sys.executable, "-m", "bench", *command.split(), "--results", results]
            taken = [seconds(words, cache) for _ in range(1 if first else TIMES)]
            clock, processor = (statistics.median(each) for each in zip(*taken, strict=True))
            when = "the first time" if first else ""
            print(f"bench {command:<24} {clock:6.2f} s, processor {processor:6.2f} s {when}")
        size = sum(path.stat().st_size for path in cache.rglob("*") if path.is_file())
        print(f"cache {size / 1e6:.0f} MB; the processor's time of bench pick by its parts:")
        words, env = [sys.executable, "-c", SPLIT, results], os.environ | {"BENCH_CACHE_DIR": folder}
        print(subprocess.run(words, check=True, capture_output=True, text=True, env=env).stdout, end="")


if __name__ == "__main__":
    amounts = [int(word) for word in sys.argv[1:3]]
    amounts += [125, 8][len(amounts) :]
    if len(sys.argv) > 3:
        Path(sys.argv[3]).mkdir(parents=True, exist_ok=True)
        main(*amounts, Path(sys.argv[3]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(*amounts, Path(folder))
