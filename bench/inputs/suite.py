"""A suite: a YAML file in `suites/` that names tasks which are run together, each with its weight."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import BeforeValidator, Field

from bench.config import Name, Strict, check_name, line_of, read_each, read_yaml
from bench.errors import FileError, Mistake, there_are
from bench.folders import display, named_files, yaml_files


def _weights(raw: Any) -> Any:
    """A plain list of names as `{name: 1}`; for a field of tasks and weights."""
    if not isinstance(raw, (list, dict)) or not raw:
        raise ValueError("write a list of tasks, or an object of tasks and weights: {medqa: 2, pubmedqa: 1}")
    if isinstance(raw, dict):
        return cast("object", raw)
    names = cast("list[object]", raw)
    for number, name in enumerate(names):
        if not isinstance(name, str):
            raise ValueError(f"{name!r} is not the name of a task")
        if name in names[:number]:
            raise ValueError(f"'{name}' is named twice")
    return dict.fromkeys(names, 1.0)


Weight = Annotated[float, Field(gt=0, le=100_000, allow_inf_nan=False, strict=True)]
TaskWeights = Annotated[dict[str, Weight], BeforeValidator(_weights)]
"""Tasks with the weight of each; in a file, a list of names, too."""


class Suite(Strict):
    """A suite file's contents. `tasks` are names with the weight of each in a mean over the suite."""

    name: Name
    title: str
    description: str = ""
    tasks: TaskWeights


def read_suite(path: Path) -> Suite:
    """Read one suite; raises a FileError with all its mistakes, such as a task that does not exist."""
    suite = read_yaml(path, Suite)
    check_name(suite.name, path)
    check_tasks(path, suite.tasks, yaml_files("tasks"), "task")
    return suite


def check_tasks(path: Path, tasks: Collection[str], known: Collection[str], kind: str) -> None:
    """Raise a FileError for those of a file's `tasks` that are not known; `kind` says what is: "task"."""
    mistakes = [
        Mistake(
            display(path),
            line_of(path, ("tasks", name)) or line_of(path, ("tasks", number)),
            f"tasks.{name}",
            f"no {kind} is named '{name}'{there_are(name, known)}",
        )
        for number, name in enumerate(tasks)
        if name not in known
    ]
    if mistakes:
        raise FileError(mistakes)


def find_suite(name: str) -> Suite:
    """The suite of that name in the `suites` folders, or of that path.

    Raises a UsageError where there is none, and a FileError with the mistakes of its file.
    """
    [path] = named_files("suites", [name], globs=False)
    return read_suite(path)


def suites_and_mistakes() -> tuple[list[Suite], list[Mistake]]:
    """Every suite in the `suites` folders that can be read, sorted, and the mistakes of the others."""
    return read_each(named_files("suites"), read_suite)


def chosen_tasks(terms: Sequence[str], suite: str | None) -> list[str]:
    """The names that `--suite` and `--tasks` give together, the suite's first; `terms` may hold commas."""
    names = [name.strip() for term in terms for name in term.split(",")]
    return [*(find_suite(suite).tasks if suite else ()), *filter(None, names)]
