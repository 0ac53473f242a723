"""A cell: one model x variant x task, under an identity made of all that can change a number."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from bench.engines.engine import Opening
from bench.inputs.model_card import EngineSource
from bench.inputs.task import Task
from bench.runs.result import CellFacts, Variant
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
    home: Path
    """The task file's folder, where its metrics' paths start."""
    tuning: Job | None = None
    """What must be done first: the adapter is not there yet, and the cell's identity not settled."""
    reason: str = ""
    """Why it cannot run, though this machine says it has what is needed: it fails without being tried."""

    @property
    def task(self) -> Task:
        return self.asking.task

    @property
    def folder(self) -> Path:
        """Where the run goes, below the results folder."""
        if self.reason:
            return Path(self.facts.task.name) / self.facts.model.name / CANNOT_RUN
        return folder_of(self.facts)


def folder_of(facts: CellFacts) -> Path:
    """Where the run of a cell goes, below the results folder."""
    partial = f"-first{facts.limit}" if facts.limit else ""
    return Path(facts.task.name) / facts.model.name / f"{facts.variant.slug}{partial}-{facts.id[:10]}"


def identity(facts: CellFacts) -> str:
    """SHA-256 over what can change a number, and nothing else."""
    source = facts.model.source
    engine = source.engine if isinstance(source, EngineSource) else None
    settings = {"settings": source.settings} if isinstance(source, EngineSource) and source.settings else {}
    parts = {
        "task": [facts.task.name, facts.task.version, facts.task.sha256],
        "data": {role: split.sha256 for role, split in sorted(facts.data.items())},
        "model": [facts.model.name, facts.weights, facts.model.context, facts.model.architecture, engine],
        "variant": _of_variant(facts.variant),
        "limit": facts.limit,
        "engine": facts.engine_version,
        **settings,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _of_variant(variant: Variant) -> dict[str, object]:
    """Fields that came later count only where they do not say what was always so: older ids hold."""
    later = {name for name in LATER if getattr(variant, name) == Variant.model_fields[name].default}
    found = variant.model_dump(exclude=later)
    if variant.adapter and variant.adapter.sha256:
        found["adapter"] = variant.adapter.sha256
    return found
