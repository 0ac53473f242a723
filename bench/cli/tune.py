"""`bench tune`: make an adapter for a model from a task's training questions."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import options
from bench.cli.choices import ChoiceCommand, choice_flags
from bench.errors import BenchError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.cells.cell import Cell
    from bench.cells.wish import Settings
    from bench.inputs.adapter import Adapter, AdapterCard, Method
    from bench.inputs.choices import Choices
    from bench.inputs.data import Split
    from bench.sweeps.tune_first import TuningFailed
    from bench.tuning.job import Job, Prepared, Step

MINUTES = 10.0
EPOCHS = 3


@click.command(cls=ChoiceCommand)
@click.option("--model", "-m", required=True, metavar="NAME")
@click.option("--task", "-t", required=True, metavar="NAME")
@click.option(
    "--minutes", type=click.FloatRange(0, min_open=True), metavar="M", help="Budget; 10 by default."
)
@click.option("--steps", type=click.IntRange(1), metavar="N", help="Budget instead of minutes.")
@click.option("--epochs", type=click.IntRange(1), metavar="E", help="Budget instead of minutes.")
@click.option(
    "--method",
    type=click.Choice(["lora", "full"]),
    default="lora",
    show_default=True,
    help="An adapter beside the model, or all its weights (3 epochs by default).",
)
@click.option(
    "--rank", type=click.IntRange(1), default=8, show_default=True, metavar="R", help="LoRA's rank."
)
@click.option(
    "--target",
    default="all-linear",
    show_default=True,
    metavar="LAYERS",
    help="The layers that LoRA changes: all-linear, or names with commas.",
)
@click.option("--learning-rate", type=click.FloatRange(0, min_open=True), metavar="LR")
@click.option("--batch", type=click.IntRange(1), default=8, show_default=True, metavar="N")
@click.option(
    "--held-out",
    type=click.FloatRange(0, 0.5),
    default=0.1,
    show_default=True,
    metavar="SHARE",
    help="Of the training questions, at most 64: they choose the checkpoint and end the tuning. 0: none.",
)
@choice_flags("quantize", "dtype", "prompt")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the first N training questions.")
@click.option(
    "--train-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="JSON Lines to train on instead of the task's train split; extra wrong options are dropped.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The adapter's folder; adapters/MODEL-TASK-METHOD when left out.",
)
@click.option("--tensorboard", type=click.Path(path_type=Path), metavar="DIR", help="Write TensorBoard logs.")
@click.option("--fresh", is_flag=True, help="Replace an adapter that is there.")
@options.data_dir
@options.offline
@options.allow_pickle
@options.trust_remote_code
@options.as_json
def tune(
    *,
    model: str,
    task: str,
    minutes: float | None,
    steps: int | None,
    epochs: int | None,
    method: "Method",
    rank: int,
    target: str,
    learning_rate: float | None,
    batch: int,
    held_out: float,
    choices: "Choices",
    seed: int,
    limit: int | None,
    train_file: Path | None,
    out: Path | None,
    tensorboard: Path | None,
    fresh: bool,
    data_dir: Path | None,
    offline: bool,
    allow_pickle: bool,
    trust_remote_code: bool,
    as_json: bool,
) -> None:
    """Tune a model on a task's training questions and keep the adapter.

    Questions that are tested too, exactly or nearly, are dropped first. The loss is on the answer
    alone, in the very prompt that is scored. A tuning that was stopped goes on where it was.
    """
    from bench.cells.adapted import LEARNING_RATE, tuning_job
    from bench.cells.wish import Settings
    from bench.inputs.adapter import Recipe
    from bench.inputs.weights import Trust

    if sum(budget is not None for budget in (minutes, steps, epochs)) > 1:
        raise UsageError("give one of --minutes, --steps and --epochs")
    if method == "full" and choices.quantize not in (None, "none"):
        raise UsageError("--method full trains the weights themselves: leave --quantize out")
    if minutes is steps is epochs is None:
        minutes, epochs = (None, EPOCHS) if method == "full" else (MINUTES, None)
    trust = Trust(pickle=allow_pickle, code=trust_remote_code)
    settings = Settings(seed=seed, trust=trust, allow_code=True)  # no metric runs
    choices = choices.model_copy(update={"exemplars": 0})
    cell, train, test = _cell_and_splits(
        model, task, choices, settings, train_file, limit, data_dir, offline=offline
    )
    variant = cell.facts.variant
    assert variant.dtype is not None
    if variant.dtype == "float16":
        raise UsageError("tuning in float16 overflows; use --dtype bfloat16 or float32")
    recipe = Recipe(
        method=method, minutes=minutes, steps=steps, epochs=epochs, rank=rank, target=target,
        learning_rate=learning_rate or LEARNING_RATE[method], batch=batch, held_out=held_out, seed=seed,
        quantize=variant.quantize, dtype=variant.dtype, prompt=variant.prompt,
    )  # fmt: skip
    place = out or Path("adapters") / f"{cell.facts.model.name}-{cell.task.name}-{method}"
    _check_free(place, fresh=fresh)
    _check_tensorboard(tensorboard)
    job = tuning_job(cell, recipe, train, test, place, tensorboard, fresh=fresh)
    _run(job, as_json=as_json, data_dir=data_dir)


def _check_free(place: Path, *, fresh: bool) -> None:
    from bench.inputs.adapter import CARD

    if place.exists() and not (place / CARD).is_file():
        raise UsageError(f"{place} is there and no adapter of ours; give another --out")
    if place.exists() and not fresh:
        raise UsageError(f"there is an adapter in {place}; --fresh replaces it, --out names another place")


def _check_tensorboard(folder: Path | None) -> None:
    from importlib.util import find_spec

    if folder and not find_spec("tensorboard"):
        raise UsageError("TensorBoard is not installed: pip install tensorboard")


def _cell_and_splits(
    model: str,
    task: str,
    choices: "Choices",
    settings: "Settings",
    train_file: Path | None,
    limit: int | None,
    data_dir: Path | None,
    *,
    offline: bool,
) -> "tuple[Cell, Split, Split]":
    """The cell whose model is tuned, what it is trained on and what it will be tested on."""
    from bench.cli.selection import one_cell
    from bench.inputs.data import first_rows, load_split, read_rows

    selected = one_cell(model, task, choices, settings, data_dir, offline=offline)
    folder, offline = selected.folder, selected.offline
    test = load_split(selected.task, "test", data_dir=folder, offline=offline)
    train = (
        read_rows(train_file)
        if train_file
        else load_split(selected.task, "train", data_dir=folder, offline=offline)
    )
    if train is None:
        raise UsageError(f"task {task} names no train split: add data.splits.train, or give --train-file")
    assert test is not None
    return selected.cell, first_rows(train, limit), test


def _run(job: "Job", *, as_json: bool, data_dir: Path | None) -> None:
    try:
        _follow(job, as_json=as_json, data_dir=data_dir)
    except KeyboardInterrupt:
        click.echo("what is done is kept; the same command goes on from the last checkpoint", err=True)
        raise


def _follow(job: "Job", *, as_json: bool, data_dir: Path | None) -> None:
    from bench.cli import tune_words
    from bench.inputs.adapter import Adapter
    from bench.sweeps.tune_first import TuningFailed, run_tuning

    for event in _shown(job, run_tuning(job)):
        match event:
            case TuningFailed(reason=reason, traceback=trace):
                click.echo(trace, err=True, nl=False)
                raise BenchError(f"tuning failed: {reason}")
            case Adapter(card=card) if card is not None:
                if as_json:
                    click.echo(card.model_dump_json(indent=1))
                else:
                    click.echo(tune_words.outcome(card.outcome))
                    click.echo(f"kept in {job.out}; score it: {_scoring(card, job, data_dir)}")
            case _:
                pass


def _scoring(card: "AdapterCard", job: "Job", data_dir: Path | None) -> str:
    """The command that scores the untouched model and the tuned one."""
    from bench.inputs.choices import Choices, flags_of

    quantize = None if card.recipe.quantize == "none" else card.recipe.quantize
    words = ["bench", "run", "--models", card.base, "--tasks", job.asking.task.name]
    words += flags_of(Choices(quantize=quantize).made)
    words += ["--data-dir", str(data_dir)] if data_dir else []
    words += flags_of(Choices(lora="none").made) + flags_of(Choices(adapter=str(job.out)).made)
    return shlex.join(words)


def _shown(
    job: "Job", events: "Iterator[Prepared | Step | Adapter | TuningFailed]"
) -> "Iterator[Prepared | Step | Adapter | TuningFailed]":
    """The events, shown as they pass: a live line in a terminal, lines at each check elsewhere."""
    from rich.console import Console

    from bench.cli import tune_words
    from bench.tuning.job import Prepared, Step

    console = Console(stderr=True, highlight=False, markup=False)
    with console.status(f"loading {job.opening.card.name}") as status:
        for event in events:
            match event:
                case Prepared():
                    console.print(tune_words.prepared(event), soft_wrap=True)
                case Step(held_out_loss=None):
                    status.update(tune_words.step(event))
                case Step():
                    console.print(tune_words.step(event), soft_wrap=True)
                case _:
                    pass
            yield event
