"""`bench run --sweep FILE`: the file's values as defaults of flags, and its places in messages."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from bench.cli.choices import ChosenFlags
from bench.errors import FileError, UsageError

if TYPE_CHECKING:
    from bench.inputs.sweep_file import Sweep
    from bench.inputs.task import TaskFile

_SWEEP = "bench.sweep"
"""Where click's context keeps the path of the sweep file."""


def sweep_file(context: click.Context, _parameter: click.Parameter, path: Path | None) -> "Sweep | None":
    """The sweep file, whose values become the defaults of the flags."""
    if path is None:
        return None
    from bench.inputs.sweep_file import read_sweep

    sweep = read_sweep(path)
    context.meta[_SWEEP] = path
    given = sweep.model_dump(exclude={"title", "variants"}, exclude_none=True)
    context.default_map = {**(context.default_map or {}), **given}
    return sweep


@contextmanager
def in_sweep_file(*key: str | int) -> Generator[None]:
    """Let a UsageError about a value that the sweep file gives name its place there."""
    context = click.get_current_context()
    by_flag = context.get_parameter_source(str(key[0])) is ParameterSource.COMMANDLINE
    try:
        yield
    except UsageError as error:
        if by_flag or _SWEEP not in context.meta:
            raise
        from bench.inputs.sweep_file import mistake_in

        raise FileError([mistake_in(context.meta[_SWEEP], key, str(error))]) from error


def check_variants(sweep: "Sweep", choices: ChosenFlags, files: "Sequence[TaskFile]") -> None:
    """Raises a FileError where a variant of a sweep file contradicts itself, a flag or a task."""
    from bench.cells.variant import check_generation
    from bench.cells.wish import wishes_of

    for index, written in enumerate(sweep.variants):
        with in_sweep_file("variants", index):
            for one in choices.variants([written]):
                wishes_of([one], offline=True)
                for file in files:
                    check_generation(file.task, one)
