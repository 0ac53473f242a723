"""The page of a task in a browser: its table folds, filters, follows the view, and fits phone and paper."""

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from browsing import SAMPLE, listed, looked_at, task_page, visit

pytestmark = pytest.mark.browser

TABLE = f"{SAMPLE} table.board >> nth=0"
A4 = {"width": 718, "height": 1047}
"""A4 upright less margins of 10 mm, at 96 pixels an inch."""


def shown(page: Page) -> list[str]:
    """The visible rows' run ids."""
    rows = page.locator(TABLE).locator("tbody tr:visible")
    return rows.evaluate_all("rows => rows.map(row => row.dataset.run)")


def first_open(page: Page) -> None:
    page.locator(TABLE).locator("tbody tr:not(.variant) button.open:visible").first.click()


def test_a_model_is_one_row_until_its_variants_are_opened(browser: Browser, site: Path) -> None:
    page, _, messages = visit(browser, task_page(site))
    models = {str(row["model"]) for row in listed(site)}
    assert len(shown(page)) == len(models) < len(listed(site))
    button = page.locator(TABLE).locator("button.open", has_text="+").first
    assert button.get_attribute("aria-expanded") == "false"
    button.focus()
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-expanded") == "true"
    assert len(shown(page)) == len(models) + int(button.inner_text().strip("+"))
    differences = page.locator(TABLE).locator(".variant:visible .difference").all_inner_texts()
    assert differences
    pattern = r"[+−]\d+\.\d points \([+−]\d+\.\d to [+−]\d+\.\d\)"
    assert all(re.fullmatch(pattern, text) for text in differences)
    assert messages == []


def test_folded_rows_are_low_and_heads_and_names_stay(browser: Browser, site: Path) -> None:
    page, _, _ = visit(browser, task_page(site), viewport={"width": 900, "height": 500})
    heights = (
        page.locator(TABLE).locator("tbody tr:visible").evaluate_all("rows => rows.map(r => r.offsetHeight)")
    )
    assert max(heights) <= 76  # a name of two lines, how it was run, and a warning
    assert min(heights) <= 42
    box = page.locator(f"{SAMPLE} .scroll:has(> .board)").first
    box.evaluate(
        "box => { Object.assign(box.style, { maxHeight: '150px', width: '400px' }); box.scrollTo(400, 400) }"
    )
    place = box.bounding_box()
    head = page.locator(f"{SAMPLE} th[data-name=accuracy]").first.bounding_box()
    name = page.locator(TABLE).locator("tbody th:visible").last.bounding_box()
    assert place
    assert head
    assert name
    assert abs(head["y"] - place["y"]) < 3
    assert abs(name["x"] - place["x"]) < 3


@pytest.mark.parametrize("width", [768, 1024, 1216])
def test_a_tablet_shows_all_columns_without_scrolling(browser: Browser, site: Path, width: int) -> None:
    page, _, _ = visit(browser, task_page(site), viewport={"width": width, "height": 900})
    box = page.locator(f"{SAMPLE} .scroll:has(> .board)").first
    assert box.evaluate("box => box.scrollWidth - box.clientWidth") == 0


def test_no_name_in_the_drawing_lies_over_a_whisker(browser: Browser, site: Path) -> None:
    page, _, _ = visit(browser, task_page(site))
    boxes = page.locator(f"{SAMPLE} figure svg").first.evaluate(
        """svg => ["text.name", "a path"].map(kind => [...svg.querySelectorAll(kind)].map(part => {
             const { x, y, width, height } = part.getBBox();
             return [x, y, x + width, y + height];
           }))"""
    )
    names, whiskers = boxes
    assert names
    assert whiskers
    for left, top, right, bottom in names:
        for x, high, _, low in whiskers:
            assert not (left < x < right and top < low and bottom > high)


def test_another_view_leaves_no_sentence_of_the_old_one(browser: Browser, site: Path) -> None:
    page, _, _ = visit(browser, task_page(site))
    headline = page.locator(f"{SAMPLE} .headline:visible")
    drawing = page.locator(f"{SAMPLE} figure svg").first
    before, drawn = headline.inner_text(), drawing.inner_html()
    title = page.locator(f"#{'medqa_sample-view'} option:checked").inner_text()
    said = page.locator(f"{SAMPLE} [data-view-title]").all_inner_texts()
    assert set(said) == {title}
    page.select_option("#medqa_sample-view", "text")
    now = page.locator("#medqa_sample-view option:checked").inner_text()
    assert now != title
    assert set(page.locator(f"{SAMPLE} [data-view-title]").all_inner_texts()) == {now}
    assert headline.count() == 1
    assert headline.get_attribute("data-of-view") == "text"
    expect(drawing).not_to_have_js_property("innerHTML", drawn)
    assert now in page.locator(f"{SAMPLE} caption").first.inner_text()
    again = browser.new_page()
    again.goto(page.url)
    assert again.locator(f"{SAMPLE} .headline:visible").inner_text() == headline.inner_text()
    page.select_option("#medqa_sample-view", "letter")
    assert headline.inner_text() == before


