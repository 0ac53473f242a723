"""The overview in a real browser: it answers as the terminal does, and hides no model."""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page
from sealing import reseal

from bench.board.choice import CheapestOfBest, Choice, choose
from bench.board.choice_words import sentence, support, to_measure
from bench.board.limits import Limits
from browsing import visit
from conftest import ROOT
from leaderboard.build import make_site
from leaderboard.pages import pages_of, renderer
from leaderboard.site import Content, content_of

sys.path.insert(0, str(ROOT / "docs"))
from played_runs import play

pytestmark = pytest.mark.browser
KINDS = {"index", "static", "choice"}
"""Of all pages, these are written."""


@dataclass(frozen=True)
class Played:
    """An overview of played runs, and what it was made from."""

    content: Content
    index: Path

    def choice(self, limits: Limits = Limits(), without: str = "") -> Choice:  # noqa: B008 (frozen)
        board = self.content.site.board
        weights = {name: weight for name, weight in board.measured.items() if name != without}
        return choose([self.content.tables[name] for name in weights], weights, limits)


def played(folder: Path, models: int, questions: int, tasks: int) -> Played:
    play(models, [questions] * tasks, folder)
    return written(folder / "results", folder / "site")


def written(results: Path, out: Path) -> Played:
    """The overview of these runs, without the other pages."""
    content = content_of(make_site(results, []))
    render = renderer(content)
    for page in pages_of(content):
        if page.kind in KINDS:
            (out / page.path).parent.mkdir(parents=True, exist_ok=True)
            (out / page.path).write_bytes(render(page))
    return Played(content, out / "index.html")


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """40 models on 8 tasks."""
    return played(tmp_path_factory.mktemp("board"), 40, 60, 8)


def opened(browser: Browser, board: Played, query: str = "", **options: object) -> Page:
    """The overview with its drawing, which comes last."""
    page = browser.new_page(**options)
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.goto(board.index.as_uri() + query)
    page.locator(".across a").first.wait_for(state="attached")
    assert messages == []
    return page


def rows_of(page: Page) -> dict[str, list[str]]:
    """The shown models of each group, in their order."""
    script = """() => Object.fromEntries([...document.querySelectorAll("#heat tbody:not([hidden])")].map(
        (body) => [body.id, [...body.querySelectorAll("[data-model] th a")].map(({ text }) => text)]))"""
    return page.evaluate(script)


def titles(models: tuple[object, ...]) -> list[str]:
    candidates = [getattr(each, "candidate", each) for each in models]
    return [each.first.cell.model.title for each in candidates]


def test_without_scripts_the_answers_for_usual_limits_are_those_of_the_terminal(
    browser: Browser, board: Played
) -> None:
    page, _, _ = visit(browser, board.index, java_script_enabled=False)
    assert page.locator("#answer").inner_text() == sentence(board.choice())
    presets = page.locator("noscript li").all_inner_texts()
    limits = [Limits(memory=gb * 10**9) for gb in (4, 8, 16)]
    assert [text.partition(". ")[2] for text in presets] == [sentence(board.choice(each)) for each in limits]
    assert page.locator("#fit").is_hidden()
    assert page.locator("#heat [data-model]:visible").count() == 42
    assert page.locator("#heat .task a:visible").count() == 8
    assert page.locator("#heat thead button, .scripted:visible").count() == 0


LIMITS: Mapping[str, Limits] = {
    "": Limits(),
    "?memory=4+GB": Limits(memory=4 * 10**9),
    "?memory=2&within=300": Limits(memory=2 * 10**9, p50=0.3),
    "?memory=600+MB": Limits(memory=600 * 10**6),
    "?memory=10+MB": Limits(memory=10**7),
    "?within=1.5+s&licence=permissive": Limits(p50=1.5, licence="permissive"),
    "?disk=1+GiB&licence=community": Limits(disk=2**30, licence="community"),
}


