"""`bench run`: plan a sweep, run it, print the results."""

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import cluster_options, lm_eval_tasks, options
from bench.cli.choices import ChoiceCommand, ChosenFlags, variant_flags
from bench.cli.sweep_option import check_variants, in_sweep_file, sweep_file
from bench.errors import BenchError, Unavailable

if TYPE_CHECKING:
    from bench.cells.cell import Planned
    from bench.cells.plan import Missing
    from bench.cells.shards import Share
    from bench.cells.wish import Settings
    from bench.inputs.cards import AnyCard
    from bench.inputs.choices import Choices
    from bench.inputs.sweep_file import Sweep
    from bench.inputs.task import TaskFile
    from bench.sweeps.events import Terms
    from bench.sweeps.executor import ExecutorKind
    from bench.types import LimitOrder, ProbeName

NOTHING_COULD_RUN = 5


@dataclass(frozen=True, slots=True)
class Selection:
    """The options that say what runs; `strict` makes anything missing on this machine an error."""

    models: tuple[str, ...]
    tasks: tuple[str, ...]
    suite: str | None
    include_path: Path | None
    data_dir: Path | None
    offline: bool
    strict: bool
    shard: "Share | None" = None


@click.command(cls=ChoiceCommand)
@click.option(
    "--sweep",
    type=click.Path(path_type=Path),
    is_eager=True,
    callback=sweep_file,
    metavar="FILE",
    help="YAML file with models, tasks or a suite, and variants; flags override it. Default: none.",
)
@click.option(
    "--models",
    "-m",
    multiple=True,
    required=True,
    metavar="SELECTION",
    help=f"Models to score: {options.SELECTION}.",
)
@click.option(
    "--tasks",
    "-t",
    multiple=True,
    metavar="NAMES",
    help="Task names, globs, YAML files or lm-eval:NAME; separate several with commas. "
    "Default: every task, or those of --suite.",
)
@options.suite
@lm_eval_tasks.include_path
@variant_flags
@click.option(
    "--limit",
    type=click.IntRange(1),
    metavar="N",
    help="Score only N items: a partial run. Default: all items.",
)
@click.option(
    "--limit-order",
    type=click.Choice(["drawn", "file"]),
    default="drawn",
    show_default=True,
    help="Which items --limit takes. drawn: a draw that is the same for every model and seed. "
    "file: the first N.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    metavar="N",
    help="Seed for drawing exemplars, sampling replies and random baselines.",
)
@options.data_dir
@options.results_of_run
@click.option("--fresh", is_flag=True, help="Rerun cells that are already done. Default: skip them.")
@cluster_options.jobs
@cluster_options.executor
@cluster_options.placement
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="Stop a cell that takes longer, not counting tuning, and keep its answers. Default: no limit.",
)
@click.option(
    "--latency/--no-latency",
    default=False,
    help="Also measure the latency of 20 items one at a time: p50 and p95 in seconds. Default: no.",
)
@options.probes
@cluster_options.shard
@options.offline
@click.option(
    "--strict", is_flag=True, help="Fail if a model or a task is not on this machine. Default: skip it."
)
@click.option("--dry-run", is_flag=True, help="Print the plan; run nothing.")
@options.allow_pickle
@options.trust_remote_code
@options.send_to
@click.option(
    "--allow-code",
    is_flag=True,
    help="Allow evaluate: metrics of tasks, which run Python code of their own.",
)
@options.as_json
@options.grouped("selection", Selection)
@options.grouped("permissions", options.Permissions)
@options.grouped("cluster", cluster_options.Cluster)
def run(
    *,
    sweep: "Sweep | None",
    selection: Selection,
    choices: ChosenFlags,
    limit: int | None,
    limit_order: "LimitOrder",
    seed: int,
    results: Path,
    fresh: bool,
    jobs: int,
    executor: "ExecutorKind",
    cluster: cluster_options.Cluster,
    timeout: float | None,
    latency: bool,
    probes: "tuple[ProbeName, ...]",
    dry_run: bool,
    permissions: options.Permissions,
    as_json: bool,
) -> None:
    """Score models on tasks and keep every answer.

    Flags marked [,...] take several values, separated by commas: each combination is one variant.

    \b
    Exit codes: 0 all cells are done, 1 a cell failed, 2 wrong usage, 3 a file is wrong,
    5 nothing could run.
    """  # noqa: D301 (click reads the backspace as "keep these lines")
    from bench.cells.wish import Settings
    from bench.sweeps.events import Terms

    settings = Settings(limit, seed, permissions.trust, permissions.allow_code, limit_order)
    terms = Terms(fresh, timeout, jobs, latency, probes, placement=cluster.placement(executor))
    cells = _planned(selection, choices, sweep, settings)
    if dry_run:
        from bench.cli.dry_run import show_plan

        show_plan(cells, results, terms, as_json=as_json)
    else:
        raise SystemExit(_sweep(cells, results, terms, executor, as_json=as_json))


