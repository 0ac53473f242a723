"""How the board grows: python docs/board_scale.py MODELS [QUESTIONS] [FOLDER].

The tests' fake engine answers made-up questions through the path of real cells, all in this process. Then
the site is built in a process of its own, whose time and memory are measured, and opened in Chromium where
that is installed.
"""

import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from bench.cells.plan import plan
from bench.cells.wish import Wish
from bench.inputs.cards import CardFile
from bench.inputs.choices import Choices
from bench.inputs.model_card import ModelCard
from bench.inputs.task import read_task
from bench.results.store import begin
from bench.sweeps.events import Terms
from bench.sweeps.work import work

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "plugin"))  # the fake engine

TASK = """\
name: scale
version: 1
title: Scale
license: CC0-1.0
data: {files: {test: test.jsonl}, columns: {id: id, group: group}}
prompt: "{{ question }}"
metrics: [accuracy]
"""
BUILD = """\
import resource, sys, time
start = time.perf_counter()
from bench.cli import main
main(['leaderboard', 'build', '--results', sys.argv[1], '--out', sys.argv[2]], standalone_mode=False)
whose = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
own, child = (resource.getrusage(who).ru_maxrss / 1e6 for who in whose)
print(f'built in {time.perf_counter() - start:.1f} s, peak {own:.2f} GB, and {child:.2f} GB each process')
"""


LOOK = """\
() => {
  const [page] = performance.getEntriesByType("navigation");
  return page.loadEventEnd - page.startTime;
}
"""
SORT = """\
() => {
  const start = performance.now();
  document.querySelector("th[data-key=speed] button").click();
  document.body.offsetHeight;
  return performance.now() - start;
}
"""


class Unheard:
    """The sweep's end of the pipe, where nobody listens."""

    def send(self, _event: object) -> None: ...

    def close(self) -> None: ...


def questions(number: int, path: Path) -> None:
    draw = random.Random(0)
    words = [f"word{n}" for n in range(2000)]
    with path.open("w", encoding="utf-8") as file:
        for n in range(number):
            row = {
                "id": f"q{n:04d}",
                "question": " ".join(draw.choices(words, k=110)),
                "options": [" ".join(draw.choices(words, k=6)) for _ in range(4)],
                "answer": draw.randrange(4),
                "group": f"group {n % 12}",
            }
            file.write(json.dumps(row) + "\n")


def look(site: Path) -> None:
    """How long pages take in a browser: until all is loaded and laid out, and to sort the table."""
    chromium = shutil.which("chromium")
    if chromium is None:
        print("chromium is not installed, so no page was opened")
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        question = min((site / "questions" / "scale").glob("[0-9a-f]*.html"))
        for name, path in (("index", site / "index.html"), ("a question", question)):
            taken: list[float] = []
            for _ in range(5):
                page.goto(path.as_uri())
                taken.append(page.evaluate(LOOK))
            size = path.stat().st_size / 1e3
            print(f"{name}: {size:.0f} kB, opens in {statistics.median(taken):.0f} ms (of 5, the middle)")
            if name == "index":
                print(f"index: sorted in {page.evaluate(SORT):.0f} ms")
        browser.close()


def main(models: int, number: int, place: Path) -> None:
    questions(number, place / "test.jsonl")
    (place / "scale.yaml").write_text(TASK, encoding="utf-8")
    task = read_task(place / "scale.yaml")
    draw = random.Random(1)
    cards = [
        CardFile(
            card=ModelCard.model_validate(
                {
                    "name": f"model-{n:04d}",
                    "title": f"Model {n}",
                    "family": f"family-{n % 9}",
                    "license": "mit",
                    "architecture": "decoder",
                    "parameters": draw.randrange(10**8, 4 * 10**9),
                    "engine": "fake",
                    "settings": {"accuracy": draw.uniform(0.2, 0.7)},
                }
            ),
            path=task.path,
        )
        for n in range(models)
    ]
    cells, _ = plan([task], cards, [Wish(Choices())], data_dir=None, offline=True)
    begin(place / "results")
    start = time.perf_counter()
    for cell in cells:
        work(cell, place / "results", Terms(), Unheard())
    print(f"{models} models x {number} questions answered in {time.perf_counter() - start:.1f} s")
    words = [sys.executable, "-c", BUILD, str(place / "results"), str(place / "site")]
    print(subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip())
    size = sum(path.stat().st_size for path in (place / "site").rglob("*") if path.is_file())
    print(f"site {size / 1e6:.0f} MB")
    look(place / "site")


if __name__ == "__main__":
    amounts = [*map(int, sys.argv[1:3]), 1273][:2]
    if len(sys.argv) > 3:
        main(*amounts, Path(sys.argv[3]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(*amounts, Path(folder))
