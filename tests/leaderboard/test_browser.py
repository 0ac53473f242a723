"""The page in a real browser: nothing is loaded from elsewhere, and everybody can read it."""

import csv
import hashlib
import io
import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from sealing import sealed

from browsing import SAMPLE, listed, looked_at, task_page, visit
from conftest import ROOT
from leaderboard.build import make_site, write_site

pytestmark = pytest.mark.browser


def run_of(site: Path) -> Path:
    """The page of the only run."""
    [page] = site.rglob("runs/**/*.html")
    return page


def test_a_page_opens_from_the_disk_with_its_style_and_asks_nobody(browser: Browser, site: Path) -> None:
    for path in looked_at(site):
        page, asked, messages = visit(browser, path)
        assert all(url.startswith("file://") for url in asked)
        assert messages == []
        assert (
            page.evaluate("getComputedStyle(document.querySelector('.brand')).textDecorationLine") == "none"
        )
        page.close()


def test_a_page_works_from_a_server_under_a_path(browser: Browser, site: Path) -> None:
    handler = partial(SimpleHTTPRequestHandler, directory=str(site.parent))
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = browser.new_page()
        answered: dict[str, int] = {}
        page.on("response", lambda response: answered.update({response.url: response.status}))
        page.goto(f"http://127.0.0.1:{server.server_port}/site/tasks/medqa_sample.html")
        page.click(f"{SAMPLE} table.board tbody a >> nth=0")
        assert page.locator("h1").count() == 1
        page.click("nav.trail a")
        assert page.url.endswith("/site/tasks/medqa_sample.html")
        assert any(url.endswith(".css") for url in answered)
        assert {url: status for url, status in answered.items() if status >= 400} == {}
        server.shutdown()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 768, 360])
def test_axe_finds_nothing(browser: Browser, site: Path, scheme: str, width: int) -> None:
    for path in looked_at(site):
        page, _, _ = visit(browser, path, color_scheme=scheme, viewport={"width": width, "height": 900})
        page.evaluate("for (const d of document.querySelectorAll('.unmeasured')) d.open = true")
        audit = Axe().run(page)
        assert audit.violations_count == 0, audit.generate_report()
        page.close()


OPEN_ALL = "document.querySelectorAll('details').forEach((each) => { each.open = true; })"


@pytest.mark.parametrize("width", [360, 768, 1100])
def test_no_page_is_wider_than_the_screen_whatever_is_opened(
    browser: Browser, site: Path, width: int
) -> None:
    for path in looked_at(site):
        page, _, _ = visit(browser, path, viewport={"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.evaluate(OPEN_ALL)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.close()


def test_no_page_is_wider_than_a4_paper(browser: Browser, site: Path) -> None:
    across = round((210 - 2 * 10) / 25.4 * 96)
    for path in looked_at(site):
        page, _, _ = visit(browser, path, viewport={"width": across, "height": 1000})
        page.emulate_media(media="print")
        assert page.evaluate("document.documentElement.scrollWidth") <= across, path
        page.close()


def test_drawings_are_seen_in_forced_colours(browser: Browser, site: Path) -> None:
    page, _, _ = visit(browser, site / "compare.html", forced_colors="active")
    text = page.evaluate("getComputedStyle(document.body).color")
    for part in (".charted .span", ".charted circle", ".charted .zero"):
        drawn = page.locator(part).first
        assert drawn.evaluate("part => getComputedStyle(part).stroke") == text


def test_axe_finds_nothing_in_forced_colours_and_in_print(browser: Browser, site: Path) -> None:
    for path in looked_at(site):
        page, _, _ = visit(browser, path, forced_colors="active", reduced_motion="reduce")
        assert Axe().run(page).violations_count == 0
        page.emulate_media(media="print", forced_colors="none")
        assert page.locator("main").is_visible()
        assert page.locator(".skip, form.filters").locator("visible=true").count() == 0
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgba(0, 0, 0, 0)"
        page.close()


def test_the_board_is_whole_without_scripts(browser: Browser, site: Path) -> None:
    page, _, _ = visit(browser, task_page(site), java_script_enabled=False)
    text = page.locator(f"{SAMPLE} table.board").first.inner_text()
    for name in ("SmolLM2 135M Instruct (from Q4_1)", "Chance", "Majority letter", "TF-IDF"):
        assert name in text
    assert page.locator(f"{SAMPLE} form.filters").is_hidden()
    assert "It is not MedQA" in page.locator(".notice:visible").first.inner_text()
    # What scripts choose among stands there too: every view.
    page.click(f"{SAMPLE} >> text=Accuracy by view: every way to read an answer")
    assert page.locator(f"{SAMPLE} details.views tbody tr").count() == len(listed(site))
    page.click(f"{SAMPLE} >> text=Compare models")
    assert page.locator("#compare").is_hidden()
    assert page.locator("#table-medqa_sample tbody tr").count() == len(listed(site)) - 1


def test_a_question_opens_by_keyboard(browser: Browser, site: Path) -> None:
    page, _, _ = visit(browser, site / "questions" / "medqa_sample" / "index.html")
    page.locator(".listed a").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".options li")).to_have_count(4)
    assert page.locator(".truth").is_visible()


