"""What the tests in a browser share: one page of each kind, and how a page is opened and read.

The fixtures `browser` and `site` are in `tests/conftest.py`.
"""

import json
from pathlib import Path

from playwright.sync_api import Browser, Page

SAMPLE = "section[data-task=medqa_sample]"
"""Of the task's page."""


def run_page(site: Path) -> Path:
    return min(site.glob("runs/medqa_sample/smollm2-*/*.html"))


def task_page(site: Path) -> Path:
    return site / "tasks" / "medqa_sample.html"


def looked_at(site: Path) -> tuple[Path, ...]:
    """One page of every kind."""
    questions = site / "questions" / "medqa_sample"
    own = min(path for path in questions.iterdir() if not path.name.startswith(("index", "list")))
    model = site / "models" / "smollm2-135m-instruct-q4_1.html"
    lists = questions / "index.html", questions / "list-1.html"
    tables = site / "index.html", site / "tasks.html", task_page(site)
    return *tables, run_page(site), model, site / "compare.html", site / "measured.html", *lists, own


def visit(browser: Browser, page: Path, **options: object) -> tuple[Page, list[str], list[str]]:
    """Open a page from the disk; returns it, what it requested, and messages and errors of its scripts."""
    asked: list[str] = []
    messages: list[str] = []
    opened = browser.new_page(**options)
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("console", lambda message: messages.append(message.text))
    opened.on("pageerror", lambda error: messages.append(str(error)))
    opened.goto(page.as_uri())
    return opened, asked, messages


def listed(site: Path) -> list[dict[str, object]]:
    """The rows of the sample's data, in the order of the table."""
    return json.loads((site / "data" / "medqa_sample.json").read_text(encoding="utf-8"))
