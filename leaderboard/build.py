"""The board -> a static site. It makes no request, and is complete without scripts."""

from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from bench.board.contamination import read_tested
from bench.board.reading import read_board
from bench.errors import BenchError
from bench.inputs.cards import CardFile
from bench.results import answers
from bench.site_folder import replace_site
from leaderboard.pages import Page, pages_of, renderer
from leaderboard.site import Content, Options, Site, content_of

CHUNK = 50
"""Pages that a process renders at a time."""


def make_site(results: Path, cards: Sequence[CardFile], options: Options = Options()) -> Site:  # noqa: B008 (frozen)
    """Read the runs; nothing is rendered yet."""
    board, runs = read_board(results, cards, options.texts)
    return Site(board, tuple(runs), options, read_tested(results))


def write_site(site: Site, out: Path) -> int:
    """Replace what an earlier build wrote in the folder; returns the number of files."""
    content = content_of(site)
    pages = pages_of(content)
    replace_site(out, {page.path for page in pages}, lambda folder: _write_pages(content, pages, folder))
    return len(pages)


def _write_pages(content: Content, pages: Sequence[Page], out: Path) -> None:
    if len(content.site.runs) < answers.MANY:
        _render(renderer(content), pages, out)
        return
    chunks = [pages[at : at + CHUNK] for at in range(0, len(pages), CHUNK)]
    try:
        with answers.workers(_begin, content.site, out) as pool:
            list(pool.map(_render_here, chunks))
    except BrokenProcessPool as error:
        raise BenchError("a process that renders pages was ended from outside; is memory short?") from error


def _render(render: Callable[[Page], bytes], pages: Sequence[Page], out: Path) -> None:
    for page in pages:
        (out / page.path).write_bytes(render(page))


_here: list[Callable[[Sequence[Page]], None]] = []
"""In a worker process: what renders the site that it was started with."""


def _begin(site: Site, out: Path) -> None:
    render = renderer(content_of(site))
    _here.append(lambda pages: _render(render, pages, out))


def _render_here(pages: Sequence[Page]) -> None:
    _here[0](pages)
