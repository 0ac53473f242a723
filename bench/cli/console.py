"""The console that results are printed on."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from bench.board.column import Column


def stdout() -> Console:
    """A console on stdout, 160 columns wide if stdout is not a terminal."""
    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=160)


def new_table(title: str, columns: Sequence[Column]) -> Table:
    """A table with these columns and no rows."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, header_style="bold")
    for column in columns:
        if column.number:
            table.add_column(column.terminal_title, justify="right", no_wrap=True)
        else:
            table.add_column(column.terminal_title, overflow="fold")
    return table
