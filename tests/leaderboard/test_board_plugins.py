"""What an installed package adds to the board: columns and pages."""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from outside import install as install_package

Bench = Callable[..., Result]
Install = Callable[..., None]

COLUMNS = """\
from bench.board.column import Column, Columns

WORDS = Columns(
    (
        Column(
            "words",
            "Words asked",
            lambda row: 7 * row.result.metrics.accuracy.total,
            lambda row: f"{7 * row.result.metrics.accuracy.total} words",
            number=True,
            highest_first=True,
        ),
        Column("never", "Never known", lambda row: None, optional=True),
    )
)
TWICE = Columns((Column("accuracy", "Accuracy", lambda row: 1.0),))
"""

PAGES = """\
from leaderboard.pages import PageKind

TEXT = '{% extends "base.html" %}{% block main %}{{ title }} has {{ rows|length }} rows{% endblock %}'


def paths(content):
    return [f"notes/{task}.html" for task in content.tables]


def render(content, path):
    [table] = content.tables.values()
    template = content.environment.from_string(TEXT)
    return content.render(template, path, title=table.task.title, rows=table.rows)


NOTES = PageKind(paths, render)
INDEX = PageKind(lambda content: ["index.html"], render)
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a package on the path: the text of its module `extras`, and its entry points."""

    def put(module: str, group: str, **points: str) -> None:
        install_package(tmp_path / "site-packages", monkeypatch, {group: points}, module)

    return put


@pytest.fixture
def results(bench: Bench, anatomy: Path, project: Path) -> Path:
    assert bench("run", "-m", "family:baseline", "-t", "anatomy").exit_code == 0
    return project / "results"


def test_a_column_of_another_package_is_in_the_csv_the_terminal_and_the_page(
    bench: Bench, results: Path, install: Install
) -> None:
    install(COLUMNS, "bench.columns", words="extras:WORDS")
    [*rows] = csv.DictReader(io.StringIO(bench("export", "csv").stdout))
    assert [row["words"] for row in rows] == ["21", "21", "21"]
    assert list(rows[0])[-2:] == ["run", "words"]
    assert [row["words"] for row in json.loads(bench("export", "json").stdout)] == [21, 21, 21]
    shown = bench("leaderboard", "show").stdout
    assert "words asked" in shown
    assert shown.count("21 words") == 3
    assert bench("leaderboard", "build").exit_code == 0
    index = Path("site/tasks/anatomy.html").read_text(encoding="utf-8")
    [head] = re.findall(r'<th scope="col" data-name="words"[^>]*>.*?</th>', index)
    assert 'data-key="words" data-first="down"' in head
    assert "<span>Words asked</span>" in head
    assert "measured.html" not in head, "only our own columns are explained there"
    cell = '<td class="number" data-label="Words asked" data-value="21">21 words</td>'
    assert index.count(cell) == 3
    assert "never" not in rows[0]
    assert "never known" not in shown
    assert "Never known" not in index
    assert '"words": 21' in Path("site/data/anatomy.json").read_text(encoding="utf-8")
    assert re.search(r'"words":21\b', Path("site/data/anatomy.js").read_text(encoding="utf-8"))


def test_two_columns_of_one_name_are_refused(bench: Bench, results: Path, install: Install) -> None:
    install(COLUMNS, "bench.columns", twice="extras:TWICE")
    said = bench("leaderboard", "show")
    assert said.exit_code == 1
    assert "2 columns are named 'accuracy'" in said.stderr


def test_a_page_of_another_package_is_in_the_site(
    bench: Bench, results: Path, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(PAGES, "bench.pages", notes="extras:NOTES")
    assert bench("leaderboard", "build").exit_code == 0
    page = Path("site/notes/anatomy.html").read_text(encoding="utf-8")
    assert "Anatomy has 3 rows" in page
    assert 'href="../style.css"' in page
    # So it is where several processes render.
    monkeypatch.setattr("bench.results.answers.MANY", 2)
    assert bench("leaderboard", "build", "--out", "again").exit_code == 0
    assert Path("again/notes/anatomy.html").read_text(encoding="utf-8") == page


def test_two_pages_of_one_path_are_refused(bench: Bench, results: Path, install: Install) -> None:
    install(PAGES, "bench.pages", other="extras:INDEX")
    said = bench("leaderboard", "build")
    assert said.exit_code == 1
    assert "two kinds of page have the path index.html: index and other" in said.stderr
    assert not Path("site").exists()
