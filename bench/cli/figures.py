"""`bench leaderboard figures`: the board's drawings and tables as files, without a browser."""

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import options
from bench.errors import BenchError, UsageError

if TYPE_CHECKING:
    from leaderboard.site import Content

CITATION = "CITATION.txt"
SCALE = 2
"""Pixels of a PNG for one of its SVG."""


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="DIR",
    help="Folder for the files; those of the same name are replaced.",
)
@click.option("--no-png", is_flag=True, help="Leave out the PNG files, which need resvg-py.")
@options.results
def figures(*, out: Path, no_png: bool, results: Path) -> None:
    """Write every drawing as SVG, PNG and CSV, and every table as LaTeX and Markdown.

    CITATION.txt has a line for each file that says what it was made from.
    """
    from bench.inputs.cards import cards_and_mistakes
    from bench.results.mirrored import address_of
    from leaderboard.build import make_site
    from leaderboard.site import content_of

    draw = None if no_png else png_maker()
    content = content_of(make_site(results, cards_and_mistakes()[0]))
    if not content.tables:
        raise UsageError(f"there are no runs in {address_of(results)} (bench run --help)")
    count, cites = 0, dict[str, str]()
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, cite, data in _files(content, draw):
            (out / name).write_bytes(data)
            cites[name] = cite
            count += 1
        lines = [f"{name}: {cite}\n" for name, cite in sorted(cites.items())]
        (out / CITATION).write_text("".join(lines), encoding="utf-8")
    except OSError as error:
        raise BenchError(f"the figures cannot be written to {out}: {error.strerror}") from error
    click.echo(f"{count} files and {CITATION} in {out}")


def _files(content: "Content", draw: "Callable[[str], bytes] | None") -> Iterator[tuple[str, str, bytes]]:
    """The name, the citation and the content of each file."""
    from bench.board.citing import citation
    from bench.board.exporting import as_latex, as_markdown
    from leaderboard.figures import figures_of

    for figure in figures_of(content):
        yield f"{figure.name}.svg", figure.cite, figure.svg.encode()
        if draw:
            yield f"{figure.name}.png", figure.cite, draw(figure.svg)
        if figure.csv:
            yield f"{figure.name}.csv", figure.cite, figure.csv.encode()
    for name, table in content.tables.items():
        if table.rows:
            yield f"{name}.tex", citation([table]), as_latex(table).encode()
            yield f"{name}.md", citation([table]), as_markdown(table).encode()


def png_maker() -> "Callable[[str], bytes]":
    """What makes a PNG of the text of an SVG file.

    Raises a UsageError where resvg-py or every font is missing.
    """
    try:
        make: Callable[..., bytes] = import_module("resvg_py").svg_to_bytes
    except ImportError as error:
        text = "PNG files need resvg-py: pip install 'slm-bench[figures]', or leave them out with --no-png"
        raise UsageError(text) from error

    def draw(svg: str) -> bytes:
        return bytes(make(svg_string=svg, zoom=SCALE))

    if draw(_probe("M")) == draw(_probe("")):
        raise UsageError("PNG files need a font, such as DejaVu Sans or Liberation Sans; or use --no-png")
    return draw


def _probe(text: str) -> str:
    from leaderboard.standalone import FONTS, SPACE

    return f'<svg xmlns="{SPACE}" width="9" height="9" font-family="{FONTS}"><text y="9">{text}</text></svg>'
