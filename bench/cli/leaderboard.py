"""`bench leaderboard`: build the site from the results, show the board, serve and publish the site."""

import shlex
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from bench.cli import options
from bench.errors import UsageError
from bench.types import PublishedTexts
from bench.wording import size

if TYPE_CHECKING:
    from bench.publishing.sending import Built, Sending


@click.group()
def leaderboard() -> None:
    """Build the site from the results, show the board, serve and publish the site."""


@leaderboard.command()
@options.results
@options.site
@click.option(
    "--texts",
    type=click.Choice(get_args(PublishedTexts)),
    default="full",
    show_default=True,
    help="answers: leave out the texts of questions, prompts and replies; none: publish totals only.",
)
@click.option("--noindex", is_flag=True, help="Ask search engines not to list the site.")
@options.url("The site's address, for shared links.")
@click.option(
    "--picture",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="With --url: a PNG to show with shared links.",
)
def build(
    *,
    results: Path,
    out: Path,
    texts: PublishedTexts,
    noindex: bool,
    url: str,
    picture: Path | None,
) -> None:
    """Build the static site from the results."""
    from bench.inputs.cards import cards_and_mistakes
    from leaderboard.build import make_site, write_site
    from leaderboard.site import Options

    wishes = Options(texts, noindex, _with_slash(url), _png(picture) if picture else b"")
    if picture and not url:
        raise UsageError("a shared picture needs the site's whole address: give --url too")
    cards, mistakes = cards_and_mistakes()
    for mistake in mistakes:
        click.echo(mistake, err=True)
    site = make_site(results, cards, wishes)
    count = write_site(site, out)
    for text in site.board.damaged:
        click.echo(f"not shown: {text}", err=True)
    click.echo(f"{count} files from {len(site.runs)} runs; open {(out / 'index.html').resolve()}")


def _with_slash(url: str) -> str:
    """The address with a slash at its end; "" stays ""."""
    return f"{url.rstrip('/')}/" if url else ""


def _png(path: Path) -> bytes:
    data = path.read_bytes()
    if not data.startswith(b"\x89PNG"):
        raise UsageError(f"{path} is not a PNG")
    return data


@leaderboard.command()
@options.results
def show(*, results: Path) -> None:
    """Print each task's table with rank ranges, and its headline.

    Above chance: 0 % is the accuracy of guessing, 100 % is every question right.
    """
    from bench.board.columns import columns_of, known
    from bench.board.reading import read_board
    from bench.cli.console import stdout, table_of

    board, _ = read_board(results, [])
    if not board.tasks:
        click.echo(f"no runs are in {results} (bench run --help)")
    all_columns = columns_of("terminal")
    for task in board.tasks:
        columns = known(all_columns, task.rows)
        table = table_of(task.task.title, columns)
        for row in task.rows:
            table.add_row(*(column.format_short(row) for column in columns))
        stdout().print(table)
        click.echo(task.headline or "no complete run yet")
        for row in task.apart:
            cell = row.result.cell
            click.echo(f"not comparable: {cell.model.title}, {cell.variant.slug}: {row.apart}")
        for failure in task.failures:
            click.echo(f"failed: {failure.result.model_title}: {failure.result.reason}")
        click.echo()
    for text in board.damaged:
        click.echo(f"not shown: {text}", err=True)


@leaderboard.command()
@options.site
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
def serve(*, out: Path, port: int) -> None:
    """Serve the built site on 127.0.0.1."""
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
"""File names of each kind that are printed before sending."""


@leaderboard.command()
@options.site
@click.option(
    "--to",
    required=True,
    metavar="WHERE",
    help="A folder, gh-pages (the branch) or hf-space:ORG/NAME.",
)
@click.option("--remote", metavar="NAME", help="For gh-pages: the git remote, origin by default.")
@click.option("--public", is_flag=True, help="Make a new Space public.")
@click.option("--yes", is_flag=True, help="Send it; without this, only print what would be sent.")
def publish(*, out: Path, to: str, remote: str | None, public: bool, yes: bool) -> None:
    """Send the built site to a folder, the GitHub Pages branch, or a static Space on the hub.

    It replaces an earlier site there, and nothing else. The hub's token is that of
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
    for line in _changes(sending):
        click.echo(line)
    if not sending.difference:
        click.echo("nothing to send: it is up to date")
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
    """How much there is to send, and its largest files."""
    largest = sorted(built.files, key=lambda name: (-len(built.files[name]), name))[:3]
    names = ", ".join(f"{name} ({size(len(built.files[name]))})" for name in largest)
    yield f"{built.folder}: {len(built.files)} files, {size(built.bytes)}; the largest: {names}"


def _changes(sending: "Sending") -> Iterator[str]:
    """Where it goes, and which files change there."""
    change = sending.difference
    kinds = {"new": change.new, "changed": change.changed, "removed": change.removed}
    yield f"to {sending.where}: " + ", ".join(f"{len(names)} {kind}" for kind, names in kinds.items())
    yield from sending.notes
    for kind, names in kinds.items():
        yield from (f"  {kind:<8} {name}" for name in names[:SHOWN])
        if len(names) > SHOWN:
            yield f"  {kind:<8} … and {len(names) - SHOWN} more"
