"""`bench probe`: what a model may have seen of a task before it was asked."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import lm_eval_tasks, options
from bench.cli.choices import ChoiceCommand, choice_flags

if TYPE_CHECKING:
    from bench.inputs.choices import Choices
    from bench.results.contamination import ContaminationTest
    from bench.sweeps.contamination import Probe


@click.group()
def probe() -> None:
    """Look for signs that a model saw a task's questions in training."""


@dataclass(frozen=True, slots=True)
class Orders:
    """The options that say which orders are scored."""

    limit: int | None
    shuffles: int
    shard_tokens: int
    seed: int


@dataclass(frozen=True, slots=True)
class Places:
    """The options that say where data and weights come from, and what they may do."""

    include_path: Path | None
    data_dir: Path | None
    offline: bool
    allow_pickle: bool
    trust_remote_code: bool
    send_to: tuple[str, ...]


@probe.command(cls=ChoiceCommand)
@click.option("--model", "-m", required=True, metavar="NAME", help="Model to test: a decoder-only one.")
@click.option("--task", "-t", required=True, metavar="NAME", help="Task whose test questions are scored.")
@lm_eval_tasks.include_path
@click.option(
    "--limit",
    type=click.IntRange(1),
    metavar="N",
    help="Only the first N questions in published order. Default: all.",
)
@click.option(
    "--shuffles",
    type=click.IntRange(1),
    default=9,
    show_default=True,
    metavar="N",
    help="Random orders of each shard, besides the published one.",
)
@click.option(
    "--shard-tokens",
    type=click.IntRange(16),
    default=1024,
    show_default=True,
    metavar="N",
    help="Most tokens of a shard, which is a run of consecutive questions; fewer where the model's window is "
    "smaller.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    metavar="N",
    help="Seed for the random orders and for p.",
)
@choice_flags("dtype", "quantize", "adapter", "engine", "gguf")
@options.data_dir
@options.results
@click.option("--fresh", is_flag=True, help="Make a test again that was made before. Default: show it.")
@options.offline
@options.allow_pickle
@options.trust_remote_code
@options.send_to
@options.as_json
@options.grouped("orders", Orders)
@options.grouped("places", Places)
def contamination(
    *,
    model: str,
    task: str,
    orders: Orders,
    choices: "Choices",
    places: Places,
    results: Path,
    fresh: bool,
    as_json: bool,
) -> None:
    """Test whether a model finds a task's published order likelier than shuffled ones.

    A model that was trained on the file of a data set may know the order of its questions; to other models
    that order means nothing. p is the probability of what is seen, or more, for a model that never saw the
    order. It is evidence, and changes no score. The test is kept in the results folder, in contamination/.
    """
    from bench.board.contamination import details, sentence
    from bench.results.contamination import file_of
    from bench.results.mirrored import send
    from bench.results.store import check_writable

    check_writable(results)
    wanted = _probe(model, task, orders, choices, places)
    path = file_of(results, wanted.asked)
    before = None if fresh else _done_before(path)
    send(results, path.relative_to(results))
    test = before or _run(wanted, results, fresh=fresh)
    if as_json:
        click.echo(test.model_dump_json(indent=1))
    else:
        click.echo(f"{test.cell.model.title} on {test.cell.task.title}: {sentence(test)}")
        for name, value in details(test):
            click.echo(f"  {name:<37} {value}")
    click.echo(f"done before; --fresh makes it again: {path}" if before else f"saved in {path}", err=True)


def _done_before(path: Path) -> "ContaminationTest | None":
    """The test in the file; None where there is none, or it is damaged."""
    from bench.errors import FileError
    from bench.results.contamination import read_test
    from bench.results.summary import NewerFile

    if not path.is_file():
        return None
    try:
        return read_test(path)
    except NewerFile:
        raise
    except FileError as error:
        click.echo(f"{error}; it is made again", err=True)
        return None


def _probe(model: str, task: str, orders: Orders, choices: "Choices", places: Places) -> "Probe":
    from bench.cells.repeat import probe_command
    from bench.cells.wish import Settings
    from bench.cli.single_cell import one_card, plan_one
    from bench.inputs.weights import Trust
    from bench.sweeps.contamination import check_model, probe_of

    hosts = options.hosts(places.send_to)
    trust = Trust(pickle=places.allow_pickle, code=places.trust_remote_code, send_to=hosts)
    card = one_card(model)
    check_model(card.card)
    file, offline = lm_eval_tasks.named_task(task, places.include_path, offline=places.offline)
    settings = Settings(
        limit=orders.limit, limit_order="file", trust=trust, allow_code=True
    )  # no metric runs
    plain = choices.model_copy(update={"prompt": "plain", "exemplars": 0})
    cell = plan_one(card, file, plain, settings, places.data_dir, offline=offline).cell
    own = {"shuffles": orders.shuffles, "shard_tokens": orders.shard_tokens, "seed": orders.seed}
    command = probe_command(file, cell.facts, choices, settings, {**own})
    return probe_of(cell, command=command, **own)


def _run(wanted: "Probe", results: Path, *, fresh: bool) -> "ContaminationTest":
    """Run the probe with a progress bar, in questions."""
    from bench.cli.progress import progress
    from bench.results.contamination import ContaminationTest
    from bench.sweeps.contamination import run_probe

    with progress([wanted.cell]) as show:
        for event in run_probe(wanted, results, fresh=fresh):
            if isinstance(event, ContaminationTest):
                return event
            show(wanted.cell, event)
    raise AssertionError("a probe ends with its test or an error")
