"""`bench leaderboard`: build the page from the results, look at it."""

from contextlib import suppress
from functools import partial
from pathlib import Path

import click

from bench.cli import options
from bench.errors import UsageError


@click.group()
def leaderboard() -> None:
    """Build the page from the results, look at it."""


@leaderboard.command()
@options.results
@options.site
def build(*, results: Path, out: Path) -> None:
    """Make the static site from the results."""
    from bench.inputs.model_card import cards_and_mistakes
    from leaderboard.build import make_site, write_site

    cards, mistakes = cards_and_mistakes()
    for mistake in mistakes:
        click.echo(mistake, err=True)
    site = make_site(results, cards)
    write_site(site, out)
    for text in site.damaged:
        click.echo(f"not shown: {text}", err=True)
    click.echo(f"{len(site.files)} files from {site.runs} runs; open {(out / 'index.html').resolve()}")


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
