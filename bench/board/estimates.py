"""Estimates for models that a machine has not run: marked as such, and never part of an answer. Pure."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.board.board import TaskBoard
from bench.board.candidates import Candidate, candidates, command_words, hardware
from bench.board.choice import Choice
from bench.board.fits import Fit, Setting, Weights, costs_of, few, fits, kept_bytes, setting_of, tokens_of
from bench.board.limits import Limits, Needs, over
from bench.inputs.file_sizes import FileSize
from bench.inputs.model_card import ModelCard
from bench.results.result import DoneResult
from bench.stats.prediction import Predicted

_BYTES = {"bfloat16": 2, "float16": 2, "float32": 4}


@dataclass(frozen=True, slots=True)
class Estimated:
    """A model that the machine has not run; a cost is None where it cannot be estimated on one of the tasks.

    `disk` is the size of its files, which is known. `weights` are those of the task where they are largest,
    and `basis` is where their size is from. `command` measures the model.
    """

    name: str
    model: str
    basis: str
    weights: Weights
    memory: Predicted
    p50: Predicted | None
    p95: Predicted | None
    disk: int | None
    command: str
    may_fit: bool


@dataclass(frozen=True, slots=True)
class Estimates:
    """`models` that may fit come first, and of these the largest. `machine` is that of the fits, by task.

    `without` are the models that cannot be estimated, by reason. `reason` says why there is no estimate
    where there is none.
    """

    machine: str
    models: tuple[Estimated, ...] = ()
    fits: tuple[Fit, ...] = ()
    without: Mapping[str, tuple[str, ...]] | None = None
    reason: str = ""


Part = tuple[Fit, Weights, float | None, float | None]
"""A fit, weights in memory, mean tokens of a prompt and bytes of keys and values: what `costs_of` takes."""


@dataclass(frozen=True, slots=True)
class _Subject:
    """A model to estimate: its parts by task are what `costs_of` takes."""

    name: str
    card: ModelCard
    basis: str
    disk: int | None
    command: str
    parts: tuple[Part, ...]


NO_SIZE = "the size of files in 16 or 32 bits is not known (download_bytes and parameters in a card)"
TOO_LARGE = "more than four times as large as the largest model that ran"
OTHERWISE = "too few models ran there in the same way"


def estimates(
    tables: Sequence[TaskBoard], choice: Choice, sizes: Mapping[str, FileSize], machine: str = ""
) -> Estimates:
    """What the models that did not run on a machine would cost there, by those that did.

    The machine is that of the limits, else `machine`, a `hardware`, else the only one of the tables. `sizes`
    are those of files, by model.
    """
    chosen = [table for table in tables if table.task.name in choice.tasks]
    rows = [result for table in chosen for row in table.rows for result in row.measured]
    results = [result for result in rows if not result.cell.model.is_baseline]
    if not results:
        return Estimates("", reason=few(results))
    where = choice.limits.machine or _machine(results, machine)
    if not where:
        return Estimates("", reason="runs are from several machines: name one with --machine")
    here = [result for result in results if hardware(result.provenance) == where]
    known = fits(here)
    if not known:
        return Estimates(where, reason=few(here))
    everyone = candidates(chosen, where)
    elsewhere = [each for each in everyone if not each.is_baseline and not each.costs]
    made: list[Estimated] = []
    without: dict[str, list[str]] = {}
    tasks = tuple(choice.tasks)
    subjects = [_ran_elsewhere(each, known, tasks) for each in elsewhere]
    subjects += [_never_ran(card, known, tasks, sizes.get(card.name)) for card in choice.unmeasured]
    for name, subject in subjects:
        match subject if isinstance(subject, str) else _estimated(subject, choice.limits):
            case str() as reason:
                without.setdefault(reason, []).append(name)
            case one:
                made.append(one)
    return Estimates(
        machine=where,
        models=tuple(sorted(made, key=lambda each: (not each.may_fit, -each.memory.value, each.name))),
        fits=tuple(known[setting] for setting in known if setting.task in choice.tasks),
        without={reason: tuple(names) for reason, names in without.items()},
    )


def _machine(results: Sequence[DoneResult], preferred: str) -> str:
    names = {hardware(result.provenance) for result in results}
    if preferred in names:
        return preferred
    return names.pop() if len(names) == 1 else ""


def _never_ran(
    card: ModelCard, known: Mapping[Setting, Fit], tasks: Sequence[str], size: FileSize | None
) -> tuple[str, _Subject | str]:
    """A model of a card, in the plain setting in which most models ran; else why it cannot be estimated."""
    if size is None:
        return card.name, NO_SIZE
    parts: list[Part] = []
    for task in tasks:
        plain = [fit for fit in known.values() if _is_plain(fit.setting, task, card)]
        if not plain:
            return card.name, OTHERWISE
        fit = max(plain, key=lambda each: (len(each.models), -each.setting.exemplars))
        parts.append((fit, _in_memory(size, fit.setting), None, None))
    command = shlex.join(["bench", "run", "--models", card.name, "--tasks", ",".join(tasks), "--latency"])
    return card.name, _Subject(card.title, card, "the size of its files", size.bytes, command, tuple(parts))


def _is_plain(setting: Setting, task: str, card: ModelCard) -> bool:
    same = setting.task == task and setting.architecture == card.architecture
    return same and setting.is_plain and setting.dtype is not None


def _in_memory(size: FileSize, setting: Setting) -> Weights:
    share = _BYTES[setting.dtype or "float32"] / size.each
    return Weights(int(size.bytes * share), int((size.least or size.bytes) * share))


def _ran_elsewhere(
    candidate: Candidate, known: Mapping[Setting, Fit], tasks: Sequence[str]
) -> tuple[str, _Subject | str]:
    """A model with runs on another machine only, which tell the size of its weights in memory."""
    parts: list[Part] = []
    for task in tasks:
        if (row := candidate.rows.get(task)) is None:
            continue
        fit, held = known.get(setting_of(row.result)), row.result.cost.model_bytes
        if fit is None or held is None:
            return candidate.name, OTHERWISE
        parts.append((fit, Weights(held, held), tokens_of(row.result), kept_bytes(row.result)))
    cell, basis = candidate.first.cell, f"its run on {hardware(candidate.first.provenance)}"
    command = shlex.join(command_words(candidate, tasks, fresh=True))
    return candidate.name, _Subject(
        candidate.name, cell.model, basis, candidate.needs.disk, command, tuple(parts)
    )


def _estimated(subject: _Subject, limits: Limits) -> Estimated | str:
    costs = [costs_of(*part) for part in subject.parts]
    known = [each for each in costs if each is not None]
    if len(known) < len(costs):
        return TOO_LARGE
    memory = _most([each.memory for each in known])
    p50, p95 = _most([each.p50 for each in known]), _most([each.p95 for each in known])
    assert memory is not None, "a fit has a line of memory"
    least = Needs(
        memory=int(memory.low),
        p50=p50 and p50.low,
        p95=p95 and p95.low,
        disk=subject.disk,
        joules=None,
        licence=subject.card.license,
        languages=subject.card.languages,
    )
    return Estimated(
        name=subject.name,
        model=subject.card.name,
        basis=subject.basis,
        weights=max((part[1] for part in subject.parts), key=lambda each: each.bytes),
        memory=memory,
        p50=p50,
        p95=p95,
        disk=subject.disk,
        command=subject.command,
        may_fit=not over(least, limits),
    )


def _most(values: Sequence[Predicted | None]) -> Predicted | None:
    """The highest of several tasks; None where one is not known."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    return Predicted(*(max(ends) for ends in zip(*((v.value, v.low, v.high) for v in known), strict=True)))
