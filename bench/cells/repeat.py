"""The command that repeats a run."""

import shlex
from typing import TypeVar
from urllib.parse import urlsplit

from bench.cells.wish import Change, Quick, Settings, Untouched
from bench.folders import yaml_files
from bench.inputs.adapter import Adapter
from bench.inputs.choices import Choices, flags_of
from bench.inputs.data import Split
from bench.inputs.engine_rules import OPENAI
from bench.inputs.model_card import ModelCard
from bench.inputs.prompts import ExemplarChoice
from bench.inputs.task import Task, TaskFile
from bench.plain_files import real
from bench.results.result import CellFacts
from bench.results.variant import Variant
from bench.types import Value

T = TypeVar("T")


def command_of(
    file: TaskFile,
    card: ModelCard,
    variant: Variant,
    change: Change,
    choices: Choices,
    settings: Settings,
    limit: int | None,
    test: Split,
) -> str:
    """The command that repeats the run; DIR stands for folders that differ between machines.

    `change` and `choices` are given besides the variant: its adapter may not exist yet, and the choices say
    which engine and file were asked for. `limit` is None for a whole run, also where more items were asked
    for than there are.
    """
    task = file.task
    seed = settings.seed if isinstance(change, Quick) else variant.seed
    words = ["bench", "run", "--models", card.name, "--tasks", name_of(file)]
    words += flags_of(explicit_choices(task, card, variant).made | variant.more)
    words += (
        []
        if card.is_baseline
        else flags_of(choices.model_dump(include={"engine", "gguf"}, exclude_none=True))
    )
    words += ["--seed", str(seed)] if seed else []
    words += ["--limit", str(limit)] if limit else []
    words += ["--limit-order", "file"] if limit and settings.limit_order == "file" else []
    words += ["--data-dir", "DIR"] if test.mirrored else []
    words += ["--include-path", "DIR"] if file.included else []
    words += _permissions(task, card, settings)
    words += flags_of(_choices_of(change).made)
    return shlex.join([*words, "--fresh"])


def name_of(file: TaskFile) -> str:
    """What a command calls a task: its name, or that of its file where it is not in a `tasks` folder."""
    known = yaml_files("tasks").get(file.task.name)
    registered = known is not None and real(known) == real(file.path)
    return file.named or (file.task.name if registered else file.path.name)


def probe_command(
    file: TaskFile, facts: CellFacts, choices: Choices, settings: Settings, own: dict[str, Value]
) -> str:
    """The command that repeats a test of the published order; `own` are its own options, by name."""
    named = {"quantize", "adapter", "engine", "gguf"}
    made = {"dtype": facts.variant.dtype, **choices.model_dump(include=named)}
    words = ["bench", "probe", "contamination", "--model", facts.model.name, "--task", name_of(file)]
    words += flags_of({name: value for name, value in made.items() if value is not None} | own)
    words += ["--limit", str(facts.limit)] if facts.limit else []
    words += ["--data-dir", "DIR"] if "--data-dir" in facts.command.split() else []
    words += ["--include-path", "DIR"] if file.included else []
    return shlex.join([*words, *_permissions(file.task, facts.model, settings), "--fresh"])


def _permissions(task: Task, card: ModelCard, settings: Settings) -> list[str]:
    """The flags that allow what the run needs, and what was allowed of its weights."""
    trust = settings.trust
    words = ["--allow-pickle"] if trust.pickle else []
    words += ["--trust-remote-code"] if trust.code else []
    host = (urlsplit(str(card.settings["url"])).hostname or "") if card.engine == OPENAI else ""
    words += ["--send-to", host] if host in trust.send_to else []
    return words + (["--allow-code"] if any(name.startswith("evaluate:") for name in task.metrics) else [])


def explicit_choices(task: Task, card: ModelCard, variant: Variant) -> Choices:
    """The choices of a variant that a command must name: those that differ from the task's and card's own."""
    if card.is_baseline:
        return Choices()
    generate, usual = variant.generate, task.generate
    return Choices(
        dtype=variant.dtype,
        exemplars=_unless(variant.exemplars, task.exemplars),
        prompt=_unless(variant.prompt, card.style),
        quantize=_unless(variant.quantize, "none"),
        exemplar_choice=_choice_of_exemplars(task, variant),
        formats=variant.format or None,
        generate=True if generate else None,
        samples=_unless(generate and generate.samples, usual and usual.samples),
        temperature=_unless(generate and generate.temperature, usual and usual.temperature),
        max_new_tokens=_unless(generate and generate.max_new_tokens, usual and usual.max_new_tokens),
    )


def _choice_of_exemplars(task: Task, variant: Variant) -> ExemplarChoice | None:
    """None also for ids: they are the task's own."""
    choice = variant.exemplar_choice
    if not variant.exemplars or isinstance(choice, tuple):
        return None
    return None if choice == task.exemplar_choice else choice


def _unless(value: T, usual: T) -> T | None:
    """The value, or None where it is the usual one and needs no flag."""
    return None if value == usual else value


def _choices_of(change: Change) -> Choices:
    match change:
        case Untouched():
            return Choices()
        case Adapter(name=name):
            return Choices(adapter=name)
        case Quick(minutes=minutes):
            return Choices(lora="quick", lora_minutes=_unless(minutes, Quick().minutes))
