"""`bench leaderboard`: build the page from the results, look at it, send it somewhere."""

import shlex
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from bench.cli import options
from bench.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from bench.publishing.sending import Built, Sending
    from leaderboard.board import TaskBoard


@click.group()
def leaderboard() -> None:
    """Build the page from the results, look at it, send it somewhere."""


@leaderboard.command()
@options.results
@options.site
@click.option(
    "--texts",
    type=click.Choice(["full", "answers", "none"]),
    default="full",
    show_default=True,
    help="answers: no words of questions, prompts and replies; none: totals alone.",
)
@click.option("--noindex", is_flag=True, help="Ask search engines to leave the site out.")
@options.url("Where the site will stand, for links that are shared.")
@click.option(
    "--picture",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="With --url: a PNG that stands beside shared links.",
)
def build(
    *,
    results: Path,
    out: Path,
    texts: Literal["full", "answers", "none"],
    noindex: bool,
    url: str,
    picture: Path | None,
) -> None:
    """Make the static site from the results."""
    from bench.inputs.model_card import cards_and_mistakes
    from leaderboard.build import make_site, write_site
    from leaderboard.pages import Options

    wanted = Options(texts, noindex, _with_slash(url), _png(picture) if picture else b"")
    if picture and not url:
        raise UsageError("a picture is named by its whole address: give --url too")
    cards, mistakes = cards_and_mistakes()
    for mistake in mistakes:
        click.echo(mistake, err=True)
    site = make_site(results, cards, wanted)
    count = write_site(site, out)
    for text in site.board.damaged:
        click.echo(f"not shown: {text}", err=True)
    click.echo(f"{count} files from {len(site.runs)} runs; open {(out / 'index.html').resolve()}")


def _with_slash(url: str) -> str:
    """The address with a slash at its end, "" for none."""
    return f"{url.rstrip('/')}/" if url else ""


def _png(path: Path) -> bytes:
    data = path.read_bytes()
    if not data.startswith(b"\x89PNG"):
        raise UsageError(f"{path} is not a PNG")
    return data


@leaderboard.command()
@options.results
def show(*, results: Path) -> None:
    """Print each task's table, with the ranks that are not excluded, and what it comes to.

    Above chance: 0 % is guessing, 100 % all right.
    """
    from bench.cli.report import stdout
    from leaderboard.build import read_board

    board, _ = read_board(results, [])
    if not board.tasks:
        click.echo(f"no runs are in {results} (bench run --help)")
    for found in board.tasks:
        stdout().print(_ranked(found))
        click.echo(found.headline or "no whole run yet")
        for row in found.apart:
            click.echo(
                f"set apart: {row.result.cell.model.title}, {row.result.cell.variant.slug}: {row.apart}"
            )
        for failure in found.failures:
            click.echo(f"failed: {failure.result.cell.model.title}: {failure.result.reason}")
        click.echo()
    for text in board.damaged:
        click.echo(f"not shown: {text}", err=True)


def _ranked(found: "TaskBoard") -> "Table":
    """A task's rows with their ranks and costs."""
    from rich.table import Table

    from leaderboard import formats

    table = Table(title=found.task.title, title_justify="left", title_style="bold", box=None)
    for name in ("rank", "model", "variant"):
        table.add_column(name)
    for name in ("accuracy", "95 % interval", "above chance", "items/s", "memory"):
        table.add_column(name, justify="right")
    for row in found.rows:
        assert row.standing is not None
        rate, cost, cell = row.result.metrics.accuracy, row.result.cost, row.result.cell
        table.add_row(
            row.standing.text,
            cell.model.title,
            cell.variant.slug,
            f"{rate.value:.1%}",
            f"{rate.low * 100:.1f}–{rate.high * 100:.1f}",
            f"{row.standing.above_chance:.1%}",
            formats.number(cost.items_per_second),
            formats.size(cost.peak_memory_bytes),
        )
    return table


@leaderboard.command()
@options.site
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
def serve(*, out: Path, port: int) -> None:
    """Show the built site on 127.0.0.1."""
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    if not (out / "index.html").is_file():
        raise UsageError(f"{out} holds no site: run 'bench leaderboard build' first")
    try:
        server = ThreadingHTTPServer(
            ("127.0.0.1", port), partial(SimpleHTTPRequestHandler, directory=str(out))
        )
    except OSError as error:
        raise UsageError(f"port {port} cannot be used: {error.strerror}; give another --port") from error
    click.echo(f"http://127.0.0.1:{server.server_port}/  (Ctrl-C stops)")
    with server, suppress(KeyboardInterrupt):
        server.serve_forever()


SHOWN = 10
"""Names of each kind that a dry run writes out."""


@leaderboard.command()
@options.site
@click.option(
    "--to",
    required=True,
    metavar="WHERE",
    help="A folder; gh-pages, the branch; or hf-space:ORG/NAME.",
)
@click.option("--remote", metavar="NAME", help="Of gh-pages: the git remote; origin when left out.")
@click.option("--public", is_flag=True, help="Of a new Space: all can see it.")
@click.option("--yes", is_flag=True, help="Send it; without, only say what would be sent.")
def publish(*, out: Path, to: str, remote: str | None, public: bool, yes: bool) -> None:
    """Send the built site to a folder, to GitHub Pages' branch, or to a static Space of the hub.

    It replaces an earlier site there, and nothing else. The hub's token is the one of
    'hf auth login', or HF_TOKEN.
    """
    from bench.publishing.sending import read_built

    if remote and to != "gh-pages":
        raise UsageError("--remote is for --to gh-pages")
    if public and not to.startswith("hf-space:"):
        raise UsageError("--public is for --to hf-space:ORG/NAME")
    built = read_built(out)
    for line in _contents(built):
        click.echo(line)
    sending = _sending(built, to, remote or "origin", public=public)
    for line in _told(sending):
        click.echo(line)
    if not sending.difference:
        click.echo("nothing to send: it is all there")
    elif yes:
        click.echo(f"sent; {sending.send()}")
    else:
        words = click.get_current_context().meta[options.WORDS]
        click.echo(f"nothing was sent; to send it: {shlex.join(['bench', *words, '--yes'])}")


def _sending(built: "Built", to: str, remote: str, *, public: bool) -> "Sending":
    from bench.publishing.gh_pages import BRANCH, to_branch
    from bench.publishing.hf_space import to_space
    from bench.publishing.sending import to_folder

    if to == BRANCH:
        return to_branch(built, remote)
    if to.startswith("hf-space:"):
        return to_space(built, to.removeprefix("hf-space:"), public=public)
    return to_folder(built, Path(to))


def _contents(built: "Built") -> Iterator[str]:
    """How much there is to send, and what most of it is."""
    from leaderboard.formats import size

    largest = sorted(built.files, key=lambda name: (-len(built.files[name]), name))[:3]
    told = ", ".join(f"{name} ({size(len(built.files[name]))})" for name in largest)
    yield f"{built.folder}: {len(built.files)} files, {size(built.bytes)}; the largest: {told}"


def _told(sending: "Sending") -> Iterator[str]:
    """Where to, and what changes there."""
    found = sending.difference
    kinds = {"new": found.new, "changed": found.changed, "removed": found.removed}
    yield f"to {sending.where}: " + ", ".join(f"{len(names)} {kind}" for kind, names in kinds.items())
    yield from sending.notes
    for kind, names in kinds.items():
        yield from (f"  {kind:<8} {name}" for name in names[:SHOWN])
        if len(names) > SHOWN:
            yield f"  {kind:<8} … and {len(names) - SHOWN} more"
