"""Upgrading files of older versions; on anything else they raise KeyError, TypeError or AttributeError."""

from typing import Any

from bench.results.result import SCHEMA_VERSION
from bench.scoring.record import Record

Raw = dict[str, Any]


def upgrade_result(raw: Raw) -> Raw:
    """A result file in the form of this version.

    From 6 to 7: the file got a digest of its own (`summary.py`).
    From 5 to 6: the engine became a key of the card, runs of other programs got a source of their
    own, and models that cannot run no longer have a made-up card.
    From 2 to 5: only fields were added.
    From 1 to 2: metrics got intervals, views and statuses. The reader measures them again from the
    records; only the accuracy, which the records must confirm, is taken over.
    """
    version = raw.get("schema_version")
    if version not in range(1, SCHEMA_VERSION):
        return raw
    new: Raw = raw | {"schema_version": SCHEMA_VERSION}
    if version == 6:
        return new
    if version == 1 and raw.get("status") == "done":
        new |= _with_metrics(raw)
    cell = raw["cell"]
    if raw.get("status") == "failed" and cell["weights"] is None and _needs_weights(cell["model"]):
        return _cannot_run(new)
    if raw.get("status") == "done" and _is_older_baseline(raw):
        new |= {"metrics": _in_view(new["metrics"], cell["task"]["view"])}
    return new | {"cell": upgrade_cell(cell)}


def upgrade_cell(cell: Raw) -> Raw:
    """The facts of a cell, from a version before 6; in results and in the heads of journals."""
    model, program = cell["model"], cell["variant"].get("program")
    if not program or "engine" not in model["source"]:
        return cell
    source = {"program": model["source"]["engine"], "arguments": model["source"].get("settings", {})}
    return cell | {"model": model | {"engine": None, "source": source}}


def _with_metrics(raw: Raw) -> Raw:
    metrics = raw["metrics"]
    empty: Raw = {"groups": {}, "statuses": {}, "views": {}, "disagreements": ()}
    values = {name: {"value": value} for name, value in metrics["values"].items()}
    baseline = raw["cell"]["model"]["architecture"] == "baseline"
    engine = {"path": "" if baseline else "plain", "batch_tokens": None}
    return {"metrics": metrics | empty | {"values": values}, "engine": engine}


def _needs_weights(model: Raw) -> bool:
    """Whether a model needs weights; a card that could not be read was stored with the engine `none`."""
    return model["source"].get("engine", "none") == "none"


def _cannot_run(raw: Raw) -> Raw:
    cell = raw["cell"]
    names = {"model_name": cell["model"]["name"], "model_title": cell["model"]["title"]}
    kept = {key: raw[key] for key in ("schema_version", "reason", "provenance")}
    return kept | names | {"status": "cannot-run", "task": cell["task"], "test": cell["data"]["test"]}


def _is_older_baseline(raw: Raw) -> bool:
    """Whether it is a baseline whose scores are under `letter`, though the task ranks by another view."""
    return raw["cell"]["model"]["architecture"] == "baseline" and raw["cell"]["task"]["view"] != "letter"


def _in_view(metrics: Raw, view: str) -> Raw:
    views = metrics["views"]
    return metrics if "letter" not in views else metrics | {"views": {view: views["letter"]}}


def upgrade_record(record: Record, view: str) -> Record:
    """A baseline's record with its scores under the view that ranks, where they were under `letter`."""
    if view in record.scores or set(record.scores) != {"letter"}:
        return record
    return record.model_copy(update={"scores": {view: record.scores["letter"]}})
