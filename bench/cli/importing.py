"""`bench import`: put the runs of another program on the board."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import lm_eval_tasks, options
from bench.errors import BenchError, FileError, Mistake, UsageError

if TYPE_CHECKING:
    from bench.inputs.model_card import ModelCard
    from bench.lm_eval.mapping import Target


@click.group("import")
def importing() -> None:
    """Import runs of other programs. The board marks them as imported."""


@importing.command("lm-eval")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@options.results
@click.option("--task", metavar="NAME", help="Import this lm-eval task only. Default: every task.")
@click.option(
    "--as",
    "task_of_ours",
    metavar="TASK",
    help="Import it as a run of this task: a name, a YAML file or lm-eval:NAME. Only a run that was asked "
    "exactly the same is imported. Default: as a task of its own.",
)
@click.option(
    "--model",
    metavar="NAME",
    help="The card of the model that was run; the run gets its name. Default: as lm-eval names it.",
)
@lm_eval_tasks.include_path
@options.data_dir
@options.offline
@click.option("--fresh", is_flag=True, help="Replace runs that were imported before with different answers.")
def lm_eval(
    *,
    folder: Path,
    results: Path,
    task: str | None,
    task_of_ours: str | None,
    model: str | None,
    include_path: Path | None,
    data_dir: Path | None,
    offline: bool,
    fresh: bool,
) -> None:
    """Import the multiple-choice tasks that 'lm_eval --output_path DIR --log_samples' wrote to DIR.

    What lm-eval does not report, such as memory and machine, stays unknown. Exit code 1 if a run is not
    imported, 3 if a file is wrong.
    """
    from bench.lm_eval.importing import As, import_runs

    target = _target(task_of_ours, include_path, data_dir, offline=offline)
    given = As(target, _card(model) if model else None)
    mistakes: list[Mistake] = []
    failed = 0
    for outcome in import_runs(folder, results, task, fresh=fresh, given=given):
        if isinstance(outcome, FileError):
            mistakes += outcome.mistakes
            continue
        click.echo(f"{outcome.kind}: {outcome.message}", err=outcome.kind not in ("imported", "unchanged"))
        failed += outcome.kind in ("differs", "no samples", "not the same")
    if mistakes:
        raise FileError(mistakes)
    if failed:
        raise BenchError(f"{failed} {'run' if failed == 1 else 'runs'} not imported")


def _target(
    name: str | None, include_path: Path | None, data_dir: Path | None, *, offline: bool
) -> "Target | None":
    """The task of ours as which runs are imported."""
    from bench.cli.network import decide_offline
    from bench.inputs.data import data_folder
    from bench.lm_eval.mapping import Target

    if name is None:
        if include_path is not None:
            raise UsageError("--include-path needs --as lm-eval:NAME")
        return None
    file, offline = lm_eval_tasks.named_task(name, include_path, offline=offline)
    folder = data_folder(data_dir)
    return Target(file, folder, decide_offline([file], [], folder, offline=offline))


def _card(name: str) -> "ModelCard":
    """The card of a model that lm-eval can have run."""
    from bench.inputs.cards import find_cards
    from bench.inputs.weights import on_this_machine

    files = find_cards(name, on_this_machine)
    if len(files) != 1 or files[0].card.is_baseline:
        names = ", ".join(file.name for file in files)
        raise UsageError(f"--model needs one model that lm-eval can run, and '{name}' is {names}")
    return files[0].card