@pytest.mark.parametrize("query", LIMITS)
@pytest.mark.parametrize("without", ["", "scale_03"])
def test_an_address_gives_the_answer_and_the_groups_of_the_terminal(
    browser: Browser, board: Played, query: str, without: str
) -> None:
    state = query + ("&" if query else "?") + f"without={without}" if without else query
    page = opened(browser, board, state)
    choice = board.choice(LIMITS[query], without)
    assert page.locator("#answer").inner_text() == sentence(choice)
    told = [page.locator("#because").inner_text(), *page.locator("#why li").all_text_contents()]
    assert [text for text in told if text] == support(choice)
    gaps = page.locator("#gaps li").all_text_contents()
    assert gaps == [f"{what}: {command}" for what, command in to_measure(choice)]
    rows = rows_of(page)
    excluded = titles(tuple(candidate for candidate, _ in choice.excluded))
    for group in ("fitting", "beyond", "unclear"):
        assert rows.get(group, []) == titles(getattr(choice, group)) + (excluded if group == "beyond" else [])
        if group in rows:
            assert page.locator(f"#{group} .group").inner_text().startswith(f"{len(rows[group])} ")
    assert set(rows.get("holes", [])) >= set(titles(choice.holes))
    assert sum(map(len, rows.values())) == 42
    chosen = page.locator("#heat .chosen th a").all_inner_texts()
    assert chosen == page.locator("#answer b").all_inner_texts() or chosen[0] in sentence(choice)


def test_typing_limits_and_leaving_out_tasks_changes_the_answer_and_the_address(
    browser: Browser, board: Played
) -> None:
    page = opened(browser, board)
    page.click("text=4 GB")
    assert page.locator("#memory").input_value() == "4 GB"
    assert page.locator("#answer").inner_text() == sentence(board.choice(Limits(memory=4 * 10**9)))
    page.fill("#within", "200 ms")
    limits = Limits(memory=4 * 10**9, p50=0.2)
    assert page.locator("#answer").inner_text() == sentence(board.choice(limits))
    task = page.get_by_role("button", name="Anatomy", exact=True)
    task.press("Enter")
    assert task.get_attribute("aria-pressed") == "false"
    assert page.locator("#answer").inner_text() == sentence(board.choice(limits, "scale_04"))
    assert "memory=4+GB&within=200+ms&without=scale_04" in page.url
    again = opened(browser, board, "?" + page.url.partition("?")[2])
    assert again.locator("#answer").inner_text() == page.locator("#answer").inner_text()
    assert rows_of(again) == rows_of(page)
    page.click("text=No limits")
    assert page.locator("#answer").inner_text() == sentence(board.choice())
    assert "?" not in page.url
    assert page.locator("#heat td.left").count() == 0


def test_what_is_over_is_marked_by_a_sign_and_what_may_be_best_by_an_outline(
    browser: Browser, board: Played
) -> None:
    page = opened(browser, board, "?memory=4+GB&within=500+ms")
    choice = board.choice(Limits(memory=4 * 10**9, p50=0.5))
    over = sum(len(each.over) for each in choice.beyond) + sum(len(words) for _, words in choice.excluded)
    assert page.locator("#beyond .over").count() == over > 0
    assert page.locator("#fitting .over").count() == 0
    content = "cell => getComputedStyle(cell, '::before').content"
    assert "▲" in page.locator("#beyond .over >> nth=0").evaluate(content)
    assert "?" in page.locator("#unclear .missing >> nth=0").evaluate(content)
    assert isinstance(choice.answer, CheapestOfBest)
    tied = 1 + len(choice.answer.others) + len(choice.answer.unproven)
    assert page.locator("#heat .tied").count() == tied
    assert page.locator("#beyond th").first.evaluate("head => getComputedStyle(head).opacity") == "1"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?memory=4+potatoes", "Memory: '4 potatoes' is not a limit; write a number above 0 with its unit"),
        ("?within=-5", "One answer within: '-5' is not a limit"),
        ("?licence=gpl", "There is no licence named gpl here; all are shown."),
        ("?machine=nonsense", "There is no machine named nonsense here; all are shown."),
        ("?without=nothing", "There is no task named nothing here; it is ignored."),
        ("?axis=price", "There is no cost named price here; the first is drawn."),
    ],
)
def test_what_cannot_be_read_is_told_and_limits_nothing(
    browser: Browser, board: Played, query: str, words: str
) -> None:
    page = opened(browser, board, query)
    assert words in page.locator("[role=alert]").inner_text()
    assert page.locator("#answer").inner_text() == sentence(board.choice())
    assert page.locator("#fit [aria-invalid=true]").count() == ("is not a limit" in words)
    page.click("text=4 GB")
    assert page.locator("[role=alert]").is_hidden() == (
        "One answer within" not in words
    )  # that is still wrong


