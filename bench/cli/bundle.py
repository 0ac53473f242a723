"""`bench bundle`: what a machine needs that is never online, in a folder."""

from pathlib import Path

import click

from bench.cli import options
from bench.errors import UsageError


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--models", "-m", multiple=True, metavar="SELECTION", help="As for bench run.")
@click.option("--tasks", "-t", multiple=True, metavar="NAMES", help="Every task when left out.")
@options.data_dir
@options.offline
@click.option("--check", is_flag=True, help="Compare the files of a bundle with its checksums instead.")
def bundle(
    *,
    out: Path,
    models: tuple[str, ...],
    tasks: tuple[str, ...],
    data_dir: Path | None,
    offline: bool,
    check: bool,
) -> None:
    """Collect tasks, data, cards and weights in the folder OUT, with checksums.

    Work in that folder on the other machine: what is in it comes before the project's own.
    """
    from bench.cli.network import settle_offline
    from bench.inputs.bundle import check_bundle, make_bundle
    from bench.inputs.cards import find_cards
    from bench.inputs.data import data_folder
    from bench.inputs.task import find_tasks
    from bench.inputs.weights import on_this_machine

    if check:
        click.echo(f"{check_bundle(out)} files, all as they were")
        return
    if not models:
        raise UsageError("say which models: --models available takes those on this machine")
    cards = find_cards(",".join(models), on_this_machine)
    files = find_tasks([name.strip() for term in tasks for name in term.split(",") if name.strip()])
    folder = data_folder(data_dir)
    offline = settle_offline(files, cards, folder, offline=offline)
    for line in make_bundle(out, files, cards, data_dir=folder, offline=offline):
        click.echo(line)
    click.echo(f"in {out}, with checksums and a README")
