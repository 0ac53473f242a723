"""Pages of which a site has one, and that show no run."""

import base64
import hashlib
from pathlib import Path

from bench.board.terms import SECTIONS
from leaderboard.page_kind import PageKind
from leaderboard.site import Content

STATIC = Path(__file__).parent / "static"


def _measured(content: Content, path: str) -> str:
    return content.render("measured.html", path, sections=SECTIONS)


def _not_found(content: Content, path: str) -> str:
    """The page that a server shows at any depth: it holds its own style, and its links have an address."""
    style = (STATIC / "style.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return content.render(
        "404.html", path, root=content.site.options.url or "/", style=style, style_digest=digest
    )


def _static(_content: Content, path: str) -> bytes:
    return (STATIC / path).read_bytes()


MEASURED = PageKind(lambda _: ["measured.html"], _measured)
NOT_FOUND = PageKind(lambda _: ["404.html"], _not_found)
STATIC_FILES = PageKind(lambda _: sorted(path.name for path in STATIC.iterdir()), _static)