def test_the_last_task_stays_in(browser: Browser, board: Played) -> None:
    page = opened(browser, board)
    for button in page.locator("#heat thead button").all():
        button.click()
    without = ",".join(board.content.tables)
    for each in (page, opened(browser, board, f"?without={without}")):
        assert each.locator("#heat thead [aria-pressed=true]").count() == 1
        assert each.locator("[role=alert]").inner_text() == "At least one task has to stay in."


@pytest.mark.parametrize("memory", ["4", "4GB", "4000 MB"])
def test_a_limit_presses_the_button_that_means_the_same(browser: Browser, board: Played, memory: str) -> None:
    page = opened(browser, board, f"?memory={memory}")
    assert page.locator("#fit [aria-pressed=true]").all_inner_texts() == ["4\u00a0GB"]


@pytest.mark.parametrize(("width", "height", "most"), [(1440, 900, 3), (360, 780, 4)])
def test_answer_and_first_model_are_on_the_first_screen_of_a_short_page(
    browser: Browser, board: Played, width: int, height: int, most: int
) -> None:
    for query in ("", "?memory=4+GB&within=500+ms"):
        page = opened(browser, board, query, viewport={"width": width, "height": height})
        for shown in ("#answer", "#fitting [data-model] >> nth=0"):
            box = page.locator(shown).bounding_box()
            assert box is not None
            assert box["y"] + box["height"] <= height
        assert page.evaluate("document.documentElement.scrollHeight") <= most * height
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert board.index.stat().st_size < 300_000


SMALL = """() => [...document.querySelectorAll("body *")].filter((each) => {
    const box = each.getBoundingClientRect();
    const own = [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const scale = each.ownerSVGElement ? each.ownerSVGElement.getScreenCTM().a : 1;
    return own && box.width > 1 && parseFloat(getComputedStyle(each).fontSize) * scale < 11;
}).map((each) => each.outerHTML)"""


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("width", [360, 768, 1440])
def test_no_text_is_smaller_than_eleven_pixels(
    browser: Browser, board: Played, width: int, scripts: bool
) -> None:
    options = {"viewport": {"width": width, "height": 800}, "java_script_enabled": scripts}
    page, _, _ = visit(browser, board.index, **options)
    if scripts:
        assert page.evaluate(SMALL) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 768, 360])
def test_axe_finds_nothing_with_a_limit_and_a_task_left_out(
    browser: Browser, board: Played, width: int, scheme: str
) -> None:
    query = "?memory=4+GB&within=500+ms&disk=x&licence=permissive&without=scale_02"
    page = opened(browser, board, query, viewport={"width": width, "height": 900}, color_scheme=scheme)
    audit = Axe().run(page)
    assert audit.violations_count == 0, audit.generate_report()


def test_every_tab_stop_is_visible_on_a_small_screen(browser: Browser, board: Played) -> None:
    page = opened(browser, board, "?memory=4+GB", viewport={"width": 640, "height": 900})
    seen: list[str] = []
    for _ in range(120):
        page.keyboard.press("Tab")
        script = """() => { const each = document.activeElement, box = each.getBoundingClientRect();
            return [each === document.body ? "" : each.outerHTML.slice(0, 80), box.width, box.height] }"""
        html, width, height = page.evaluate(script)
        if not html:
            break
        seen.append(html)
        assert width > 1, html
        assert height > 1, html
    assert len(seen) > 50


