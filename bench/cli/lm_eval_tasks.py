"""Tasks of lm-evaluation-harness on the command line: `lm-eval:NAME`, converted to a task file of ours."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.errors import UsageError

if TYPE_CHECKING:
    from bench.inputs.task import TaskFile

LM_EVAL = "lm-eval:"
include_path = click.option(
    "--include-path",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder with more lm-eval YAML files, for lm-eval:NAME. Default: none.",
)


def is_of_lm_eval(name: str) -> bool:
    return name.startswith(LM_EVAL)


def named_task(
    name: str, included: Path | None, *, shown: bool = False, offline: bool
) -> "tuple[TaskFile, bool]":
    """A task by its name, its file or as lm-eval:NAME, and whether to work offline from now on.

    `shown` is whether exemplars are asked for. Raises a UsageError where there is no such task.
    """
    from bench.inputs.tasks import find_task

    offline = prepare([name], included, "a task named", offline=offline)
    if is_of_lm_eval(name):
        return converted(name, included, shown=shown), offline
    return find_task(name), offline


def prepare(names: "list[str]", included: Path | None, option: str, *, offline: bool) -> bool:
    """Whether to work offline from now on; called before lm-eval's libraries are imported.

    Raises a UsageError where a folder is included and no name is one of lm-eval's; `option` is what
    names them.
    """
    from bench.cli.network import check_hub

    if any(map(is_of_lm_eval, names)):
        return check_hub(offline=offline)
    if included is not None:
        raise UsageError(f"--include-path needs {option} lm-eval:NAME")
    return offline


def converted(name: str, included: Path | None, *, shown: bool = False) -> "TaskFile":
    """The task lm-eval:NAME as a task file in the cache folder; raises what `import_task` raises.

    `shown` is whether exemplars are asked for.
    """
    from bench.folders import cache_folder
    from bench.inputs.task import read_task
    from bench.lm_eval.task import import_task

    path = import_task(name.removeprefix(LM_EVAL), included, cache_folder() / "lm-eval", shown=shown)
    return read_task(path).model_copy(update={"named": name, "included": included is not None})
