"""The command that repeats a run."""

import shlex

from bench.config import yaml_files
from bench.inputs.data import Split
from bench.inputs.model_card import ModelCard
from bench.inputs.task import Task, TaskFile
from bench.inputs.weights import Trust
from bench.runs.result import Variant


def command_of(
    file: TaskFile, card: ModelCard, variant: Variant, limit: int | None, test: Split, trust: Trust
) -> str:
    """The command that repeats the run; a mirror's folder and an unregistered task are the reader's own."""
    task, shots = file.task, variant.exemplars
    known = yaml_files("tasks").get(task.name)
    registered = known is not None and known.resolve() == file.path.resolve()
    name = file.named or (task.name if registered else file.path.name)
    words = ["bench", "run", "--models", card.name, "--tasks", name]
    words += ["--dtype", variant.dtype] if variant.dtype else []
    words += ["--exemplars", str(shots)] if variant.dtype and shots != task.exemplars else []
    words += ["--prompt", variant.prompt] if variant.dtype and variant.prompt != card.style else []
    words += ["--quantize", variant.quantize] if variant.quantize != "none" else []
    if shots and variant.exemplar_choice != task.exemplar_choice:
        words += ["--exemplar-choice", variant.exemplar_choice]
    words += _generate_words(task, variant)
    words += ["--seed", str(variant.seed)] if variant.seed else []
    words += ["--limit", str(limit)] if limit else []
    words += ["--data-dir", "DIR"] if test.mirrored else []
    words += ["--include-path", "DIR"] if file.included else []
    words += ["--allow-pickle"] if trust.pickle else []
    words += ["--trust-remote-code"] if trust.code else []
    words += ["--allow-code"] if any(name.startswith("evaluate:") for name in task.metrics) else []
    return shlex.join([*words, "--fresh"])


def _generate_words(task: Task, variant: Variant) -> list[str]:
    if variant.generate is None:
        return []
    words = ["--generate"]
    for key in ("samples", "temperature", "max_new_tokens"):
        value = getattr(variant.generate, key)
        if value != getattr(task.generate, key):
            words += [f"--{key.replace('_', '-')}", str(value)]
    return words
