"""How long `bench pick` takes on many runs: python docs/pick_speed.py [MODELS] [TASKS] [FOLDER].

Runs are made by `played_runs.py`; those that FOLDER already holds are not made again. Then each command is
timed in processes of its own, the first one with an empty cache folder. On a busy machine, the processor's
time says more than the clock's.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from played_runs import play

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


def environment(cache: Path) -> dict[str, str]:
    """With this cache, and with modules that stay compiled, as where a package is installed."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"BENCH_CACHE_DIR": str(cache)}


def seconds(words: list[str], cache: Path) -> tuple[float, float]:
    """Of a command: on the clock, and of the processor, which says more on a busy machine."""
    start, before = time.perf_counter(), os.times()
    subprocess.run(words, check=True, capture_output=True, env=environment(cache))
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - start, used


def main(models: int, number: int, place: Path) -> None:
    if not (place / "results").is_dir():
        step = (LARGEST - SMALLEST) / max(1, number - 1)
        print(f"{play(models, [round(SMALLEST + step * at) for at in range(number)], place)} runs made")
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
        words = [sys.executable, "-c", SPLIT, results]
        done = subprocess.run(words, check=True, capture_output=True, text=True, env=environment(cache))
        print(done.stdout, end="")


if __name__ == "__main__":
    amounts = [int(word) for word in sys.argv[1:3]]
    amounts += [140, 8][len(amounts) :]
    if len(sys.argv) > 3:
        Path(sys.argv[3]).mkdir(parents=True, exist_ok=True)
        main(*amounts, Path(sys.argv[3]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(*amounts, Path(folder))
