"""`bench run`: plan a sweep, run it, say what came out."""

import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
from click.core import ParameterSource

from bench.cli import options
from bench.errors import BenchError, UsageError
from bench.types import Quantization

if TYPE_CHECKING:
    from bench.inputs.adapter import Adapter
    from bench.inputs.model_card import CardFile
    from bench.inputs.sweep import Sweep, SweepVariant
    from bench.inputs.task import TaskFile
    from bench.runs.adapting import Quick
    from bench.runs.cell import Cell
    from bench.runs.events import Terms

NOTHING_COULD_RUN = 5
LM_EVAL = "lm-eval:"


def _kinds(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[str, ...]:
    return _listed(value, get_args(Quantization))


def _listed(value: str, known: Sequence[str]) -> tuple[str, ...]:
    """ "none,nf4" -> ("none", "nf4")."""
    kinds = tuple(dict.fromkeys(part.strip() for part in value.split(",")))
    for kind in kinds:
        if kind not in known:
            raise click.BadParameter(f"'{kind}' is not one of {', '.join(known)}")
    return kinds


def _lora(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[str, ...]:
    return _listed(value, ("none", "quick"))


def _adapters(
    lora: Sequence[str], minutes: float, named: Sequence[str], *, given: bool, offline: bool
) -> "tuple[Adapter | Quick | None, ...]":
    """The untouched model, a quick tuning and given adapters, each as one way to run a model.

    An adapter alone stands for itself; `lora` that is `given` beside it counts too.
    """
    from bench.inputs.adapter import find_adapter
    from bench.runs.adapting import Quick

    ways = [Quick(minutes) if kind == "quick" else None for kind in lora] if given or not named else []
    return (*ways, *(find_adapter(name, offline=offline) for name in named))


def _sweep_file(context: click.Context, _parameter: click.Parameter, path: Path | None) -> "Sweep | None":
    """What the file says stands in for flags that are not given."""
    if path is None:
        return None
    from bench.inputs.sweep import read_sweep

    sweep = read_sweep(path)
    given = sweep.model_dump(exclude={"title", "variants"}, exclude_none=True)
    context.default_map = {**(context.default_map or {}), **given}
    return sweep


@click.command()
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
    help="all, available, names, globs, family:qwen, 'params<1B'; several with commas are put together.",
)
@click.option(
    "--tasks",
    "-t",
    multiple=True,
    metavar="NAMES",
    help="Task names, YAML files or lm-eval:NAME, with commas; every task of the registry when left out.",
)
@click.option(
    "--include-path",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="A folder of lm-eval's YAML files, for lm-eval:NAME.",
)
@options.dtype
@click.option(
    "--exemplars",
    type=click.IntRange(0, 100),
    metavar="K",
    help="Solved examples in the prompt; the task's own number when left out.",
)
@click.option(
    "--exemplar-choice",
    type=click.Choice(["fixed", "per_question"]),
    help="The same exemplars for every question, or drawn for each; the task's own when left out.",
)
@options.prompt
@click.option(
    "--quantize",
    default="none",
    show_default=True,
    metavar="KINDS",
    callback=_kinds,
    help="none, int8, nf4, fp4: the bits of a weight; each of several, with commas, is a variant.",
)
@click.option(
    "--lora",
    default="none",
    show_default=True,
    metavar="KINDS",
    callback=_lora,
    help="none, quick: tune a LoRA adapter on the task's train split (or take the one made before).",
)
@click.option(
    "--lora-minutes",
    type=click.FloatRange(0, min_open=True),
    default=10,
    show_default=True,
    metavar="M",
    help="The budget of --lora quick.",
)
@click.option(
    "--adapter",
    "adapters",
    multiple=True,
    metavar="PATH|HUB_ID",
    help="Score a model with this adapter; of the models, those that it was made for.",
)
@click.option(
    "--generate/--no-generate",
    default=False,
    help="Let models reason and answer in words, as the task's generate section says, instead of scoring.",
)
@click.option(
    "--samples",
    type=click.IntRange(1, 100),
    metavar="N",
    help="With --generate: the commonest of N answers counts; needs a temperature.",
)
@click.option("--temperature", type=click.FloatRange(0, 10), metavar="T", help="With --generate.")
@click.option("--max-new-tokens", type=click.IntRange(1), metavar="N", help="With --generate.")
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
    limit: int | None,
    seed: int,
    data_dir: Path | None,
    results: Path,
    fresh: bool,
    jobs: int,
    timeout: float | None,
    latency: bool,
    offline: bool,
    strict: bool,
    dry_run: bool,
    allow_pickle: bool,
    trust_remote_code: bool,
    allow_code: bool,
    as_json: bool,
    **_of_variants: Any,  # see _variants, which also asks whether they were given
) -> None:
    """Score models on tasks and keep every answer.

    \b
    Exit codes: 0 done, 1 a cell failed, 2 usage, 3 a file is wrong, 5 nothing could run.
    """  # noqa: D301 (click reads the backspace as "keep these lines")
    from bench.cli import report
    from bench.cli.network import settle_offline
    from bench.inputs.data import data_folder
    from bench.inputs.weights import Trust
    from bench.runs.events import Terms
    from bench.runs.plan import Wish, plan_all

    files, cards, offline = _selected(tasks, models, include_path, offline=offline)
    folder = data_folder(data_dir)
    offline = settle_offline(files, cards, folder, offline=offline)
    wishes = [
        Wish(
            dtype=one["dtype"],
            exemplars=one["exemplars"],
            exemplar_choice=one["exemplar_choice"],
            prompt=one["prompt"],
            generate=one["generate"],
            samples=one["samples"],
            temperature=one["temperature"],
            max_new_tokens=one["max_new_tokens"],
            limit=limit,
            seed=seed,
            quantize=one["quantize"],
            adapters=_adapters(
                one["lora"], one["lora_minutes"], one["adapters"], given=one["lora_given"], offline=offline
            ),
            trust=Trust(pickle=allow_pickle, code=trust_remote_code),
            allow_code=allow_code,
        )
        for one in _variants(sweep)
    ]
    cells, missing = plan_all(files, cards, wishes, data_dir=folder, offline=offline)
    report.show_missing(missing)
    if strict and missing:
        raise BenchError(f"--strict was given, and not everything is on this machine (cells: {len(missing)})")
    terms = Terms(fresh=fresh, timeout=timeout, jobs=jobs, latency=latency)
    if dry_run:
        report.show_plan(cells, results, terms, as_json=as_json)
    else:
        raise SystemExit(_sweep(cells, results, terms, as_json=as_json))


