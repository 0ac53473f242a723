"""`bench hub`: the commits of the hub that were downloaded first."""

import click


@click.group()
def hub() -> None:
    """List and accept what publishers change on the hub."""


@hub.command("list")
def list_commits() -> None:
    """List the commits that branches had when they were first downloaded."""
    from rich.table import Table

    from bench.cli.console import stdout
    from bench.inputs.hub_commits import first_downloads

    table = Table("repository", "kind", "revision", "commit", "since", box=None, header_style="bold")
    for first in first_downloads().values():
        table.add_row(first.hub, first.kind, first.revision, first.commit, str(first.date))
    stdout().print(table)


@hub.command()
@click.argument("hub_id")
def accept(*, hub_id: str) -> None:
    """Accept the files that HUB_ID has now: the commit of the next download is kept."""
    from bench.inputs.hub_commits import forget_commits

    for branch in forget_commits(hub_id):
        click.echo(f"{branch.hub}: the next download of {branch.revision} is accepted")
