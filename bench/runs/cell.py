"""A cell: one model x variant x task, under an identity made of all that can change a number."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from bench.engines.engine import Opening
from bench.inputs.engine_rules import TRANSFORMERS
from bench.inputs.model_card import ProgramSource
from bench.inputs.task import Task
from bench.inputs.weights import RemoteWeights, Weights
from bench.runs.result import CellFacts, SplitFacts, Variant
from bench.scoring.asking import Asking
from bench.tuning.job import Job
from bench.types import Item

CANNOT_RUN = "cannot-run"
"""The folder of a failure that is none of a variant's; a run of the model takes its place."""
LATER = ("quantize", "adapter", "program")


@dataclass(frozen=True, slots=True)
class Cell:
    """One model x variant x task, with all it needs to run in a process of its own."""

    facts: CellFacts
    asking: Asking
    items: tuple[Item, ...]
    opening: Opening
    weights: Weights | RemoteWeights | None
    home: Path
    """The task file's folder, where its metrics' paths start."""

    @property
    def task(self) -> Task:
        return self.asking.task

    @property
    def model_name(self) -> str:
        return self.facts.model.name

    @property
    def variant(self) -> Variant:
        return self.facts.variant

    @property
    def slug(self) -> str:
        """The variant in a few words that a folder can be named by."""
        return self.variant.slug

    @property
    def id(self) -> str:
        return self.facts.id

    @property
    def folder(self) -> Path:
        """Where the run goes, below the results folder."""
        return folder_of(self.facts)


@dataclass(frozen=True, slots=True)
class NeedsTuning:
    """A cell whose adapter is not made yet: the job comes first. Its identity is provisional until then."""

    cell: Cell
    job: Job

    @property
    def facts(self) -> CellFacts:
        return self.cell.facts

    @property
    def task(self) -> Task:
        return self.cell.task

    @property
    def model_name(self) -> str:
        return self.cell.model_name

    @property
    def variant(self) -> Variant:
        return self.cell.variant

    @property
    def id(self) -> str:
        return self.cell.id

    @property
    def folder(self) -> Path:
        return self.cell.folder


@dataclass(frozen=True, slots=True)
class CannotRun:
    """A model that fails on a task without being tried, for a reason that is known: no variant of it can run.

    Its card is broken, or names weights on this machine that are not there.
    """

    task: Task
    test: SplitFacts
    model_name: str
    model_title: str
    reason: str

    @property
    def id(self) -> str:
        return str(self.folder)

    @property
    def folder(self) -> Path:
        return Path(self.task.name) / self.model_name / CANNOT_RUN


Runnable = Cell | NeedsTuning
Planned = Runnable | CannotRun


def folder_of(facts: CellFacts) -> Path:
    """Where the run of a cell goes, below the results folder."""
    partial = f"-first{facts.limit}" if facts.limit else ""
    return Path(facts.task.name) / facts.model.name / f"{facts.variant.slug}{partial}-{facts.id[:10]}"


def identity(facts: CellFacts) -> str:
    """SHA-256 over what can change a number, and nothing else."""
    match facts.model.source:
        case ProgramSource(program=engine, arguments=settings):
            pass
        case _:
            engine, settings = facts.model.engine, facts.model.settings
    parts = {
        "task": [facts.task.name, facts.task.version, facts.task.sha256],
        "data": {role: split.sha256 for role, split in sorted(facts.data.items())},
        "model": [*_of_model(facts), None if engine == TRANSFORMERS else engine],
        "variant": _of_variant(facts.variant),
        "limit": facts.limit,
        "engine": facts.engine_version,
    }
    later = {"settings": settings, "package": facts.engine_package}
    parts |= {name: value for name, value in later.items() if value}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _of_model(facts: CellFacts) -> list[str | int | None]:
    return [facts.model.name, facts.weights, facts.model.context, facts.model.architecture]


def _of_variant(variant: Variant) -> dict[str, object]:
    """Fields that came later count only where they do not say what was always so: older ids hold."""
    later = {name for name in LATER if getattr(variant, name) == Variant.model_fields[name].default}
    found = variant.model_dump(exclude=later)
    if variant.adapter and variant.adapter.sha256:
        found["adapter"] = variant.adapter.sha256
    return found
