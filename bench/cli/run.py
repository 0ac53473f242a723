"""`bench run`: plan a sweep, run it, say what came out."""

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import options
from bench.cli.choices import ChoiceCommand, ChosenFlags, variant_flags
from bench.errors import BenchError, UsageError

if TYPE_CHECKING:
    from bench.cells.cell import Planned
    from bench.cells.wish import Settings
    from bench.inputs.cards import AnyCard
    from bench.inputs.choices import Choices
    from bench.inputs.sweep_file import Sweep
    from bench.inputs.task import TaskFile
    from bench.sweeps.events import Terms
    from bench.sweeps.executor import ExecutorKind

NOTHING_COULD_RUN = 5
LM_EVAL = "lm-eval:"


def _executor(_context: click.Context, _parameter: click.Parameter, name: str) -> "ExecutorKind":
    from bench.sweeps.executor import EXECUTORS

    return EXECUTORS.get(name)


def _sweep_file(context: click.Context, _parameter: click.Parameter, path: Path | None) -> "Sweep | None":
    """What the file says stands in for flags that are not given."""
    if path is None:
        return None
    from bench.inputs.sweep_file import read_sweep

    sweep = read_sweep(path)
    given = sweep.model_dump(exclude={"title", "variants"}, exclude_none=True)
    context.default_map = {**(context.default_map or {}), **given}
    return sweep


@click.command(cls=ChoiceCommand)
@click.option(
    "--sweep",
    type=click.Path(path_type=Path),
    is_eager=True,
    callback=_sweep_file,
    metavar="FILE",
    help="A YAML file with models, tasks and variants; flags override it.",
)
@click.option(
    "--models",
    "-m",
    multiple=True,
    required=True,
    metavar="SELECTION",
    help="all, available, names, globs, family:qwen, 'params<1B'; separate several with commas.",
)
@click.option(
    "--tasks",
    "-t",
    multiple=True,
    metavar="NAMES",
    help="Task names, YAML files or lm-eval:NAME, separated by commas; every task when left out.",
)
@click.option(
    "--include-path",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="A folder of lm-eval's YAML files, for lm-eval:NAME.",
)
@variant_flags
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the first N items: a partial run.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="For exemplars, samples and baselines.",
)
@options.data_dir
@options.results
@click.option("--fresh", is_flag=True, help="Run cells again that are done.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    metavar="N",
    help="Cells side by side, where memory holds them. They share the cores: each is slower, and with "
    "fewer threads scores in 16 bits differ by rounding. Compare cells of one N.",
)
@click.option(
    "--executor",
    default="local",
    show_default=True,
    metavar="NAME",
    callback=_executor,
    help="Where cells run: local is processes on this machine, --jobs of them at a time; installed "
    "packages can add others.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="End a cell that takes longer, tuning not counted; its answers are kept.",
)
@click.option(
    "--latency/--no-latency",
    default=False,
    help="Also measure 20 questions one at a time: p50 and p95 in seconds.",
)
@options.offline
@click.option("--strict", is_flag=True, help="What is not on this machine is an error.")
@click.option("--dry-run", is_flag=True, help="Print the plan and stop.")
@options.allow_pickle
@options.trust_remote_code
@click.option(
    "--allow-code",
    is_flag=True,
    help="Let a task's evaluate: metrics run: they are Python code of their own.",
)
@options.as_json
def run(
    *,
    sweep: "Sweep | None",
    models: tuple[str, ...],
    tasks: tuple[str, ...],
    include_path: Path | None,
    choices: ChosenFlags,
    limit: int | None,
    seed: int,
    data_dir: Path | None,
    results: Path,
    fresh: bool,
    jobs: int,
    executor: "ExecutorKind",
    timeout: float | None,
    latency: bool,
    offline: bool,
    strict: bool,
    dry_run: bool,
    allow_pickle: bool,
    trust_remote_code: bool,
    allow_code: bool,
    as_json: bool,
) -> None:
    """Score models on tasks and keep every answer.

    Flags marked [,...] take several values, separated by commas: each combination is one variant.

    \b
    Exit codes: 0 done, 1 a cell failed, 2 usage, 3 a file is wrong, 5 nothing could run.
    """  # noqa: D301 (click reads the backspace as "keep these lines")
    from bench.cells.wish import Settings
    from bench.cli.dry_run import show_plan
    from bench.inputs.weights import Trust
    from bench.sweeps.events import Terms

    settings = Settings(limit, seed, Trust(pickle=allow_pickle, code=trust_remote_code), allow_code)
    terms = Terms(fresh=fresh, timeout=timeout, jobs=jobs, latency=latency)
    variants = choices.variants(sweep.variants if sweep else ())
    files, cards, offline = _selected(tasks, models, include_path, offline=offline)
    cells = _planned(files, cards, variants, settings, data_dir, offline=offline, strict=strict)
    if dry_run:
        show_plan(cells, results, terms, as_json=as_json)
    else:
        raise SystemExit(_sweep(cells, results, terms, executor, as_json=as_json))


