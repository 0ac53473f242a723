"""The page of a site that explains its words, and the one for an address that does not exist."""

import re
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from bench.board.columns import columns_of
from bench.board.terms import SECTIONS, TERMS
from bench.inputs.cards import all_cards
from conftest import ROOT
from leaderboard.build import make_site
from leaderboard.pages import pages_of, renderer
from leaderboard.site import Options, content_of


def page(path: str, options: Options) -> str:
    content = content_of(make_site(ROOT / "results", all_cards(), options))
    [own] = [page for page in pages_of(content) if page.path == path]
    return renderer(content)(own).decode()


def test_every_column_of_the_page_is_explained() -> None:
    """Columns that packages add explain themselves."""
    assert {column.name for column in columns_of("page")} <= TERMS.keys()
    assert len(TERMS) == sum(map(len, SECTIONS.values()))
    text = page("measured.html", Options())
    assert re.findall(r'<div id="([a-z0-9_]+)">', text) == list(TERMS)


class Lost(SimpleHTTPRequestHandler):
    """A server that shows 404.html for every address without a file, as GitHub Pages does."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        body = (Path(self.directory) / "404.html").read_bytes()
        self.send_response(code, message)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "404.html").write_text(page("404.html", Options()), encoding="utf-8")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Lost, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.browser
def test_a_page_that_does_not_exist_has_its_style_at_any_depth(address: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        lost = browser.new_page()
        messages: list[str] = []
        lost.on("console", lambda message: messages.append(message.text))
        lost.goto(f"{address}/runs/medqa/gone/deep.html")
        assert lost.locator("h1").inner_text() == "Page not found"
        assert lost.evaluate("getComputedStyle(document.querySelector('main')).maxWidth") == "1312px"
        assert lost.locator("main a").count() == 0, "no link of unknown depth"
        assert [text for text in messages if "Content Security Policy" in text] == []


def test_with_its_address_known_the_page_links_to_the_board() -> None:
    assert 'href="https://example.org/b/index.html"' in page(
        "404.html", Options(url="https://example.org/b/")
    )
