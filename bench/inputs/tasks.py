"""Task files by name: the named ones, those that a glob matches, or all."""

from collections.abc import Sequence
from pathlib import Path

from bench.config import read_each
from bench.errors import FileError, Mistake, UsageError
from bench.folders import named_files
from bench.inputs.task import TaskFile, read_task
from bench.plain_files import real


def find_tasks(names: Sequence[str] = ()) -> list[TaskFile]:
    """The named tasks in the `tasks` folders, or all, as `named_files` finds them; no other file is read.

    Raises a UsageError also where two tasks have one name, and a FileError with the mistakes of all files.
    """
    paths: dict[str, Path] = {}
    for path in named_files("tasks", names):
        if real(paths.setdefault(path.stem, path)) != real(path):
            raise UsageError(f"two tasks are named '{path.stem}': {paths[path.stem]} and {path}")
    files, mistakes = read_each(paths.values(), read_task)
    if mistakes:
        raise FileError(mistakes)
    return files


def find_task(name: str) -> TaskFile:
    """The one task of that name; raises as `find_tasks`, and a UsageError for a glob that matches several."""
    files = find_tasks([name])
    if len(files) > 1:
        names = ", ".join(file.task.name for file in files)
        raise UsageError(f"'{name}' matches {len(files)} tasks, and one is needed: {names}")
    return files[0]


def tasks_and_mistakes() -> tuple[list[TaskFile], list[Mistake]]:
    """Every task in the `tasks` folders that can be read, sorted, and the mistakes of the others."""
    return read_each(named_files("tasks"), read_task)
