"""`bench bundle`: a folder with everything that a machine without a network needs."""

from pathlib import Path

import click

from bench.cli import options
from bench.errors import UsageError


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--models",
    "-m",
    multiple=True,
    metavar="SELECTION",
    help=f"Models to collect, required without --check: {options.SELECTION}.",
)
@click.option(
    "--tasks",
    "-t",
    multiple=True,
    metavar="NAMES",
    help="Task names, globs or YAML files; separate several with commas. "
    "Default: every task, or those of --suite.",
)
@options.suite
@options.data_dir
@options.offline
@click.option("--check", is_flag=True, help="Verify the checksums of the bundle in OUT; collect nothing.")
def bundle(
    *,
    out: Path,
    models: tuple[str, ...],
    tasks: tuple[str, ...],
    suite: str | None,
    data_dir: Path | None,
    offline: bool,
    check: bool,
) -> None:
    """Collect tasks, data, cards and weights in the folder OUT, with checksums.

    On the other machine, run bench inside this folder: its files take precedence over those that
    come with SLM Bench.
    """
    from bench.cli.network import decide_offline
    from bench.inputs.bundle import check_bundle, make_bundle
    from bench.inputs.cards import find_cards
    from bench.inputs.data import data_folder
    from bench.inputs.suite import chosen_tasks
    from bench.inputs.tasks import find_tasks
    from bench.inputs.weights import on_this_machine

    if check:
        click.echo(f"{check_bundle(out)} files match their checksums")
        return
    if not models:
        raise UsageError("--models is missing; --models available collects those on this machine")
    cards = find_cards(",".join(models), on_this_machine)
    files = find_tasks(chosen_tasks(tasks, suite))
    folder = data_folder(data_dir)
    offline = decide_offline(files, cards, folder, offline=offline)
    for line in make_bundle(out, files, cards, data_dir=folder, offline=offline):
        click.echo(line)
    click.echo(f"wrote {out}, with checksums and a README")