def test_differences_of_variants_follow_the_view(browser: Browser, site: Path) -> None:
    page, _, _ = visit(browser, task_page(site))
    lines = page.locator(TABLE).locator(".difference")
    before = lines.all_text_contents()
    page.select_option("#medqa_sample-view", "text")
    assert sorted(lines.all_text_contents()) != sorted(before)


def test_a_search_keeps_what_has_its_words_and_is_in_the_address(browser: Browser, site: Path) -> None:
    page, _, _ = visit(browser, task_page(site))
    page.fill(f"{SAMPLE} input[type=search]", "  MAJority ")
    names = page.locator(TABLE).locator("tbody th:visible .line").all_inner_texts()
    assert names == ["Majority letter"]
    assert "medqa_sample.text=" in page.url
    again = browser.new_page()
    again.goto(page.url)
    assert shown(again) == shown(page)
    assert "1 of " in again.locator(f"{SAMPLE} [role=status]").first.inner_text()


def test_filters_that_leave_nothing_say_so_and_reach_the_drawing(browser: Browser, site: Path) -> None:
    page, _, _ = visit(browser, task_page(site))
    figure = page.locator(f"{SAMPLE} figure.across").first
    assert figure.is_visible()
    page.fill(f"{SAMPLE} input[type=search]", "no such model")
    assert page.locator(TABLE).is_hidden()
    assert "No model has search “no such model”" in page.locator(f"{SAMPLE} .nothing").inner_text()
    figure.wait_for(state="hidden")
    page.click("text=Show all models")
    assert page.locator(TABLE).is_visible()
    assert page.locator(f"{SAMPLE} .nothing").is_hidden()
    figure.wait_for(state="visible")
    assert page.evaluate("document.activeElement.name") == "text"


def test_a_variant_that_fits_is_shown_where_its_model_s_best_does_not(browser: Browser, site: Path) -> None:
    rows = {str(row["run"]): row for row in listed(site)}
    best: dict[object, str] = {}
    for run, row in rows.items():
        best.setdefault(row["model"], run)
    page, _, _ = visit(browser, task_page(site))
    precisions = page.locator("#medqa_sample-precision option").evaluate_all("all => all.map(o => o.value)")
    for precision in filter(None, precisions):
        page.select_option("#medqa_sample-precision", precision)
        fits = (
            page.locator(TABLE)
            .locator("tbody tr")
            .evaluate_all(
                "(rows, word) => rows.filter(r => r.dataset.precision === word).map(r => r.dataset.run)",
                precision,
            )
        )
        visible = shown(page)
        assert set(visible) <= set(fits)
        assert {rows[run]["model"] for run in visible} == {rows[run]["model"] for run in fits}
        accuracies = [rows[run]["accuracy"] for run in visible]
        tops = [accuracy for run, accuracy in zip(visible, accuracies, strict=True) if run in best.values()]
        assert tops == sorted(tops, reverse=True)


def test_columns_are_chosen_and_the_choice_is_in_the_address(browser: Browser, site: Path) -> None:
    page, _, _ = visit(browser, task_page(site))
    disk, licence = (
        page.locator(f"{SAMPLE} th[data-name={name}]").first for name in ("weights_on_disk_bytes", "licence")
    )
    assert disk.is_hidden()
    assert licence.is_visible()
    page.click(f"{SAMPLE} .chooser summary")
    page.check(f"{SAMPLE} .chooser label:has-text('On disk') input")
    page.uncheck(f"{SAMPLE} .chooser label:has-text('Licence') input")
    assert disk.is_visible()
    assert licence.is_hidden()
    again = browser.new_page()
    again.goto(page.url)
    assert again.locator(f"{SAMPLE} th[data-name=weights_on_disk_bytes]").first.is_visible()
    assert again.locator(f"{SAMPLE} th[data-name=licence]").first.is_hidden()


def test_ticked_rows_lead_to_their_comparison(browser: Browser, site: Path) -> None:
    page, _, _ = visit(browser, task_page(site))
    page.locator(TABLE).locator("button.open", has_text="+").first.click()
    boxes = page.locator(TABLE).locator("tr:visible .tick")
    boxes.nth(0).check()
    assert page.locator(f"{SAMPLE} .tray a").is_hidden()
    for at in range(1, 5):
        boxes.nth(at).check()
    assert boxes.nth(5).is_disabled()
    address = page.locator(f"{SAMPLE} .tray a").get_attribute("href") or ""
    runs = ",".join(run[:10] for run in shown(page)[:5])
    assert address == f"../compare.html?runs={runs}&task=medqa_sample"
    page.click(f"{SAMPLE} .tray button")
    assert page.locator(f"{SAMPLE} .tray").is_hidden()
    assert boxes.nth(5).is_enabled()