def _variants(sweep: "Sweep | None") -> "Iterator[dict[str, Any]]":
    """The flags' values once for each variant of the file; a flag that is given overrides all of them."""
    context = click.get_current_context()
    flags: dict[str, Any] = dict(context.params)
    for variant in (sweep and sweep.variants) or [None]:
        own = _as_flags(variant) if variant else {}
        given = {key for key in own if context.get_parameter_source(key) is ParameterSource.COMMANDLINE}
        one = flags | {key: value for key, value in own.items() if key not in given}
        asked = context.get_parameter_source("lora") is ParameterSource.COMMANDLINE
        one["lora_given"] = asked or "lora" in own
        if not one["generate"] and not (
            one["samples"] is one["temperature"] is one["max_new_tokens"] is None
        ):
            raise UsageError("--samples, --temperature and --max-new-tokens go with --generate")
        yield one


def _as_flags(variant: "SweepVariant") -> dict[str, Any]:
    found = variant.model_dump(exclude_none=True)
    several = {"quantize": "quantize", "lora": "lora", "adapter": "adapters"}
    return {several.get(key, key): (value,) if key in several else value for key, value in found.items()}


def _sweep(cells: "Sequence[Cell]", results: Path, terms: "Terms", *, as_json: bool) -> int:
    """Run the cells and report; returns the exit code."""
    from bench.cli import report
    from bench.runs.store import check_writable

    check_writable(results)
    # Being told to end is as being interrupted: the running worker ends too, what is done is kept.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        finished = report.run_with_progress(cells, results, terms)
    except KeyboardInterrupt:
        click.echo("every answer so far is kept; the same command goes on from there", err=True)
        raise
    report.show_results(finished, results, as_json=as_json)
    if not finished:
        return NOTHING_COULD_RUN
    return 1 if any(result.status == "failed" for result in finished) else 0


def _selected(
    tasks: Sequence[str], models: Sequence[str], include_path: Path | None, *, offline: bool
) -> "tuple[list[TaskFile], list[CardFile], bool]":
    """The tasks, the cards, and whether the hub turned out to be silent on the way."""
    from bench.cli.network import settle_hub
    from bench.inputs.model_card import find_cards
    from bench.inputs.task import find_tasks
    from bench.inputs.weights import on_this_machine

    names = [name.strip() for term in tasks for name in term.split(",") if name.strip()]
    cards = find_cards(",".join(models), on_this_machine, broken=True)
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
    from bench.config import cache_folder
    from bench.inputs.task import read_task
    from bench.lm_eval.task import import_task

    path = import_task(name.removeprefix(LM_EVAL), include_path, cache_folder() / "lm-eval")
    return read_task(path).model_copy(update={"named": name, "included": include_path is not None})