BOXES = """texts => texts.map((text) => {
    const box = text.getBBox();
    return [box.x, box.y + 3, box.x + box.width, box.y + box.height - 3];
})"""


def test_a_drawing_names_models_and_goes_from_one_to_the_next(browser: Browser, board: Played) -> None:
    page = opened(browser, board, "?memory=4+GB")
    boxes = page.locator(".across text.name").evaluate_all(BOXES)
    assert len(boxes) > 5
    for (left, top, right, bottom), (x1, y1, x2, y2) in combinations(boxes, 2):
        assert right <= x1 or x2 <= left or bottom <= y1 or y2 <= top
    assert page.locator(".across .within").count() == 1
    page.locator(".across a[tabindex='0']").focus()
    card = page.locator(".across .card")
    first = card.inner_text()
    assert card.is_visible()
    page.keyboard.press("ArrowRight")
    assert card.inner_text() != first
    assert page.locator("#heat .on").count() == 1
    page.select_option(".across select", "p50")
    assert page.locator(".across .within").count() == 0
    assert "axis=p50" in page.url
    names = page.locator(".across a").evaluate_all("links => links.map((link) => link.ariaLabel)")
    assert all(re.search(r"(ms|s)$", name) for name in names)


def test_the_answer_leads_to_the_model_s_page(browser: Browser, board: Played) -> None:
    page = opened(browser, board, "?memory=8+GB")
    link = page.locator("#answer b a").get_attribute("href")
    paths = {each.path for each in pages_of(board.content)}
    assert link in paths
    links = page.locator("#heat th a").evaluate_all(
        "all => all.map((link) => link.getAttribute('href').replace(/#.*/, ''))"
    )
    assert len(links) == 42 + 8 + 6  # models, tasks, and other heads
    assert set(links) <= paths


def test_a_board_of_one_task_shows_its_table_and_notes_what_does_not_fit(
    browser: Browser, tmp_path: Path
) -> None:
    board = played(tmp_path, 6, 80, 1)
    page, _, messages = visit(browser, board.index)
    assert page.locator("#heat").count() == 0
    assert page.locator("table.board tbody tr").count() == 8
    page.fill("#memory", "1 GB")
    choice = board.choice(Limits(memory=10**9))
    assert page.locator("#answer").inner_text() == sentence(choice)
    notes = page.locator("table.board .beyond").all_inner_texts()
    assert notes == [f"over the limits: {', '.join(each.over)}" for each in choice.beyond]
    assert messages == []


def test_the_drawing_of_a_board_of_one_task_follows_its_limits_and_its_filters(
    browser: Browser, tmp_path: Path
) -> None:
    board = played(tmp_path, 6, 80, 1)
    page, _, messages = visit(browser, board.index)
    assert page.locator(".across select").count() == 1
    page.fill("#memory", "1 GB")
    page.locator(".across rect.within").wait_for()
    beyond = board.choice(Limits(memory=10**9)).beyond
    assert page.locator(".across a.over").count() == len(beyond) > 0
    page.get_by_role("searchbox").fill("nothing has this name")
    page.locator(".across a").first.wait_for(state="hidden")
    assert messages == []


def test_a_board_without_latency_says_so(browser: Browser, tmp_path: Path) -> None:
    play(6, [40, 40], tmp_path)
    for path in (tmp_path / "results").rglob("result.json"):
        reseal(path, lambda text: re.sub(r'"alone": \{.*?\}', '"alone": null', text))
    page = opened(browser, written(tmp_path / "results", tmp_path / "site"), "?within=500+ms")
    words = page.locator("[role=alert]").inner_text()
    assert words.startswith("One answer within: it was not measured on this board; bench run with --latency")


def test_an_empty_board_says_how_to_make_a_run(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    page, _, messages = visit(browser, written(tmp_path / "results", tmp_path / "site").index)
    assert "There are no runs yet. bench run --models all makes some." in page.locator("main").inner_text()
    assert page.locator("form").count() == 0
    assert messages == []
