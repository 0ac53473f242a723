"""The figures of a site's pages as files: each drawing as SVG, and its table as CSV."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from html.parser import HTMLParser

from bench.board.exporting import no_formula
from bench.wording import MINUS
from leaderboard.lone_pages import STATIC
from leaderboard.pages import pages_of, renderer
from leaderboard.site import Content
from leaderboard.standalone import StyleSheet, read_styles, standalone

WITHOUT = ("list", "question", "run")
"""Kinds of pages without figures of their own: those of a run are on its model's page. There are many."""
_FIGURE = re.compile(r"<figure\b([^>]*\bdata-name=[^>]*)>(.*?)</figure>", re.DOTALL)
_DRAWING = re.compile(r"<svg\b.*?</svg>", re.DOTALL)
_NUMBER = re.compile(r"[+-]?[\d.]+")
_ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Figure:
    """`name` is that of its files, `svg` and `csv` their texts; `csv` is "" where no table belongs to it."""

    name: str
    cite: str
    svg: str
    csv: str


def figures_of(content: Content) -> Iterator[Figure]:
    """Every figure of the site that is drawn without scripts, page by page; the first of each name."""
    render, names = renderer(content), set[str]()
    styles = [path.read_text(encoding="utf-8") for path in sorted(STATIC.glob("*.css"))]
    sheet = read_styles("\n".join(styles))
    for page in pages_of(content):
        if page.path.endswith(".html") and page.kind not in WITHOUT:
            for figure in _figures(render(page).decode(), sheet):
                if figure.name not in names:
                    names.add(figure.name)
                    yield figure


def _figures(page: str, sheet: StyleSheet) -> Iterator[Figure]:
    for match in _FIGURE.finditer(page):
        drawing = _DRAWING.search(match[2])
        if drawing is None:
            continue
        attributes = {name: unescape(value) for name, value in _ATTRIBUTE.findall(match[1])}
        cite = attributes.get("data-cite", "SLM Bench")
        place = "figure", frozenset(attributes.get("class", "").split())
        yield Figure(
            name=attributes["data-name"],
            cite=cite,
            svg=standalone(drawing[0], place, cite, sheet),
            csv=_csv(_table(page, attributes.get("data-table", ""), match[2])),
        )


def _table(page: str, name: str, figure: str) -> str:
    """The markup of the table with that id, else of the figure's own; "" where there is none."""
    named = re.search(rf'<table\b[^>]*\bid="{re.escape(name)}".*?</table>', page, re.DOTALL) if name else None
    own = re.search(r"<table\b.*?</table>", figure, re.DOTALL)
    table = named or own
    return table[0] if table else ""


def _csv(table: str) -> str:
    """RFC 4180, as `static/figures.js` writes it."""
    reader = _Rows()
    reader.feed(table)
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(reader.rows)
    return out.getvalue()


class _Rows(HTMLParser):
    """The cells of a table: each its value for programs where it has one, else its text."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.value: str | None = None
        self.text: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.value, self.text = dict(attrs).get("data-value"), []

    def handle_data(self, data: str) -> None:
        if self.text is not None:
            self.text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self.text is not None:
            text = " ".join((self.value if self.value is not None else "".join(self.text)).split())
            plain = text.replace(MINUS, "-")
            self.rows[-1].append(plain if _NUMBER.fullmatch(plain) else str(no_formula(text)))
            self.text = None
