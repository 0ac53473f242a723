"""The question explorer in a real browser: filters that combine, search, keys, and a lasting address."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from bench.board.board import TaskBoard
from bench.board.reading import read_board
from bench.results.answers import UNREAD
from browsing import visit
from conftest import ROOT

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def table() -> TaskBoard:
    board, _ = read_board(ROOT / "results", [])
    return next(table for table in board.tasks if table.task.name == "medqa_sample")


def explorer(browser: Browser, site: Path, query: str = "", **options: object) -> tuple[Page, list[str]]:
    page, _, messages = visit(browser, site / "questions" / "medqa_sample" / "index.html", **options)
    if query:
        page.goto(f"{page.url.partition('?')[0]}?{query}")
    return page, messages


def total(page: Page) -> int:
    return int(page.locator("#explorer [role=status]").inner_text().split()[0].replace(",", ""))


def ids(page: Page) -> list[str]:
    return page.locator(".listed a").all_inner_texts()


def expected(table: TaskBoard, holds: Callable[[list[str], str, list[str]], bool]) -> set[str]:
    """The ids of the questions of which it holds: every run's letter, the truth, the models' letters."""
    models = [not row.result.cell.model.is_baseline for row in table.rows]
    records = list(table.rows[0].answers.records())
    wanted: set[str] = set()
    for at, record in enumerate(records):
        letters = [row.answers.chosen[at] for row in table.rows]
        own = [letter for letter, is_model in zip(letters, models, strict=True) if is_model]
        if holds(letters, record.answer_gt, own):
            wanted.add(record.question_id)
    return wanted


def test_filters_combine_and_the_address_keeps_them(browser: Browser, site: Path, table: TaskBoard) -> None:
    page, messages = explorer(browser, site)
    assert total(page) == len(table.rows[0].answers.truth)
    good, bad = table.rows[0].result.cell.id[:10], table.rows[-1].result.cell.id[:10]
    page.select_option("[name=right]", good)
    page.select_option("[name=wrong]", bad)
    page.fill("[name=most]", "5")
    wanted = expected(
        table,
        lambda letters, truth, _: (
            letters[0] == truth and letters[-1] != truth and sum(letter == truth for letter in letters) <= 5
        ),
    )
    assert 0 < len(wanted) < 50
    assert set(ids(page)) == wanted
    assert total(page) == len(wanted)
    again, _ = explorer(browser, site, page.url.partition("?")[2])
    assert ids(again) == ids(page)
    again.click("text=Remove all filters")
    expect(again).not_to_have_url(re.compile(r"\?"))
    assert total(again) == len(table.rows[0].answers.truth)
    assert messages == []


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("group=x", "There is no subject named x here; all are shown."),
        ("right=a", "There is no run named a here; all are shown."),
        ("least=many", "In the address, least cannot be many; all are shown."),
        (
            "same=yes&most=999",
            "In the address, most cannot be 999; all are shown. In the address, same cannot be ",
        ),
    ],
)
def test_what_the_address_asks_in_vain_is_said(
    browser: Browser, site: Path, table: TaskBoard, query: str, words: str
) -> None:
    page, messages = explorer(browser, site, query)
    assert page.locator("#problem").inner_text().startswith(words)
    assert total(page) == len(table.rows[0].answers.truth)
    page.check("[name=unread]")
    assert page.locator("#problem").is_hidden()
    assert messages == []


def test_questions_that_some_run_left_unread_are_chosen(
    browser: Browser, site: Path, table: TaskBoard
) -> None:
    page, _ = explorer(browser, site)
    page.check("[name=unread]")
    unread = expected(table, lambda letters, _truth, _models: UNREAD in letters)
    assert total(page) == len(unread) > 0
    page.fill("[name=most]", "0")
    page.fill("[name=least]", "1")
    assert "widen or remove a filter" in page.locator("#explorer [role=status]").inner_text()
    assert page.locator("canvas").is_hidden()


def test_questions_that_all_models_got_wrong_in_one_way_are_chosen(
    browser: Browser, site: Path, tmp_path: Path
) -> None:
    """On a copy whose models all answer A, and whose baselines differ."""
    for folder in ("questions", "data"):
        shutil.copytree(site / folder, tmp_path / folder)
    for path in (*site.glob("*.css"), *site.glob("*.js")):
        shutil.copy(path, tmp_path)
    answers = tmp_path / "data" / "answers" / "medqa_sample.js"
    head, _, text = answers.read_text(encoding="utf-8").partition(" = ")
    value = json.loads(text.rstrip(";\n"))
    for run in value["runs"]:
        run[2] = run[2] if run[3] else "A" * len(value["truth"])
    answers.write_text(f"{head} = {json.dumps(value)};", encoding="utf-8")
    page, _ = explorer(browser, tmp_path)
    page.check("[name=same]")
    assert total(page) == sum(letter != "A" for letter in value["truth"])


def test_a_search_looks_in_questions_and_options(browser: Browser, site: Path, table: TaskBoard) -> None:
    page, messages = explorer(browser, site)
    word = "potassium"
    records = list(table.rows[0].answers.records())
    wanted = [
        record.question_id
        for record in records
        if word in " ".join((record.question, *record.options)).casefold()
    ]
    assert wanted
    page.keyboard.press("/")
    page.keyboard.type(word.upper())
    page.wait_for_selector(".listed p")
    assert sorted(ids(page)) == sorted(wanted)
    again, _ = explorer(browser, site, f"search={word}")
    again.wait_for_selector(".listed p")
    assert ids(again) == ids(page)
    assert messages == []


def test_keys_choose_a_question_and_open_it(browser: Browser, site: Path) -> None:
    page, _ = explorer(browser, site)
    first, second = ids(page)[:2]
    page.focus("canvas")
    assert page.locator(".chosen a").inner_text() == first
    page.keyboard.press("ArrowRight")
    assert page.locator(".chosen a").inner_text() == second
    assert page.locator("canvas").get_attribute("aria-valuenow") == "2"
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text(f"{second} ")
    page.keyboard.press("ArrowRight")
    expect(page.locator("h1")).not_to_contain_text(second)


def test_the_matrix_shows_what_is_right_and_a_click_chooses(
    browser: Browser, site: Path, table: TaskBoard
) -> None:
    page, _ = explorer(browser, site, viewport={"width": 1440, "height": 900})
    pixels = page.evaluate(
        """() => {
          const canvas = document.querySelector("canvas");
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, 14);
          const colours = new Set();
          for (let at = 0; at < data.length; at += 4) colours.add(data.slice(at, at + 3).join());
          return [...colours];
        }"""
    )
    assert {"23,105,47", "227,222,214"} <= set(pixels)
    assert page.locator(".names li").count() == len(table.rows)
    page.click("canvas", position={"x": 100, "y": 5})
    assert page.locator("canvas").get_attribute("aria-valuenow") not in (None, "1")


def test_a_run_s_page_leads_to_its_right_and_wrong_questions(
    browser: Browser, site: Path, table: TaskBoard
) -> None:
    row = table.rows[0]
    page, _, _ = visit(browser, site / "runs" / f"{row.run.folder}.html")
    assert page.locator("main a").count() < 50
    page.click("main a:has-text('wrong (')")
    page.wait_for_selector("#explorer:not([hidden])")
    rate = row.result.metrics.accuracy
    assert total(page) == rate.total - rate.correct


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_explorer_is_accessible_and_fits_a_phone(browser: Browser, site: Path, scheme: str) -> None:
    page, _ = explorer(browser, site, "most=3", color_scheme=scheme, viewport={"width": 360, "height": 780})
    audit = Axe().run(page)
    assert audit.violations_count == 0, audit.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_without_scripts_the_lists_are_there(browser: Browser, site: Path) -> None:
    page, _ = explorer(browser, site, java_script_enabled=False)
    assert page.locator("#explorer").is_hidden()
    assert page.locator("article").count() == 50
