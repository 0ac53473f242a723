"""The console that results are printed on."""

from rich.console import Console


def stdout() -> Console:
    """A console on stdout: 160 columns wide where no terminal sets a width."""
    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=160)
