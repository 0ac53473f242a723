"""What the export formats share: their types, facts of runs in plain values, the folder that is written."""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from bench.errors import BenchError, UsageError
from bench.inputs.model_card import HubSource
from bench.results.result import CellFacts, DoneResult, Provenance, SplitFacts
from bench.results.store import Run
from bench.scoring.metrics import Rate
from bench.scoring.record import Record
from bench.views import view_title
from bench.whole_folder import listed, put, replace_folder

PROGRAM = "SLM Bench"
_HUB_SPLIT = re.compile(r"([\w-][\w.-]*/[\w.-]+)\[(.+)\]")


@dataclass(frozen=True, slots=True)
class Publisher:
    """Who publishes the runs, and where they can be read; "" where it is not given."""

    name: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished run, whole or partial."""

    result: DoneResult
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Export:
    """Files by their path in the folder, and notes on what was left out."""

    files: dict[str, bytes]
    notes: tuple[str, ...] = ()


def finished(runs: Iterable[Run]) -> list[Finished]:
    """The finished runs that have a date, in the order given."""
    done = [(run.result, run.records) for run in runs if isinstance(run.result, DoneResult)]
    return [Finished(result, records) for result, records in done if result.provenance.finished]


def hub_model(cell: CellFacts) -> str | None:
    """The repository of the hub that holds exactly these weights; None otherwise, as for tuned weights."""
    source = cell.model.source
    return source.hub if isinstance(source, HubSource) and cell.variant.adapter is None else None


def hub_data_set(split: SplitFacts) -> str | None:
    """The data set of the hub that the questions came from; None for a file, even a mirror of a data set."""
    match = _HUB_SPLIT.fullmatch(split.source)
    return match[1] if match and match[2] == split.split else None


def tuned_name(cell: CellFacts) -> str:
    """The model's name, followed by the adapter's method and digest if it has one."""
    adapter = cell.variant.adapter
    return f"{cell.model.name}-{adapter.method}-{adapter.sha256[:8]}" if adapter else cell.model.name


def program(result: DoneResult) -> tuple[str, str]:
    """The program that made the run, and its version or "unknown"."""
    if not result.imported:
        return PROGRAM, result.provenance.bench_version
    name, _, version = result.imported.rpartition(" ")
    return (name, version) if name and version[:1].isdigit() else (result.imported, "unknown")


def describe_variant(result: DoneResult) -> str:
    """How the model was run, in words: everything that distinguishes two runs of a model on a task."""
    variant, view = result.cell.variant, result.cell.task.view
    words = [variant.precision] if variant.precision else []
    if variant.adapter:
        words.append(f"{variant.adapter.method} adapter {variant.adapter.name}")
    words.append("chat template" if variant.prompt == "chat" else "plain prompt")
    words.append(f"{variant.exemplars}-shot")
    words += [f"exemplars {variant.which_exemplars}"] if variant.which_exemplars else []
    if variant.generate:
        words.append(f"answer written in up to {variant.generate.max_new_tokens} tokens")
        if variant.generate.samples > 1:
            words.append(f"the commonest of {variant.generate.samples} samples")
    else:
        words.append(f"likeliest option by view: {view_title(view).lower()}")
    words += [f"seed {variant.seed}"] if variant.seed else []
    return ", ".join([*words, f"made by {' '.join(program(result))}"])


def deviation(rate: Rate) -> float | None:
    """The sample standard deviation of the items' scores, which are 0 or 1; None for a single item."""
    if rate.total < 2:
        return None
    return math.sqrt(rate.correct * (rate.total - rate.correct) / (rate.total * (rate.total - 1)))


def finished_at(provenance: Provenance) -> datetime:
    """When the run was finished, in UTC. The run must have a date."""
    end = datetime.fromisoformat(provenance.finished)
    return end.astimezone(UTC) if end.tzinfo else end.replace(tzinfo=UTC)


def strings(values: Mapping[str, object]) -> dict[str, str]:
    """The values as text, in JSON unless they are text already; None and "" are left out."""
    return {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in values.items()
        if value is not None and value != ""
    }


def without_none(values: Mapping[str, object]) -> dict[str, object]:
    """The values that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def as_json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def as_lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """JSON Lines."""
    lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows)
    return "".join(f"{line}\n" for line in lines).encode()


def write_export(export: Export, out: Path, name: str) -> None:
    """Put the files in the place of an earlier export in the same format, as `replace_folder` does.

    Raises a UsageError if the folder holds anything else.
    """
    mark = f".slm-bench-{name}"
    try:
        foreign = sorted(_files(out) - {mark, *listed(out, mark)})
    except OSError as error:
        raise BenchError(f"{out} cannot be read: {error.strerror}") from error
    if foreign:
        text = f"{out} holds {foreign[0]}, which was not written by an export in this format"
        raise UsageError(f"{text}; give --out a new or an empty folder")
    replace_folder(out, mark, export.files, partial(put, export.files))


def _files(out: Path) -> set[str]:
    """Everything in the folder that is not a folder itself, by its path in it."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is not a folder; give --out a new or an empty folder")
    inside = (path for path in out.rglob("*") if path.is_symlink() or not path.is_dir())
    return {path.relative_to(out).as_posix() for path in inside}


def comma_separated(names: Sequence[str]) -> str:
    """The names, sorted, each once."""
    return ", ".join(sorted(set(names)))