def _planned(
    selection: Selection, choices: ChosenFlags, sweep: "Sweep | None", settings: "Settings"
) -> "list[Planned]":
    """The cells that can run on this machine; prints what is missing for the others."""
    from bench.cells.shards import in_share
    from bench.cli.data_warnings import show_data_warnings
    from bench.cli.missing import show_gated, show_missing

    variants = choices.variants(sweep.variants if sweep else ())
    check = partial(check_variants, sweep, choices) if sweep else None
    cells, missing, cards, offline = plan_selected(selection, variants, settings, check)
    show_missing(missing)
    show_data_warnings(cells)
    show_gated(cards, offline=offline)
    if selection.strict and missing:
        raise BenchError(f"--strict was given, and not everything is on this machine (cells: {len(missing)})")
    if selection.shard is None:
        return cells
    shared = list(in_share(cells, selection.shard))
    if cells and not shared:
        click.echo("no cell has so many shards: there is nothing to do", err=True)
        raise SystemExit(0)
    return shared


def plan_selected(
    selection: Selection,
    variants: "Sequence[Choices]",
    settings: "Settings",
    check: "Callable[[Sequence[TaskFile]], None] | None" = None,
) -> "tuple[list[Planned], list[Missing], list[AnyCard], bool]":
    """The cells that can run on this machine, what is missing, the cards, and whether it works offline.

    `check` is called with the tasks before their data are read.
    """
    from bench.cells.plan import plan
    from bench.cells.wish import wishes_of
    from bench.cli.network import decide_offline
    from bench.inputs.data import data_folder

    shown = any(choices.exemplars for choices in variants)
    files, unavailable, cards, offline = _selected(selection, shown=shown)
    if check:
        check(files)
    folder = data_folder(selection.data_dir)
    offline = decide_offline(files, cards, folder, offline=offline)
    wishes = wishes_of(variants, offline=offline)
    cells, missing = plan(files, cards, wishes, settings, data_dir=folder, offline=offline)
    return cells, [*unavailable, *missing], cards, offline


def _sweep(
    cells: "Sequence[Planned]", results: Path, terms: "Terms", executor: "ExecutorKind", *, as_json: bool
) -> int:
    """Run the cells and print the results; returns the exit code."""
    from bench.results.store import check_writable
    from bench.sweeps.sweep import run_sweep

    check_writable(results)
    order = executor.ordered(cells, terms)  # and servers of workers import, while we import the rest
    from bench.cli.progress import progress
    from bench.cli.report import show_results

    # SIGTERM is handled like Ctrl-C: the running worker ends too, and the answers so far are kept.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with progress(order) as watch:
            finished = run_sweep(cells, results, terms, executor, watch, order)
    except KeyboardInterrupt:
        click.echo("all answers so far are kept; run the same command to resume", err=True)
        raise
    show_results(finished, results, as_json=as_json)
    if not finished:
        return NOTHING_COULD_RUN
    return 1 if any(result.status != "done" for result in finished) else 0


def _selected(
    selection: Selection, *, shown: bool
) -> "tuple[list[TaskFile], list[Missing], list[AnyCard], bool]":
    """The tasks, those that are out of reach, the cards, and whether to work offline from now on.

    `shown` is whether a variant asks for exemplars.
    """
    from bench.cells.plan import Missing
    from bench.inputs.cards import find_any_cards
    from bench.inputs.suite import chosen_tasks
    from bench.inputs.tasks import find_tasks
    from bench.inputs.weights import on_this_machine

    with in_sweep_file("suite"):
        names = chosen_tasks(selection.tasks, selection.suite)
    with in_sweep_file("models"):
        cards = find_any_cards(",".join(selection.models), on_this_machine)
    foreign = [name for name in names if lm_eval_tasks.is_of_lm_eval(name)]
    folder = selection.include_path
    offline = lm_eval_tasks.prepare(foreign, folder, "--tasks", offline=selection.offline)
    own = [name for name in names if name not in foreign]
    with in_sweep_file("tasks"):
        files = find_tasks(own) if own or not foreign else []
    imported = [_imported(name, folder, shown=shown) for name in foreign]
    missing = [task for task in imported if isinstance(task, Missing)]
    files += [task for task in imported if not isinstance(task, Missing)]
    return files, missing, cards, offline


def _imported(name: str, include_path: Path | None, *, shown: bool) -> "TaskFile | Missing":
    from bench.cells.plan import Missing

    try:
        return lm_eval_tasks.converted(name, include_path, shown=shown)
    except Unavailable as error:
        return Missing("", name, error.reason, error.remedy, error.general)
