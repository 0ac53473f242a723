"""`bench models`."""

import click


@click.group()
def models() -> None:
    """Look at model cards, add one."""
