"""`bench leaderboard`."""

import click


@click.group()
def leaderboard() -> None:
    """Build the page from the results, look at it."""
