"""A table's rows as plain values: what can be sorted, filtered, and taken away as CSV and JSON."""

import csv
import io
import json
from collections.abc import Sequence

from leaderboard.board import Row, TaskBoard

Value = str | int | float | None
SIZES = ((2 * 10**8, "below 200M"), (10**9, "200M to 1B"), (4 * 10**9, "1B to 4B"))


def values(row: Row) -> dict[str, Value]:
    """One row by column; numbers are plain, shares are in [0, 1], sizes in bytes."""
    cell, cost, rate = row.result.cell, row.result.cost, row.result.metrics.accuracy
    standing = row.standing
    found: dict[str, Value] = {
        "rank_best": standing.best if standing else None,
        "rank_worst": standing.worst if standing else None,
        "model": cell.model.name,
        "title": cell.model.title,
        "variant": cell.variant.slug,
        "family": cell.model.family,
        "view": cell.task.view,
        "accuracy": rate.value,
        "low": rate.low,
        "high": rate.high,
        "above_chance": standing.above_chance if standing else None,
        "right": rate.correct,
        "questions": rate.total,
        **{f"accuracy_{view}": one.value for view, one in row.result.metrics.views.items()},
        "parameters": cell.model.parameters,
        "precision": cell.variant.precision,
        "tuned": cell.variant.adapter.method if cell.variant.adapter else None,
        "exemplars": cell.variant.exemplars,
        "prompt": cell.variant.prompt,
        "questions_per_second": cost.items_per_second,
        "peak_memory_bytes": cost.peak_memory_bytes,
        "weights_in_memory_bytes": cost.model_bytes,
        "weights_on_disk_bytes": cost.weights_bytes,
        "seconds_alone_p50": cost.alone.p50 if cost.alone else None,
        "joules": cost.joules,
        "licence": cell.model.license,
        "hardware": row.result.provenance.machine,
        "finished": row.result.provenance.finished,
        "imported": row.result.imported or None,
        "run": cell.id,
    }
    return {name: _short(value) for name, value in found.items()}


def _short(value: Value) -> Value:
    """Four decimals, and whole numbers as such: the same digits in every program."""
    if not isinstance(value, float):
        return value
    return int(value) if value.is_integer() else round(value, 4)


def kinds(row: Row) -> dict[str, str]:
    """What a row can be chosen by: a word for each kind."""
    found = values(row)
    is_model = row.result.cell.model.architecture != "baseline"
    return {
        "family": str(found["family"]),
        "size": _size(row.result.cell.model.parameters) if is_model else "baseline",
        "precision": str(found["precision"] or "unknown") if is_model else "baseline",
        "tuned": {"lora": "LoRA", "full": "all weights"}.get(str(found["tuned"]), "as published"),
        "licence": str(found["licence"]),
        "hardware": str(found["hardware"]),
    }


def _size(parameters: int | None) -> str:
    if parameters is None:
        return "unknown"
    return next((name for bound, name in SIZES if parameters < bound), "4B and more")


def choices(table: TaskBoard) -> dict[str, list[str]]:
    """Each kind of filter that has more than one word in the table, with its words."""
    found: dict[str, set[str]] = {}
    for row in table.rows:
        for kind, word in kinds(row).items():
            found.setdefault(kind, set()).add(word)
    return {kind: sorted(words) for kind, words in found.items() if len(words) > 1}


def listed(rows: Sequence[Row]) -> list[dict[str, Value]]:
    """Every row with every column that any of them has."""
    found = [values(row) for row in rows]
    names = list(dict.fromkeys(name for one in sorted(found, key=len, reverse=True) for name in one))
    return [{name: one.get(name) for name in names} for one in found]


def as_csv(rows: Sequence[Row]) -> str:
    """RFC 4180, with a header; what is not known is an empty field."""
    found = listed(rows)
    out = io.StringIO()
    writer = csv.DictWriter(out, list(found[0]) if found else [], lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: _plain(value) for name, value in one.items()} for one in found)
    return out.getvalue()


def _plain(value: Value) -> Value:
    """A text that a spreadsheet would take for a formula is marked as text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@")) else value


def as_json(rows: Sequence[Row]) -> str:
    return json.dumps(listed(rows), indent=1, ensure_ascii=False) + "\n"
