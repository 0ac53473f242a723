"""Write the command reference from the commands' own help: python docs/cli_reference.py docs/cli.md."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from bench.cli import main


def sections(command: click.Command, name: str, parent: click.Context | None) -> Iterator[str]:
    """A heading and the help text of a command and all below it."""
    context = click.Context(
        command,
        info_name=name,
        parent=parent,
        max_content_width=100,
        terminal_width=100,
        help_option_names=["-h", "--help"],
    )
    yield f"## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for child in sorted(command.list_commands(context)):
            below = command.get_command(context, child)
            assert below is not None
            yield from sections(below, child, context)


def reference() -> str:
    head = "# Commands\n\nMade by `make reference` from the commands' own help.\n"
    return "\n".join([head, *sections(main, "bench", None)])


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
