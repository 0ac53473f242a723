"""What all forms of sharing have in common: runs in words and plain values, and the folder they go to."""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.errors import BenchError, UsageError
from bench.inputs.model_card import HubSource
from bench.runs.result import CellFacts, DoneResult, Provenance, SplitFacts
from bench.runs.store import Run
from bench.scoring.metrics import Rate
from bench.scoring.record import Record
from bench.views import view_title

PROGRAM = "SLM Bench"
_HUB_SPLIT = re.compile(r"([\w-][\w.-]*/[\w.-]+)\[(.+)\]")


@dataclass(frozen=True, slots=True)
class Publisher:
    """Who publishes the runs and where they can be read; "" where that is not said."""

    name: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished run, whole or partial."""

    result: DoneResult
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Export:
    """Files by their path in the folder, and a word on all that is not in them."""

    files: dict[str, bytes]
    notes: tuple[str, ...] = ()


def finished(runs: Iterable[Run]) -> list[Finished]:
    """The runs that were finished, and say when, in the order given."""
    done = [(run.result, run.records) for run in runs if isinstance(run.result, DoneResult)]
    return [Finished(result, records) for result, records in done if result.provenance.finished]


def hub_model(cell: CellFacts) -> str | None:
    """The repository of the hub that holds these very weights; None for any others, tuned ones among them."""
    source = cell.model.source
    return source.hub if isinstance(source, HubSource) and cell.variant.adapter is None else None


def hub_data_set(split: SplitFacts) -> str | None:
    """The data set of the hub that the questions came from; None for a file, even one that mirrors it."""
    found = _HUB_SPLIT.fullmatch(split.source)
    return found[1] if found and found[2] == split.split else None


def tuned_name(cell: CellFacts) -> str:
    """The model's name; with the adapter's method and digest, where it runs with one."""
    adapter = cell.variant.adapter
    return f"{cell.model.name}-{adapter.method}-{adapter.sha256[:8]}" if adapter else cell.model.name


def program(result: DoneResult) -> tuple[str, str]:
    """The program that made the run, and its version or "unknown"."""
    if not result.imported:
        return PROGRAM, result.provenance.bench_version
    name, _, version = result.imported.rpartition(" ")
    return (name, version) if name and version[:1].isdigit() else (result.imported, "unknown")


def told_variant(result: DoneResult) -> str:
    """How the model was run, in words: what tells two runs of it apart."""
    variant, view = result.cell.variant, result.cell.task.view
    words = [variant.precision] if variant.precision else []
    if variant.adapter:
        words.append(f"{variant.adapter.method} adapter {variant.adapter.name}")
    words.append("chat template" if variant.prompt == "chat" else "plain prompt")
    words.append(f"{variant.exemplars}-shot")
    words += ["exemplars drawn for each question"] if variant.exemplar_choice == "per_question" else []
    if variant.generate:
        words.append(f"answer written in up to {variant.generate.max_new_tokens} tokens")
        if variant.generate.samples > 1:
            words.append(f"the commonest of {variant.generate.samples} samples")
    else:
        words.append(f"likeliest option by view: {view_title(view).lower()}")
    words += [f"seed {variant.seed}"] if variant.seed else []
    return ", ".join([*words, f"made by {' '.join(program(result))}"])


def deviation(rate: Rate) -> float | None:
    """The sample standard deviation of an item's score, which is 0 or 1; None for a single item."""
    if rate.total < 2:
        return None
    return math.sqrt(rate.correct * (rate.total - rate.correct) / (rate.total * (rate.total - 1)))


def finished_at(provenance: Provenance) -> datetime:
    """When the run was finished, in UTC; it must say so."""
    found = datetime.fromisoformat(provenance.finished)
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def strings(values: Mapping[str, object]) -> dict[str, str]:
    """The values as text, those that are not plain as JSON; what is None or "" is left out."""
    return {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in values.items()
        if value is not None and value != ""
    }


def known(values: Mapping[str, object]) -> dict[str, object]:
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


def write_export(export: Export, out: Path, form: str) -> None:
    """Replace what an earlier export of that form wrote; refuses a folder that holds anything else."""
    mark = out / f".slm-bench-{form}"
    try:
        before = mark.read_text(encoding="utf-8").splitlines() if mark.is_file() else []
        found = _files(out)
        foreign = sorted(found - {mark.name, *before})
        if foreign:
            text = f"{out} holds {foreign[0]}, which no export of this form wrote"
            raise UsageError(f"{text}; give --out an empty or a new folder")
        out.mkdir(parents=True, exist_ok=True)
        _list(mark, found | export.files.keys())
        for name in sorted(found - {mark.name} - export.files.keys()):
            _remove(out, out / name)
        for name, data in export.files.items():
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        _list(mark, export.files)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its list of files is damaged"
        raise BenchError(f"the export cannot be written to {out}: {reason}") from error


def _files(out: Path) -> set[str]:
    """All that is in the folder and is no folder itself, by its path in there."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is no folder; give --out an empty or a new folder")
    inside = (path for path in out.rglob("*") if path.is_symlink() or not path.is_dir())
    return {path.relative_to(out).as_posix() for path in inside}


def _list(mark: Path, names: Iterable[str]) -> None:
    mark.write_text("".join(f"{name}\n" for name in sorted({*names} - {mark.name})), encoding="utf-8")


def _remove(out: Path, path: Path) -> None:
    """Remove a file, and the folders that are empty without it."""
    path.unlink()
    for folder in path.parents:
        if folder == out or any(folder.iterdir()):
            break
        folder.rmdir()


def named(names: Sequence[str]) -> str:
    """Names in a list, each once, sorted."""
    return ", ".join(sorted(set(names)))
