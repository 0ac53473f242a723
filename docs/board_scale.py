"""How the board grows: python docs/board_scale.py MODELS [QUESTIONS [FOLDER]] [--tasks N].

Runs are played (docs/played_runs.py), all in this process. Then the site is built in a process of its own,
whose time and memory are measured, and opened in Chromium where that is installed.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path

from played_runs import play
from playwright.sync_api import Browser, Page, sync_playwright

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
LIMIT = """\
(text) => {
  const start = performance.now();
  const memory = document.getElementById("memory");
  memory.value = text;
  memory.dispatchEvent(new Event("change", { bubbles: true }));
  document.body.offsetHeight;
  return performance.now() - start;
}
"""
FIRST = (
    "() => document.querySelector('#heat [data-model], table.board tbody tr').getBoundingClientRect().bottom"
)


def opened(page: Page, path: Path) -> float:
    """Milliseconds until all is loaded and laid out: the middle of five."""
    taken: list[float] = []
    for _ in range(5):
        page.goto(path.as_uri())
        taken.append(page.evaluate(LOOK))
    return statistics.median(taken)


def look(site: Path) -> None:
    """How long pages take in a browser."""
    chromium = shutil.which("chromium")
    if chromium is None:
        print("chromium is not installed, so no page was opened")
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        look_at_index(browser, site / "index.html")
        page = browser.new_page()
        question = min(site.glob("questions/*/[0-9a-f]*.html"))
        task = min(site.glob("tasks/*.html"))
        for name, path in (("a task's page", task), ("a question", question)):
            size = path.stat().st_size / 1e3
            print(f"{name}: {size:.0f} kB, opens in {opened(page, path):.0f} ms (of 5, the middle)")
            if path == task:
                print(f"a task's page: sorted in {page.evaluate(SORT):.0f} ms")
        browser.close()


def look_at_index(browser: Browser, index: Path) -> None:
    """On a desk, and on a telephone whose processor is slowed four times."""
    scripts = sum(path.stat().st_size for path in index.parent.glob("*.js"))
    data = (index.parent / "data" / "choice.js").stat().st_size
    own = index.stat().st_size
    print(f"index: {own / 1e3:.0f} kB, its data {data / 1e3:.0f} kB, all scripts {scripts / 1e3:.0f} kB")
    for width, height, slower in ((1440, 900, 1), (360, 780, 4)):
        page = browser.new_page(viewport={"width": width, "height": height})
        session = page.context.new_cdp_session(page)
        session.send("Emulation.setCPUThrottlingRate", {"rate": slower})
        milliseconds = opened(page, index)
        screens = page.evaluate("document.documentElement.scrollHeight") / height
        first = page.evaluate(FIRST)
        limits = [page.evaluate(LIMIT, text) for text in ("4 GB", "8 GB", "2 GB", "16 GB", "1 GB", "3 GB")]
        print(
            f"index at {width} px, processor {slower} x slower: opens in {milliseconds:.0f} ms, "
            f"a limit in {statistics.median(limits[1:]):.0f} ms (the first in {limits[0]:.0f} ms), "
            f"{screens:.1f} screens, the first model ends at {first:.0f} of {height} px"
        )
        page.close()


def main(models: int, questions: int, tasks: int, place: Path) -> None:
    start = time.perf_counter()
    runs = play(models, [questions] * tasks, place)
    taken = time.perf_counter() - start
    print(f"{models} models x {questions} questions x {tasks} tasks: {runs} runs played in {taken:.1f} s")
    words = [sys.executable, "-c", BUILD, str(place / "results"), str(place / "site")]
    print(subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip())
    size = sum(path.stat().st_size for path in (place / "site").rglob("*") if path.is_file())
    print(f"site {size / 1e6:.0f} MB")
    look(place / "site")


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("models", type=int)
    parser.add_argument("questions", type=int, nargs="?", default=1273)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--tasks", type=int, default=1)
    given = parser.parse_args()
    if given.folder:
        main(given.models, given.questions, given.tasks, given.folder)
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(given.models, given.questions, given.tasks, Path(folder))
