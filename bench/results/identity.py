"""The identity of a cell, a hash of everything that can change its numbers, and the folder of its run."""

import hashlib
import json
import re
from pathlib import Path

from bench.inputs.engine_rules import OPENAI, TRANSFORMERS
from bench.inputs.model_card import ProgramSource
from bench.results.result import CellFacts, DoneResult, FailedResult, Shard
from bench.results.variant import Variant

CANNOT_RUN = "cannot-run"
"""The folder of the reason why no variant of a model can run; removed when a variant runs."""
PARTS = "parts"
"""The folder, in that of a run, of its parts. No reader of runs looks there."""
_PART = re.compile(r"[1-9]\d*-of-[1-9]\d*")
ID_LETTERS = 10
"""So much of the id ends the name of a run's folder."""
ADDED_LATER = ("quantize", "adapter", "program")
HOW_ASKED = ("key", "concurrency", "timeout")
"""Settings of the engine openai that change no number."""


def folder_of(facts: CellFacts, shard: Shard | None = None) -> Path:
    """The folder of a cell's run, or of a part of it, relative to the results folder."""
    partial = f"-{facts.part.replace(' ', '')}" if facts.part else ""
    run = Path(facts.task.name) / facts.model.name / f"{facts.variant.slug}{partial}-{facts.id[:ID_LETTERS]}"
    return run if shard is None else run / PARTS / f"{shard.index}-of-{shard.count}"


def folder_of_result(result: DoneResult | FailedResult) -> Path:
    """The folder that a result is written in, relative to the results folder."""
    return folder_of(result.cell, result.shard if isinstance(result, DoneResult) else None)


def is_part(folder: Path) -> bool:
    """Whether a folder is that of a part of a run; a run's own folder ends with letters of its id."""
    return folder.parent.name == PARTS and bool(_PART.fullmatch(folder.name))


def summary_in(folder: Path) -> Path:
    """The summary in the folder of a run or of a part."""
    return folder / ("part.json" if is_part(folder) else "result.json")


def identity(facts: CellFacts) -> str:
    """SHA-256 (hex) over everything that can change a number, and nothing else."""
    return hashlib.sha256(json.dumps(identity_parts(facts), sort_keys=True).encode()).hexdigest()


def identity_parts(facts: CellFacts) -> dict[str, object]:
    """What the identity is made of, by kind."""
    match facts.model.source:
        case ProgramSource(program=engine, arguments=settings):
            pass
        case _:
            engine, settings = facts.model.engine, facts.model.settings
    parts: dict[str, object] = {
        "task": [facts.task.name, facts.task.version, facts.task.sha256],
        "data": {role: split.sha256 for role, split in sorted(facts.data.items())},
        "model": [*_of_model(facts), None if engine == TRANSFORMERS else engine],
        "variant": _of_variant(facts.variant),
        "limit": facts.limit,
        "engine": facts.engine_version,
    }
    drawn = "drawn" if facts.limit is not None and facts.limit_order == "drawn" else ""
    if engine == OPENAI:
        settings = {name: value for name, value in settings.items() if name not in HOW_ASKED}
    added_later = {"settings": settings, "package": facts.engine_package, "limit_order": drawn}
    return parts | {name: value for name, value in added_later.items() if value}


def _of_model(facts: CellFacts) -> list[str | int | None]:
    return [facts.model.name, facts.weights, facts.model.context, facts.model.architecture]


def _of_variant(variant: Variant) -> dict[str, object]:
    """Fields added later count only where they differ from their default, so that older ids stay valid."""
    unused = {name for name in ADDED_LATER if getattr(variant, name) == Variant.model_fields[name].default}
    parts = variant.model_dump(exclude=unused)
    if variant.adapter and variant.adapter.sha256:
        parts["adapter"] = variant.adapter.sha256
    return parts
