"""`bench tasks`: list, show, validate and create tasks."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import lm_eval_tasks, options
from bench.cli.choices import ChoiceCommand, choice_flags
from bench.errors import BenchError, FileError, Unavailable, UsageError
from bench.types import PromptStyle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.inputs.choices import Choices
    from bench.inputs.data import Split
    from bench.inputs.task import TaskFile
    from bench.scoring.asking import Asking
    from bench.types import Item, Role, ScoreRequest


@click.group()
def tasks() -> None:
    """List, show, validate and create tasks."""


@tasks.command("list")
@options.as_json
def list_tasks(*, as_json: bool) -> None:
    """List all tasks. Exit code 3 if a file is wrong; the others are listed."""
    from rich.table import Table

    from bench.cli.console import stdout
    from bench.inputs.tasks import tasks_and_mistakes

    files, mistakes = tasks_and_mistakes()
    all_tasks = [file.task for file in files]
    if as_json:
        click.echo(json.dumps([task.model_dump(mode="json") for task in all_tasks], indent=1))
    else:
        table = Table("name", "version", "title", "licence", box=None, header_style="bold")
        for task in all_tasks:
            table.add_row(task.name, str(task.version), task.title, task.license)
        stdout().print(table)
    if mistakes:
        raise FileError(mistakes)


@tasks.command(cls=ChoiceCommand)
@click.argument("name")
@click.option(
    "--item",
    "number",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="Position of the test item, from 1.",
)
@click.option("--model", metavar="NAME", help="Also show the tokens of this model. Default: text only.")
@choice_flags("exemplars", "prompt")
@lm_eval_tasks.include_path
@options.data_dir
@options.offline
def show(
    *,
    name: str,
    number: int,
    model: str | None,
    choices: "Choices",
    include_path: Path | None,
    data_dir: Path | None,
    offline: bool,
) -> None:
    """Print the exact prompt of a test item.

    NAME is a task's name, a YAML file or lm-eval:NAME.
    """
    from bench.cli.network import decide_offline
    from bench.inputs.data import data_folder
    from bench.inputs.exemplars import task_exemplars
    from bench.inputs.prompts import NO_EXEMPLARS
    from bench.scoring.asking import Asking

    shown = bool(choices.exemplars)
    file, offline = lm_eval_tasks.named_task(name, include_path, shown=shown, offline=offline)
    folder = data_folder(data_dir)
    offline = decide_offline([file], [], folder, offline=offline)
    test = _split(file, "test", folder, offline=offline)
    if number > len(test.items):
        raise UsageError(f"--item {number} is out of range: {name} has {len(test.items)} test items")
    count = file.task.exemplars if choices.exemplars is None else choices.exemplars
    exemplars = NO_EXEMPLARS
    if count:
        split = _split(file, "exemplars", folder, offline=offline)
        exemplars = task_exemplars(file, test.items, split, count, 0, file.task.exemplar_choice)
    asking = Asking(file.task, exemplars, choices.prompt or "plain")
    item = test.items[number - 1]
    _show_request(asking, item, model, choices.prompt)
    if item.cluster:
        _show_cluster(item, test.items)


def _show_cluster(item: "Item", items: "Sequence[Item]") -> None:
    from bench.inputs.validate import count_clusters
    from bench.wording import counted

    together = counted(sum(other.cluster == item.cluster for other in items), "item")
    clusters = counted(count_clusters(items), "cluster")
    click.echo(f"cluster: {item.cluster}, of {together}; the task has {clusters}", err=True)


def _split(file: "TaskFile", role: "Role", folder: Path | None, *, offline: bool) -> "Split":
    from bench.inputs.data import load_split

    split = load_split(file, role, data_dir=folder, offline=offline)
    if split is None:
        raise BenchError(f"task {file.task.name} has no {role} split; add data.splits.{role} to it")
    return split


def _show_request(asking: "Asking", item: "Item", model: str | None, prompt: PromptStyle | None) -> None:
    """Print the prompt and the scored continuations; for a model, also its tokens."""
    from bench.scoring.asking import score_request

    if model is None and prompt == "chat":
        raise UsageError("--prompt chat needs --model, because each model has its own template")
    if model is None:
        _show_prompt(score_request(asking, item, lambda _: ""))
        return
    from bench.engines.token_view import request_tokens
    from bench.inputs.cards import find_cards
    from bench.inputs.engine_rules import TRANSFORMERS
    from bench.inputs.weights import Weights, find_weights, on_this_machine

    card = find_cards(model, on_this_machine)[0]
    weights = find_weights(card, offline=True)
    if card.card.engine != TRANSFORMERS or not isinstance(weights, Weights):
        raise UsageError(
            f"cannot show the tokens of {model}: its engine is {card.card.engine}, not {TRANSFORMERS}"
        )
    asking = replace(asking, style=prompt or card.card.style)
    request, view = request_tokens(card.card, weights, lambda render: score_request(asking, item, render))
    _show_prompt(request)
    click.echo(f"\n{len(view.stem)} prompt tokens for {card.card.name}:")
    click.echo(" ".join(view.stem))
    bos = f"yes, {view.bos}" if view.starts_with_bos else "no"
    click.echo(f"\nBOS at the start: {bos}")
    click.echo(f"scored tokens, from position {len(view.stem)}:")
    texts = [text for texts in request.continuations for text in texts]
    for continuation, tokens in zip(texts, view.branches, strict=True):
        click.echo(f"  {continuation!r}: {' '.join(tokens)}")


def _show_prompt(request: "ScoreRequest") -> None:
    click.echo(request.prompt)
    texts = [repr(text) for texts in request.continuations for text in texts]
    click.echo(f"\nscored continuations: {', '.join(texts)}", err=True)


@tasks.command()
@click.argument("files", nargs=-1, metavar="[NAME|FILE|lm-eval:NAME]...")
@lm_eval_tasks.include_path
@options.data_dir
@options.offline
def validate(
    *, files: tuple[str, ...], include_path: Path | None, data_dir: Path | None, offline: bool
) -> None:
    """Validate tasks and their data without a model.

    Reports all mistakes at once, with file, line and key. NAME may be a glob. Default: every task.
    Exit code 3 if a file is wrong.
    """
    from bench.cli.network import decide_offline
    from bench.config import read_each
    from bench.folders import named_files
    from bench.inputs.data import data_folder
    from bench.inputs.task import read_task

    own = [name for name in files if not lm_eval_tasks.is_of_lm_eval(name)]
    foreign = [name for name in files if name not in own]
    paths = named_files("tasks", own) if own or not foreign else []
    folder = data_folder(data_dir)
    offline = lm_eval_tasks.prepare(foreign, include_path, "a task named", offline=offline)
    readable, _ = read_each(paths, read_task)  # mistakes are reported when the file is validated
    offline = decide_offline(readable, [], folder, offline=offline)
    codes = [_validate(path, folder, offline=offline) for path in paths]
    codes += [_validate_of_lm_eval(name, include_path, offline=offline) for name in foreign]
    raise SystemExit(max(codes))


def _validate_of_lm_eval(name: str, include_path: Path | None, *, offline: bool) -> int:
    """Convert and check a task of lm-eval; returns the exit code."""
    try:
        file = lm_eval_tasks.converted(name, include_path)
    except BenchError as error:
        click.echo(str(error), err=True)
        return error.exit_code
    return _validate(file.path, None, name, offline=offline)


def _validate(path: Path, folder: Path | None, name: str = "", *, offline: bool) -> int:
    """Check a task and print what was found; returns the exit code. `name` is shown instead of the path."""
    from bench.folders import display
    from bench.inputs.validate import prove
    from bench.wording import counted, percent

    name = name or display(path)
    try:
        proof = prove(path, data_dir=folder, offline=offline)
    except FileError as error:
        click.echo(str(error), err=True)
        return error.exit_code
    except Unavailable as error:
        click.echo(f"{name}: the file is valid; its data were not checked: {error}", err=True)
        return 0
    answers = ", ".join(f"{letter} {count}" for letter, count in proof.answers.items())
    prompts = counted(proof.prompts, "distinct prompt")
    click.echo(f"{name}: ok, {counted(proof.items, 'item')}, {prompts}")
    if proof.clusters is not None:
        click.echo(f"  {counted(proof.clusters, 'cluster')} of items (data.columns.cluster)")
    click.echo(f"  answers: {answers}; the most common one is right for {percent(proof.majority)}")
    for role, source in proof.sources.items():
        shown = f"{proof.exemplars} ({source})" if role == "exemplars" and proof.exemplars else source
        click.echo(f"  {role}: {shown}")
    for warning in proof.warnings:
        click.echo(f"  warning: {warning}")
    return 0


_TEMPLATE = """\
name: {name}
version: 1                  # raise it whenever a change to prompt, data or scoring changes scores
title: {name}
license: unknown
data:
  files:                    # JSON Lines, relative to this file
    test: data/{name}.jsonl
  columns: {{id: id}}