def order(page: Page) -> list[str]:
    """The shown rows' run ids, as a reader sees them."""
    rows = page.locator(f"{SAMPLE} table.board >> nth=0").locator("tbody tr:visible")
    return rows.evaluate_all("rows => rows.map(row => row.dataset.run)")


def of(rows: list[dict[str, object]], key: str) -> list[object]:
    return [row[key] for row in rows]


def test_a_table_sorts_by_mouse_and_keyboard_and_a_link_keeps_it(browser: Browser, site: Path) -> None:
    page, _, messages = visit(browser, task_page(site))
    rows = {str(row["run"]): row for row in listed(site)}
    page.click(f"{SAMPLE} th[data-key=memory] button")
    memory = [rows[run]["peak_memory_bytes"] for run in order(page)]
    assert memory == sorted(memory, key=lambda size: (size is None, size))
    assert page.locator(f"{SAMPLE} th[data-key=memory]").get_attribute("aria-sort") == "ascending"
    page.click(f"{SAMPLE} .chooser summary")
    page.check(f"{SAMPLE} .chooser label:has-text('Questions/s') input")
    page.locator(f"{SAMPLE} th[data-key=speed] button").focus()
    page.keyboard.press("Enter")
    speed = [rows[run]["questions_per_second"] for run in order(page)]
    assert speed == sorted(speed, reverse=True)
    assert "medqa_sample.sort=-speed" in page.url
    before, address = order(page), page.url
    again = browser.new_page()
    again.goto(address)
    assert order(again) == before
    assert messages == []


def test_a_phone_sorts_by_a_menu_and_ties_stay_in_order(browser: Browser, site: Path) -> None:
    page, _, _ = visit(browser, task_page(site), viewport={"width": 390, "height": 800})
    page.select_option("#medqa_sample-order", "speed")
    page.select_option("#medqa_sample-order", "rank")
    assert "medqa_sample.sort=rank" in page.url
    again = browser.new_page()
    again.goto(page.url)
    assert order(again) == order(page)
    assert again.locator("#medqa_sample-order").is_hidden()  # wide enough for the heads


