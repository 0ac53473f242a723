"""One way to write numbers, on the site and in the terminal: 27.3 %, 1,273 and a true minus."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.cli import main
from conftest import ROOT

OTHER_STYLES = {
    "a percent sign without a space": r"\d%",
    "a count without a comma": r"(?<![\w.,:#/-])[1-9]\d{3,}(?= (?:questions|runs|models|items|tokens|of)\b)"
    r"|(?<= of )[1-9]\d{3,}\b(?!-)|(?<=\d/)[1-9]\d{3,}\b",
    "a hyphen as a minus": r"(?:(?<=[\s(])|^)-\d",
}


def strange(text: str) -> Iterator[str]:
    """Numbers in another style, with what is around them."""
    for style, pattern in OTHER_STYLES.items():
        for match in re.finditer(pattern, text):
            around = text[max(0, match.start() - 30) : match.end() + 15]
            yield f"{style}: {around!r}"


def read_words(page: Path) -> str:
    """A page's own words: not the texts of questions and models, nor code."""
    text = page.read_text(encoding="utf-8")
    for quoted in ("script", "pre", "code", "article"):
        text = re.sub(rf"<{quoted}\b.*?</{quoted}>", " ", text, flags=re.DOTALL)
    return unescape(re.sub(r"<[^>]*>", " ", text))


@pytest.mark.parametrize("text", ["27.3% right", "354 of 1273", "354/1273", "1273 items", "by -1.2 points"])
def test_another_style_is_noticed(text: str) -> None:
    assert list(strange(text))


def test_the_site_writes_numbers_in_one_way(site: Path) -> None:
    kinds = (
        "index.html", "tasks.html", "measured.html", "compare.html", "tasks/*.html", "models/*.html",
        "runs/**/*.html",
    )  # fmt: skip
    pages = [page for kind in kinds for page in sorted(site.glob(kind))]
    assert len(pages) > 10
    assert {page.relative_to(site): list(strange(read_words(page))) for page in pages} == {
        page.relative_to(site): [] for page in pages
    }


@pytest.mark.parametrize("command", ["leaderboard show", "pick", "results list", "export markdown"])
def test_the_terminal_writes_numbers_in_one_way(command: str) -> None:
    results = str(ROOT / "results")
    printed = CliRunner().invoke(main, [*command.split(), "--results", results])
    assert printed.exit_code in (0, 1), printed.output
    assert re.search(r"\d", printed.output)
    assert list(strange(printed.output)) == []