prompt: |-
  Question: {{{{ question }}}}
  {{% for letter, option in options %}}{{{{ letter }}}}. {{{{ option }}}}
  {{% endfor %}}Answer:
scoring: {{view: letter}}
metrics: [accuracy, macro_f1]
"""
_EXAMPLES = (
    ("q1", "Which of these is a prime number?", ["21", "27", "29", "33"], "C"),
    ("q2", "Which planet is nearest to the sun?", ["Mercury", "Venus", "Earth", "Mars"], "A"),
)


@tasks.command()
@click.argument("name")
def new(*, name: str) -> None:
    """Create tasks/NAME.yaml and two example items to edit."""
    from bench.folders import yaml_files

    if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]*", name) or name.endswith(".yaml"):
        raise UsageError(
            f"'{name}' is not a task name: use lower-case letters, digits, '_', '-' and '.', without .yaml"
        )
    path = Path("tasks") / f"{name}.yaml"
    data = Path("tasks") / "data" / f"{name}.jsonl"
    if name in yaml_files("tasks") or path.exists() or data.exists():
        raise UsageError(f"a task named '{name}' already exists; choose another name")
    keys = ("id", "question", "options", "answer")
    lines = [json.dumps(dict(zip(keys, example, strict=True))) + "\n" for example in _EXAMPLES]
    try:
        data.parent.mkdir(parents=True, exist_ok=True)
        data.write_text("".join(lines), encoding="utf-8")
        path.write_text(_TEMPLATE.format(name=name), encoding="utf-8")
    except OSError as error:
        raise BenchError(f"cannot write {path}: {error.strerror}") from error
    click.echo(f"wrote {path} and {data}; next: bench tasks validate {name}")