def _planned(
    files: "Sequence[TaskFile]",
    cards: "Sequence[AnyCard]",
    variants: "Sequence[Choices]",
    settings: "Settings",
    data_dir: Path | None,
    *,
    offline: bool,
    strict: bool,
) -> "list[Planned]":
    """The cells that can run on this machine; shows those that cannot, which `strict` makes an error."""
    from bench.cells.plan import plan
    from bench.cells.wish import wishes_of
    from bench.cli.dry_run import show_missing
    from bench.cli.network import settle_offline
    from bench.inputs.data import data_folder

    folder = data_folder(data_dir)
    offline = settle_offline(files, cards, folder, offline=offline)
    wishes = wishes_of(variants, offline=offline)
    cells, missing = plan(files, cards, wishes, settings, data_dir=folder, offline=offline)
    show_missing(missing)
    if strict and missing:
        raise BenchError(f"--strict was given, and not everything is on this machine (cells: {len(missing)})")
    return cells


def _sweep(
    cells: "Sequence[Planned]", results: Path, terms: "Terms", executor: "ExecutorKind", *, as_json: bool
) -> int:
    """Run the cells and report; returns the exit code."""
    from bench.cli.progress import progress
    from bench.cli.report import show_results
    from bench.results.store import check_writable
    from bench.sweeps.sweep import run_sweep

    check_writable(results)
    # Being told to end is as being interrupted: the running worker ends too, what is done is kept.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with progress(cells) as watch:
            finished = run_sweep(cells, results, terms, executor, watch)
    except KeyboardInterrupt:
        click.echo("every answer so far is kept; the same command goes on from there", err=True)
        raise
    show_results(finished, results, as_json=as_json)
    if not finished:
        return NOTHING_COULD_RUN
    return 1 if any(result.status != "done" for result in finished) else 0


def _selected(
    tasks: Sequence[str], models: Sequence[str], include_path: Path | None, *, offline: bool
) -> "tuple[list[TaskFile], list[AnyCard], bool]":
    """The tasks, the cards, and whether the hub turned out to be silent on the way."""
    from bench.cli.network import settle_hub
    from bench.inputs.cards import find_any_cards
    from bench.inputs.task import find_tasks
    from bench.inputs.weights import on_this_machine

    names = [name.strip() for term in tasks for name in term.split(",") if name.strip()]
    cards = find_any_cards(",".join(models), on_this_machine)
    foreign = [name for name in names if name.startswith(LM_EVAL)]
    if include_path is not None and not foreign:
        raise UsageError("--include-path goes with --tasks lm-eval:NAME")
    own = [name for name in names if name not in foreign]
    files = find_tasks(own) if own or not foreign else []
    if foreign:
        offline = settle_hub(offline=offline)  # before lm-eval's libraries are imported
    return [*files, *(_imported(name, include_path) for name in foreign)], cards, offline


def _imported(name: str, include_path: Path | None) -> "TaskFile":
    """A task of lm-eval's, in our form in the cache folder."""
    from bench.folders import cache_folder
    from bench.inputs.task import read_task
    from bench.lm_eval.task import import_task

    path = import_task(name.removeprefix(LM_EVAL), include_path, cache_folder() / "lm-eval")
    return read_task(path).model_copy(update={"named": name, "included": include_path is not None})
