"""Drawings of confidence and of probes in a real browser: on a run's page, and on its model's."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from browsing import visit

pytestmark = pytest.mark.browser
KINDS = ("reliability", "coverage", "recall", "orders")


def pages_with_drawings(site: Path) -> tuple[Path, Path]:
    """Of a run on MedQA that was asked changed questions, and of its model."""
    [run] = (site / "runs" / "medqa" / "smollm2-135m-instruct-q4_1").glob("bfloat16-chat-c5a*.html")
    return run, site / "models" / "smollm2-135m-instruct-q4_1.html"


def test_each_drawing_can_be_saved_and_says_its_values(browser: Browser, site: Path) -> None:
    for path in pages_with_drawings(site):
        page, _, messages = visit(browser, path)
        for kind in KINDS:
            figure = page.locator(f'figure[data-name^="{kind}-smollm2"]').first
            assert figure.locator(".forms button").all_inner_texts() == ["SVG", "PNG", "CSV"]
            assert figure.get_by_role("img", name=re.compile(r"SmolLM2.*\d\s%")).count() == 1
            table = figure.locator("table")
            assert not table.is_visible()
            figure.locator("summary", has_text="The numbers of this drawing").click()
            assert table.is_visible()
        assert messages == []
        page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_line_is_seen_under_forced_colours_and_without_colour(
    browser: Browser, site: Path, scheme: str
) -> None:
    page, _, _ = visit(browser, pages_with_drawings(site)[0], forced_colors="active", color_scheme=scheme)
    drawn = page.locator('figure[data-name^="reliability-"] svg path').evaluate_all(
        "paths => paths.map(path => [path.getAttribute('class'), getComputedStyle(path).stroke,"
        " getComputedStyle(path).strokeDasharray])"
    )
    text, ground = page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    assert {kind for kind, _, _ in drawn} == {"chance", "rescaled", "curve"}
    assert {stroke for _, stroke, _ in drawn} == {text}
    assert text != ground
    assert len({dashes for _, _, dashes in drawn}) == 3, "told apart without colour"
    page.close()


def test_drawings_are_no_wider_than_a_phone(browser: Browser, site: Path) -> None:
    for path in pages_with_drawings(site):
        page, _, _ = visit(browser, path, viewport={"width": 390, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.close()
