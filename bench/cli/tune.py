"""`bench tune`: tune a model on the training questions of a task."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import options
from bench.cli.choices import ChoiceCommand, choice_flags
from bench.cli.recipe_options import RecipeOptions, recipe_options
from bench.errors import BenchError, UsageError, shown_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.cells.cell import Cell
    from bench.cells.wish import Settings
    from bench.inputs.adapter import Adapter, AdapterCard
    from bench.inputs.choices import Choices
    from bench.inputs.data import Split
    from bench.sweeps.tune_first import TuningFailed
    from bench.tuning.job import Job, Prepared, Step


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The options that say what is trained on."""

    limit: int | None
    train_file: Path | None
    data_dir: Path | None
    offline: bool


@click.command(cls=ChoiceCommand)
@click.option("--model", "-m", required=True, metavar="NAME", help="Model to tune.")
@click.option("--task", "-t", required=True, metavar="NAME", help="Task to tune on.")
@recipe_options
@choice_flags("quantize", "dtype", "prompt")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    metavar="N",
    help="Seed for the order of the examples and the initial adapter.",
)
@click.option(
    "--limit",
    type=click.IntRange(1),
    metavar="N",
    help="Train on the first N questions only. Default: all.",
)
@click.option(
    "--train-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="JSON Lines file to train on; wrong options beyond the task's number are dropped. "
    "Default: the task's train split.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for the adapter. Default: adapters/MODEL-TASK-METHOD.",
)
@click.option(
    "--tensorboard",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for TensorBoard logs. Default: none are written.",
)
@click.option("--fresh", is_flag=True, help="Replace an adapter that is already in the folder.")
@options.data_dir
@options.offline
@options.allow_pickle
@options.trust_remote_code
@options.as_json
@options.grouped("data", TrainingData)
def tune(
    *,
    model: str,
    task: str,
    recipe: RecipeOptions,
    choices: "Choices",
    seed: int,
    data: TrainingData,
    out: Path | None,
    tensorboard: Path | None,
    fresh: bool,
    allow_pickle: bool,
    trust_remote_code: bool,
    as_json: bool,
) -> None:
    """Tune a model on the training questions of a task and save the adapter.

    Training questions that equal or nearly equal a test question are dropped. The prompt is the one that
    is scored, and only the answer counts for the loss. An interrupted tuning resumes.
    """
    from bench.cells.adapted import tuning_job
    from bench.cells.wish import Settings
    from bench.inputs.weights import Trust

    recipe.check(choices.quantize)
    trust = Trust(pickle=allow_pickle, code=trust_remote_code)
    settings = Settings(seed=seed, trust=trust, allow_code=True)  # no metric runs
    choices = choices.model_copy(update={"exemplars": 0})
    cell, train, test = _cell_and_splits(model, task, choices, settings, data)
    folder = out or Path("adapters") / f"{cell.facts.model.name}-{cell.task.name}-{recipe.method}"
    full_recipe = recipe.complete(cell.facts.variant, seed)
    _check_folder(folder, fresh=fresh)
    _check_tensorboard(tensorboard)
    job = tuning_job(cell, full_recipe, train, test, folder, tensorboard, fresh=fresh)
    _run(job, as_json=as_json, data_dir=data.data_dir)


def _check_folder(folder: Path, *, fresh: bool) -> None:
    """Raises a UsageError if the adapter may not be written to the folder."""
    from bench.inputs.adapter import CARD

    if folder.exists() and not (folder / CARD).is_file():
        raise UsageError(
            f"{folder} exists and is not an adapter of SLM Bench; choose another folder with --out"
        )
    if folder.exists() and not fresh:
        raise UsageError(
            f"{folder} already holds an adapter; replace it with --fresh or choose another --out"
        )


def _check_tensorboard(folder: Path | None) -> None:
    from importlib.util import find_spec

    if folder and not find_spec("tensorboard"):
        raise UsageError("TensorBoard is not installed: pip install tensorboard")


def _cell_and_splits(
    model: str, task: str, choices: "Choices", settings: "Settings", data: TrainingData
) -> "tuple[Cell, Split, Split]":
    """The cell whose model is tuned, the training split and the test split."""
    from bench.cli.single_cell import plan_single_cell
    from bench.inputs.data import first_rows, load_split, read_rows

    planned = plan_single_cell(model, task, choices, settings, data.data_dir, offline=data.offline)
    file, folder, offline = planned.task, planned.folder, planned.offline
    test = load_split(file, "test", data_dir=folder, offline=offline)
    if data.train_file:
        train = read_rows(data.train_file)
    else:
        train = load_split(file, "train", data_dir=folder, offline=offline)
    if train is None:
        raise UsageError(f"task {task} has no train split; add data.splits.train, or give --train-file")
    assert test is not None
    return planned.cell, first_rows(train, data.limit), test


def _run(job: "Job", *, as_json: bool, data_dir: Path | None) -> None:
    try:
        _follow(job, as_json=as_json, data_dir=data_dir)
    except KeyboardInterrupt:
        click.echo("the last checkpoint is kept; run the same command to resume from it", err=True)
        raise


def _follow(job: "Job", *, as_json: bool, data_dir: Path | None) -> None:
    from bench.cli.describe_tuning import describe_outcome
    from bench.inputs.adapter import Adapter
    from bench.results.store import keep_trace
    from bench.sweeps.tune_first import TuningFailed, run_tuning

    for event in _show_events(job, run_tuning(job)):
        match event:
            case TuningFailed(reason=reason, traceback=trace):
                kept = keep_trace(job.out.with_name(f"{job.out.name}.traceback.txt"), trace)
                raise BenchError(f"tuning failed: {shown_line(reason)}{kept}")
            case Adapter(card=card) if card is not None:
                if as_json:
                    click.echo(card.model_dump_json(indent=1))
                else:
                    click.echo(describe_outcome(card.outcome))
                    click.echo(f"saved in {job.out}; to score it: {_scoring_command(card, job, data_dir)}")
            case _:
                pass


def _scoring_command(card: "AdapterCard", job: "Job", data_dir: Path | None) -> str:
    """The command that scores the original model and the tuned one."""
    from bench.inputs.choices import Choices, flags_of

    quantize = None if card.recipe.quantize == "none" else card.recipe.quantize
    arguments = ["bench", "run", "--models", card.base, "--tasks", job.asking.task.name]
    arguments += flags_of(Choices(quantize=quantize).made)
    arguments += ["--data-dir", str(data_dir)] if data_dir else []
    arguments += flags_of(Choices(lora="none").made) + flags_of(Choices(adapter=str(job.out)).made)
    return shlex.join(arguments)


def _show_events(
    job: "Job", events: "Iterator[Prepared | Step | Adapter | TuningFailed]"
) -> "Iterator[Prepared | Step | Adapter | TuningFailed]":
    """Shows and yields the events: a line for each held-out loss, and a live line in a terminal."""
    from rich.console import Console

    from bench.cli.describe_tuning import describe_prepared, describe_step
    from bench.tuning.job import Prepared, Step

    console = Console(stderr=True, highlight=False, markup=False)
    with console.status(f"loading {job.opening.card.name}") as status:
        for event in events:
            match event:
                case Prepared():
                    console.print(describe_prepared(event), soft_wrap=True)
                case Step(held_out_loss=None):
                    status.update(describe_step(event))
                case Step():
                    console.print(describe_step(event), soft_wrap=True)
                case _:
                    pass
            yield event
