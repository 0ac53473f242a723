"""`bench leaderboard`: show the board; build, serve and publish its site."""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from bench.cli import options
from bench.cli.figures import figures
from bench.errors import UsageError
from bench.plain_files import read_bytes
from bench.types import PublishedTexts
from bench.wording import size

if TYPE_CHECKING:
    from bench.board.board import Row, TaskBoard
    from bench.board.column import TableKind
    from bench.board.contamination import Tested
    from bench.publishing.sending import Built, Sending


@click.group()
def leaderboard() -> None:
    """Show the board; build, serve and publish its site."""


leaderboard.add_command(figures)


@leaderboard.command()
@options.results
@options.site
@click.option(
    "--texts",
    type=click.Choice(get_args(PublishedTexts)),
    default="full",
    show_default=True,
    help="full: publish everything; answers: leave out the texts of questions, prompts and replies; "
    "none: publish only totals.",
)
@click.option("--noindex", is_flag=True, help="Ask search engines not to list the site.")
@options.url("Address of the published site, for link previews. Default: none.")
@click.option(
    "--picture",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="PNG for link previews; needs --url. Default: none.",
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

    site_options = Options(texts, noindex, _with_slash(url), _png(picture) if picture else b"")
    if picture and not url:
        raise UsageError("--picture needs --url, the address of the published site")
    cards, mistakes = cards_and_mistakes()
    for mistake in mistakes:
        click.echo(mistake, err=True)
    site = make_site(results, cards, site_options)
    count = write_site(site, out)
    for text in site.board.damaged:
        click.echo(f"not shown: {text}", err=True)
    click.echo(f"{count:,} files for {len(site.runs):,} runs; open {(out / 'index.html').resolve()}")


def _with_slash(url: str) -> str:
    """The address with a slash at the end; "" stays ""."""
    return f"{url.rstrip('/')}/" if url else ""


def _png(path: Path) -> bytes:
    data = read_bytes(path)
    if not data.startswith(b"\x89PNG"):
        raise UsageError(f"{path} is not a PNG")
    return data


@leaderboard.command()
@options.results
def show(*, results: Path) -> None:
    """Print a table with rank ranges and a headline for each task.

    Column "above chance": 0 % is the accuracy of guessing, 100 % is every question right. Partial runs
    follow in a table of their own, without ranks.
    """
    from bench.board.contamination import read_tested
    from bench.board.reading import read_board_quickly
    from bench.inputs.cards import cards_and_mistakes
    from bench.results.mirrored import address_of

    board = read_board_quickly(results, cards_and_mistakes()[0], ranked=True)
    if not board.tasks:
        click.echo(f"there are no runs in {address_of(results)} (bench run --help)")
    tested = read_tested(results)
    for task in board.tasks:
        _show_task(task)
        _show_order_tests([each for each in tested if each.of("", task.task.name)])
        click.echo()
    for text in board.damaged:
        click.echo(f"not shown: {text}", err=True)


def _show_task(task: "TaskBoard") -> None:
    from bench.board.clustered import clusters_sentence

    title = task.task.title
    if task.rows:
        _show_rows(title, "terminal", task.rows)
    click.echo(task.headline or f"{title}: no complete run yet")
    wording = task.wording.lines if task.wording else ()
    for line in filter(None, (clusters_sentence(task), task.preference_note, *wording)):
        click.echo(line)
    if partial := [row for row in task.apart if row.result.cell.limit is not None]:
        _show_rows(f"{title}: partial runs, not comparable", "sweep", partial)
    for row in task.apart:
        cell = row.result.cell
        if cell.limit is None:
            click.echo(f"not comparable: {cell.model.title}, {cell.variant.slug}: {row.apart}")
    for failure in task.failures:
        click.echo(f"failed: {failure.result.model_title}: {failure.result.reason}")


def _show_order_tests(tests: "Sequence[Tested]") -> None:
    from bench.board.contamination import notes

    for each in tests:
        click.echo(f"published order: {each.test.cell.model.title}: {each.finding} ({each.size})")
    if tests:
        click.echo(notes(tests))


def _show_rows(title: str, kind: "TableKind", rows: "Sequence[Row]") -> None:
    from bench.board.columns import columns_of, known
    from bench.cli.console import new_table, stdout

    columns = known(columns_of(kind), rows)
    table = new_table(title, columns)
    for row in rows:
        table.add_row(*(column.format_short(row) for column in columns))
    stdout().print(table)


@leaderboard.command()
@options.site
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    metavar="N",
    help="TCP port; 0 chooses a free one.",
)
def serve(*, out: Path, port: int) -> None:
    """Serve the built site at http://127.0.0.1."""
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    if not (out / "index.html").is_file():
        raise UsageError(f"{out} is not a site; run 'bench leaderboard build' first")
    try:
        server = ThreadingHTTPServer(
            ("127.0.0.1", port), partial(SimpleHTTPRequestHandler, directory=str(out))
        )
    except OSError as error:
        raise UsageError(f"cannot use port {port}: {error.strerror}; choose another with --port") from error
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
    help="A folder, gh-pages (a branch of this repository) or hf-space:ORG/NAME.",
)
@click.option("--remote", metavar="NAME", help="Git remote for gh-pages. Default: origin.")
@click.option("--public", is_flag=True, help="Create the Space as public. Default: private.")
@click.option("--yes", is_flag=True, help="Send. Default: only print what would be sent.")
def publish(*, out: Path, to: str, remote: str | None, public: bool, yes: bool) -> None:
    """Send the built site to a folder, the GitHub Pages branch, or a static Space on the hub.

    Replaces only an earlier site. The hub token is from 'hf auth login' or HF_TOKEN.
    """
    from bench.publishing.sending import read_built

    if remote and to != "gh-pages":
        raise UsageError("--remote needs --to gh-pages")
    if public and not to.startswith("hf-space:"):
        raise UsageError("--public needs --to hf-space:ORG/NAME")
    built = read_built(out)
    for line in _contents(built):
        click.echo(line)
    sending = _sending(built, to, remote or "origin", public=public)
    for line in _changes(sending):
        click.echo(line)
    if not sending.difference:
        click.echo("nothing to send: the site is up to date")
    elif yes:
        click.echo(f"sent; {sending.send()}")
    else:
        arguments = click.get_current_context().meta[options.ARGUMENTS]
        click.echo(f"nothing was sent; to send it: {shlex.join(['bench', *arguments, '--yes'])}")


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
    """The number and size of the files, and the largest of them."""
    largest = sorted(built.files, key=lambda name: (-len(built.files[name]), name))[:3]
    names = ", ".join(f"{name} ({size(len(built.files[name]))})" for name in largest)
    yield f"{built.folder}: {len(built.files):,} files, {size(built.bytes)}; largest: {names}"


def _changes(sending: "Sending") -> Iterator[str]:
    """The destination, and which files change there."""
    change = sending.difference
    kinds = {"new": change.new, "changed": change.changed, "removed": change.removed}
    yield f"to {sending.where}: " + ", ".join(f"{len(names)} {kind}" for kind, names in kinds.items())
    yield from sending.notes
    for kind, names in kinds.items():
        yield from (f"  {kind:<8} {name}" for name in names[:SHOWN])
        if len(names) > SHOWN:
            yield f"  {kind:<8} … and {len(names) - SHOWN} more"
