"""The page in a real browser: nothing is loaded from elsewhere, and everybody can read it."""

import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from bench.inputs.model_card import all_cards
from conftest import ROOT
from leaderboard.build import make_site, write_site

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        path = shutil.which("chromium")
        yield playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-background-networking"]
        )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of the committed results."""
    out = tmp_path_factory.mktemp("site") / "site"
    write_site(make_site(ROOT / "results", all_cards()), out)
    return out


def run_page(site: Path) -> Path:
    return min(site.glob("runs/medqa_sample/smollm2-*/*.html"))


def visit(browser: Browser, page: Path, **options: object) -> tuple[Page, list[str], list[str]]:
    """Open a page from the disk; returns it, what it asked for and what the console said."""
    asked: list[str] = []
    said: list[str] = []
    opened = browser.new_page(**options)
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("console", lambda message: said.append(message.text))
    opened.goto(page.as_uri())
    return opened, asked, said


def test_a_page_opens_from_the_disk_with_its_style_and_asks_nobody(browser: Browser, site: Path) -> None:
    for path in (site / "index.html", run_page(site)):
        page, asked, said = visit(browser, path)
        assert all(url.startswith("file://") for url in asked)
        assert said == []
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
        failed: list[str] = []
        page.on("requestfailed", lambda request: failed.append(request.url))
        page.goto(f"http://127.0.0.1:{server.server_port}/site/index.html")
        page.click("table.board tbody a >> nth=0")
        assert page.locator("h1").count() == 1
        page.click("nav a")
        assert "index.html#task-medqa_sample" in page.url
        assert failed == []
        server.shutdown()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 768, 360])
def test_axe_finds_nothing(browser: Browser, site: Path, scheme: str, width: int) -> None:
    for path in (site / "index.html", run_page(site)):
        page, _, _ = visit(browser, path, color_scheme=scheme, viewport={"width": width, "height": 900})
        page.evaluate("for (const d of document.querySelectorAll('.unmeasured')) d.open = true")
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        page.close()


def test_no_page_is_wider_than_a_phone(browser: Browser, site: Path) -> None:
    for path in (site / "index.html", run_page(site)):
        page, _, _ = visit(browser, path, viewport={"width": 360, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.close()


def test_the_board_is_whole_without_scripts(browser: Browser, site: Path) -> None:
    page, _, _ = visit(browser, site / "index.html", java_script_enabled=False)
    text = page.locator("table.board").first.inner_text()
    for name in ("SmolLM2 135M Instruct (from Q4_1)", "Chance", "Majority letter", "TF-IDF"):
        assert name in text
    assert page.locator("script").count() == 0
    assert "It is not MedQA" in page.locator(".notice").first.inner_text()


def test_a_question_opens_by_keyboard(browser: Browser, site: Path) -> None:
    page, _, _ = visit(browser, run_page(site))
    page.locator("#q-1 summary").focus()
    page.keyboard.press("Enter")
    assert page.locator("#q-1 .options li").count() == 4
    assert page.locator("#q-1 .truth").is_visible()