def test_the_narrow_menu_shows_the_address_s_order_and_turns_it(browser: Browser, site: Path) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto(f"{task_page(site).as_uri()}?medqa_sample.sort=-memory")
    assert page.locator("#medqa_sample-order").input_value() == "memory"
    down = shown(page)
    page.click(f"{SAMPLE} .narrow-only button")
    assert "sort=memory" in page.url
    rows = {str(row["run"]): row for row in listed(site)}
    sizes = [rows[run]["peak_memory_bytes"] for run in shown(page)]
    assert sizes == sorted(sizes)
    assert shown(page) == down[::-1]
    page.select_option("#medqa_sample-order", "")
    assert "sort" not in page.url


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("view", "view named x here; answers are read by "),
        ("sort", "column named x here; the rows are as ranked."),
        ("columns", "column named x here; it is ignored."),
        ("precision", "precision named x here; all are shown."),
    ],
)
def test_what_the_address_asks_of_a_table_in_vain_is_said(
    browser: Browser, site: Path, key: str, words: str
) -> None:
    page, _, messages = visit(browser, task_page(site))
    usual = shown(page)
    page.goto(f"{page.url.partition('?')[0]}?medqa_sample.{key}=x")
    assert page.locator("#problem").inner_text().startswith(f"There is no {words}")
    assert shown(page) == usual
    assert messages == []


def test_a_line_on_a_phone_opens_in_place_by_touch_and_by_keyboard(browser: Browser, site: Path) -> None:
    page, _, _ = visit(browser, task_page(site), viewport={"width": 360, "height": 800}, has_touch=True)
    line = page.locator(TABLE).locator("tbody tr:visible").first
    memory = line.locator("td[data-label='Peak memory']")
    assert memory.is_hidden()
    assert "%" in line.locator("td[data-label=Accuracy]").inner_text()
    assert line.locator("td.rank").is_visible()
    line.locator("td.rank").tap()
    assert memory.is_visible()
    button = line.locator("button.open")
    assert button.get_attribute("aria-expanded") == "true"
    button.focus()
    page.keyboard.press("Space")
    assert memory.is_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


TAB_STOPS = """() => {
  const stops = [...document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']")];
  const hidden = (stop) => {
    if (stop.disabled || stop.tabIndex < 0 || stop.classList.contains("skip")) return false;
    if (!stop.checkVisibility({ visibilityProperty: true })) return false; // not a stop at all
    const { width, height } = stop.getBoundingClientRect();
    for (let part = stop; part; part = part.parentElement) {
      const { clipPath, opacity } = getComputedStyle(part);
      if (clipPath === "inset(50%)" || opacity === "0") return true;
    }
    return width < 2 || height < 2;
  };
  return stops.filter(hidden).map((stop) => stop.outerHTML.slice(0, 120));
}"""


def test_every_tab_stop_is_visible_on_a_narrow_screen(browser: Browser, site: Path) -> None:
    for path in looked_at(site):
        page, _, _ = visit(browser, path, viewport={"width": 640, "height": 900})
        page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        assert page.evaluate(TAB_STOPS) == [], path
        page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 768, 360])
def test_axe_finds_nothing_in_opened_rows(browser: Browser, site: Path, scheme: str, width: int) -> None:
    size = {"width": width, "height": 900}
    page, _, _ = visit(browser, task_page(site), color_scheme=scheme, viewport=size)
    for at in (1, 0):
        page.locator(TABLE).locator("tr:not(.variant) button.open").nth(at).click()
    page.locator(TABLE).locator("tr:visible .tick:visible").first.check()
    page.click(f"{SAMPLE} .chooser summary")
    audit = Axe().run(page)
    assert audit.violations_count == 0, audit.generate_report()


def test_without_scripts_every_row_and_column_can_be_read(browser: Browser, site: Path) -> None:
    page, _, _ = visit(browser, task_page(site), java_script_enabled=False)
    assert len(shown(page)) == len(listed(site))
    assert page.locator(TABLE).locator(".difference:visible").count() == len(listed(site)) - len(
        {row["model"] for row in listed(site)}
    )
    assert page.locator(f"{SAMPLE} th[data-name=weights_on_disk_bytes]").first.is_visible()
    assert page.locator(f"{SAMPLE} .headline:visible").count() == 1


def test_paper_shows_the_table_uncut(browser: Browser, site: Path, tmp_path: Path) -> None:
    for task, most in (("medqa", 4), ("medqa_sample", 5)):
        page, _, _ = visit(browser, site / "tasks" / f"{task}.html", viewport=A4)
        page.emulate_media(media="print")
        table = page.locator("table.board").first
        assert table.evaluate("table => getComputedStyle(table).display") == "table"
        assert table.locator("thead th[data-name=licence]").is_visible()
        edges = table.locator("tr:visible > :visible").evaluate_all(
            "all => all.map(e => e.getBoundingClientRect().right)"
        )
        assert max(edges) <= A4["width"]
        assert page.evaluate("document.documentElement.scrollWidth") <= A4["width"]
        page.pdf(path=tmp_path / "page.pdf", format="A4", prefer_css_page_size=True)
        assert len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "page.pdf").read_bytes())) <= most
        page.close()