def test_rows_can_be_chosen_and_the_choice_is_in_the_address(browser: Browser, site: Path) -> None:
    page, _, _ = visit(browser, task_page(site))
    whole = order(page)
    page.select_option(f"{SAMPLE} select[name=family]", "smollm2")
    chosen = order(page)
    rows = {str(row["run"]): row for row in listed(site)}
    assert 0 < len(chosen) < len(whole)
    assert chosen == [run for run in whole if rows[run]["family"] == "smollm2"]
    assert (
        page.locator(f"{SAMPLE} [role=status]").first.inner_text()
        == f"{len(chosen)} of {len(whole)} models shown."
    )
    again = browser.new_page()
    again.goto(page.url)
    assert order(again) == chosen
    again.click(f"{SAMPLE} .chip")
    assert order(again) == whole
    assert "family" not in again.url
    again.goto(page.url.replace("smollm2", "%22%3E%3Cscript%3E"))  # what no menu has is no choice
    assert order(again) == whole


def test_csv_json_and_the_table_say_the_same(browser: Browser, site: Path) -> None:
    page, _, _ = visit(browser, task_page(site), accept_downloads=True)

    def taken(form: str) -> str:
        with page.expect_download() as waiting:
            page.click(f"{SAMPLE} a[data-form={form}]")
        return Path(waiting.value.path()).read_bytes().decode()

    # Without a choice they are the files of the site; with one, what is shown.
    assert taken("json") == (site / "data" / "medqa_sample.json").read_text(encoding="utf-8")
    assert taken("csv") == (site / "data" / "medqa_sample.csv").read_bytes().decode()
    page.select_option(f"{SAMPLE} select[name=family]", "smollm2")
    page.click(f"{SAMPLE} th[data-key=accuracy] button")
    rows = json.loads(taken("json"))
    assert [run for run in of(rows, "run") if run in order(page)] == order(page)
    assert set(of(rows, "family")) == {"smollm2"}
    table = list(csv.DictReader(io.StringIO(taken("csv"))))
    assert of(table, "run") == of(rows, "run")
    for row, line in zip(rows, table, strict=True):
        assert {key: "" if value is None else str(value) for key, value in row.items()} == line
    shown = page.locator(f"{SAMPLE} table.board >> nth=0").locator("tbody tr:visible td[data-label=Accuracy]")
    words = [text.split()[0].rstrip("%").replace("\u202f", "") for text in shown.all_inner_texts()]
    accuracies = {row["run"]: round(100 * row["accuracy"], 1) for row in rows}
    assert [float(word) for word in words] == [accuracies[run] for run in order(page)]


def test_a_question_is_one_click_away_with_every_model_s_answer(browser: Browser, site: Path) -> None:
    page, asked, _ = visit(browser, task_page(site), java_script_enabled=False)
    page.click(f"{SAMPLE} >> text=Every question, with every model's answer")
    assert page.locator("article").count() == 50
    page.click("nav[aria-label=Pages] a >> nth=1")
    assert page.locator("article").count() == 50
    assert page.locator("article h2 a").first.inner_text() == "sample-test-051"
    page.click("text=nobody right")
    assert "0 of " in page.locator("article h2").first.inner_text()
    page.click("article h2 a >> nth=0")
    rows = page.locator("table.answers tbody tr")
    assert rows.count() == len(listed(site))
    assert rows.locator(".right").count() == 0
    name = rows.first.locator("a").inner_text()
    rows.first.locator("a").click()
    assert page.locator("h1").inner_text().startswith(name)
    assert all(url.startswith("file://") for url in asked)


