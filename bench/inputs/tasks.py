"""Task files by name: the named ones, those that a glob matches, or all."""

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench.config import read_each
from bench.errors import FileError, Mistake, UsageError, there_are
from bench.folders import is_file, yaml_files
from bench.inputs.task import TaskFile, read_task


def task_paths(names: Sequence[str] = ()) -> list[Path]:
    """The files of the named tasks, in this order, or of all in the `tasks` folders, sorted.

    A name may be a glob (`mmlu_*`) or a path to a file. Raises a UsageError for a name or a glob without
    a task.
    """
    known = yaml_files("tasks")
    paths = [path for name in names for path in _paths(name, known)]
    return list(dict.fromkeys(paths)) if names else list(known.values())


def find_tasks(names: Sequence[str] = ()) -> list[TaskFile]:
    """The tasks of `task_paths`; no other file is read.

    Raises a UsageError also where two tasks have one name, and a FileError with the mistakes of all files.
    """
    paths: dict[str, Path] = {}
    for path in task_paths(names):
        if paths.setdefault(path.stem, path).resolve() != path.resolve():
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
    return read_each(task_paths(), read_task)


def _paths(name: str, known: Mapping[str, Path]) -> Iterator[Path]:
    if name in known:
        yield known[name]
    elif name.endswith(".yaml") or is_file(Path(name)):
        yield Path(name)
    elif matches := fnmatch.filter(known, name):
        yield from (known[match] for match in matches)
    else:
        verb = "matches" if any(sign in name for sign in "*?[") else "is named"
        raise UsageError(f"no task {verb} '{name}'{there_are(name, known)} (bench tasks list)")
