"""The first page of a board of one task shows the rows of a long table that matter, and how many they are."""

from functools import partial
from shutil import copytree

import pytest

from bench.board.board import TaskBoard
from bench.board.frontier import frontiers
from bench.board.leading import leading
from conftest import ROOT
from leaderboard.build import make_site
from leaderboard.pages import Page, renderer
from leaderboard.site import Content, content_of


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> Content:
    results = tmp_path_factory.mktemp("one_task")
    copytree(ROOT / "results" / "medqa_sample", results / "medqa_sample")
    return content_of(make_site(results, []))


@pytest.fixture(scope="module")
def table(content: Content) -> TaskBoard:
    return content.tables["medqa_sample"]


def test_a_short_table_is_whole(table: TaskBoard) -> None:
    assert leading(table) is table


def test_a_long_table_keeps_its_best_rows_the_unbeaten_ones_and_the_baselines(table: TaskBoard) -> None:
    part = leading(table, most=5, best=1)
    kept = {row.result.cell.id for row in part.rows}
    assert table.rows[0].result.cell.id in kept
    assert {row.result.cell.id for row in table.rows if row.result.cell.model.is_baseline} <= kept
    for drawing in frontiers(table):
        assert {point.row.result.cell.id for point in drawing.efficient} <= kept
    assert len(part.rows) < len(table.rows)
    order = [row for row in table.rows if row.result.cell.id in kept]
    assert list(part.rows) == order
    for view, standings in part.by_view.items():
        places = [table.rows.index(row) for row in part.rows]
        assert list(standings) == [table.by_view[view][place] for place in places]


def test_the_first_page_says_how_many_rows_it_shows_and_links_to_all(content: Content) -> None:
    table = content.tables["medqa_sample"]
    part = partial(leading, most=5, best=1)
    content.environment.filters.update({"leading": part})
    render = renderer(content)
    first, own = (render(Page(path, kind)).decode() for path, kind in PAGES)
    number = len(part(table).rows)
    assert f"Below are {number} of {len(table.rows)} rows" in first
    assert f'<a href="tasks/medqa_sample.html">All {len(table.rows)} rows, with drawings</a>' in first
    assert first.count("data-run=") == number
    assert own.count("data-run=") == len(table.rows)
    assert "Below are" not in own


PAGES = ("index.html", "index"), ("tasks/medqa_sample.html", "task")