def test_another_view_moves_accuracies_intervals_and_ranks(browser: Browser, site: Path) -> None:
    page, _, messages = visit(browser, task_page(site))
    before = page.locator(f"{SAMPLE} table.board >> nth=0").inner_text()
    page.select_option("#medqa_sample-view", "text")
    rows = {str(row["run"]): row for row in listed(site)}
    of_text = [
        rows[run]["accuracy_text"] if rows[run]["accuracy_text"] is not None else rows[run]["accuracy"]
        for run in order(page)
    ]
    assert of_text == sorted(of_text, reverse=True)
    visible = page.locator(f"{SAMPLE} table.board >> nth=0").locator("tr:visible td[data-label=Accuracy]")
    shown = visible.all_inner_texts()
    assert [float(text.split()[0].rstrip("%").replace("\u202f", "")) for text in shown] == [
        pytest.approx(100 * share, abs=0.051) for share in of_text
    ]
    assert page.locator(f"{SAMPLE} table.board >> nth=0").inner_text() != before
    again = browser.new_page()
    again.goto(page.url)
    assert "medqa_sample.view=text" in page.url
    assert (
        again.locator(f"{SAMPLE} table.board >> nth=0").inner_text()
        == page.locator(f"{SAMPLE} table.board >> nth=0").inner_text()
    )
    assert page.locator(f"{SAMPLE} .own-view:not([hidden])").count() == 0
    page.select_option("#medqa_sample-view", "letter")
    assert page.locator(f"{SAMPLE} .own-view:not([hidden])").count() > 0
    assert "view" not in page.url
    assert sorted(page.locator(f"{SAMPLE} table.board >> nth=0").inner_text()) == sorted(before)
    assert messages == []


def test_what_is_taken_away_is_the_view_that_is_shown(browser: Browser, site: Path) -> None:
    page, _, _ = visit(browser, task_page(site), accept_downloads=True)
    page.select_option("#medqa_sample-view", "text")
    with page.expect_download() as waiting:
        page.click(f"{SAMPLE} a[data-form=json]")
    rows = json.loads(Path(waiting.value.path()).read_text(encoding="utf-8"))
    assert [run for run in of(rows, "run") if run in order(page)] == order(page)
    assert len(rows) == len(listed(site))
    assert set(of(rows, "view")) == {"text"}
    for row in rows:
        assert row["accuracy"] == (row["accuracy"] if row["accuracy_text"] is None else row["accuracy_text"])
    ranks = page.locator(f"{SAMPLE} table.board >> nth=0").locator("td.rank span").all_text_contents()
    for row, rank in zip(rows, ranks, strict=True):
        best, worst = row["rank_best"], row["rank_worst"]
        assert rank == (f"{best}–{worst}" if best != worst else str(best))


HOSTILE = "</script><script>window.ran=1</script><img src=x onerror=window.ran=1>\u202etxet\x00\u0007"


def test_hostile_words_are_text_and_nothing_runs(browser: Browser, tmp_path: Path) -> None:
    """A run whose model, answers and questions are full of markup, in the table, its page and its data."""
    folder = next((ROOT / "results" / "medqa_sample").glob("smollm2*/*generate*"))
    copy = tmp_path / "results" / "medqa_sample" / folder.parent.name / folder.name
    copy.mkdir(parents=True)
    lines = []
    for line in (folder / "records.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        record["question"] = HOSTILE + record["question"]
        record["completion"] = HOSTILE * (20_000 if not lines else 1)
        record["model_output"]["reasoning_steps"] = HOSTILE
        lines.append(json.dumps(record))
    data = ("\n".join(lines) + "\n").encode()
    (copy / "records.jsonl").write_bytes(data)
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    result["cell"]["model"]["title"] = result["cell"]["model"]["license"] = HOSTILE
    result["records_sha256"] = hashlib.sha256(data).hexdigest()
    (copy / "result.json").write_text(sealed(result), encoding="utf-8")
    site = tmp_path / "site"
    write_site(make_site(tmp_path / "results", []), site)
    own = run_of(site)
    assert own.stat().st_size < 2_000_000
    long = next(page for page in site.rglob("questions/**/*.html") if "more characters" in page.read_text())
    assert "more characters, in records.jsonl]" in long.read_text(encoding="utf-8")
    for path in (
        site / "index.html",
        task_page(site),
        own,
        site / "questions" / "medqa_sample" / "index.html",
        long,
    ):
        page, asked, _ = visit(browser, path)
        assert page.evaluate("window.ran") is None
        assert all(url.startswith("file://") for url in asked)
        assert "<script>window.ran=1" in page.locator("main").inner_text()
        assert page.locator("main script:not([type])").count() == 0
        page.close()
