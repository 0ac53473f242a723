"""Export for Every Eval Ever's data store, schema 0.3.0: for each run, a summary and its samples.

As its JSON Schemas require, details are strings, and unknown values are left out. The data store names
files by UUIDs of version 4. Ours must not change from export to export, so they are made from the cell's
id, with the bits of version 4 set.
"""

import hashlib
import re
import uuid
from collections.abc import Sequence
from typing import Any

from bench.inputs.model_card import HubSource, ModelCard, PackageSource, ProgramSource
from bench.results.result import CellFacts, DoneResult
from bench.sharing.every_eval_ever_results import evaluation_results
from bench.sharing.every_eval_ever_samples import samples
from bench.sharing.export import (
    Export,
    Finished,
    Publisher,
    as_json,
    as_lines,
    finished_at,
    hub_model,
    program,
    strings,
    tuned_name,
    without_none,
)

SCHEMA = "0.3.0"
_NOT_PORTABLE = re.compile(r'[<>:"/\\|?*\x00-\x1f]')


def every_eval_ever_export(runs: Sequence[Finished], publisher: Publisher) -> Export:
    """Two files for each run, at the paths that the data store expects."""
    files: dict[str, bytes] = {}
    for run in runs:
        stem = _stem(run.result.cell)
        rows = as_lines(samples(run, _evaluation_id(run.result), model_id(run.result.cell), SCHEMA))
        detailed = {
            "format": "jsonl",
            "file_path": f"{stem}_samples.jsonl",
            "hash_algorithm": "sha256",
            "checksum": hashlib.sha256(rows).hexdigest(),
            "total_rows": len(run.records),
            "additional_details": strings({"texts": run.result.texts}),
        }
        summary = _summary(run, publisher) | {"detailed_evaluation_results": detailed}
        files |= {f"{stem}.json": as_json(summary), f"{stem}_samples.jsonl": rows}
    return Export(files)


def model_id(cell: CellFacts) -> str:
    """The hub's id of the model; for one that is not on the hub, a name without a developer."""
    return hub_model(cell) or tuned_name(cell)


def _developer(cell: CellFacts) -> str:
    """Who made the model; for one that is not on the hub, where it comes from. lm-eval's files do not say
    who made a model.
    """
    source = cell.model.source
    if cell.variant.adapter is not None:
        return "local"
    match source:
        case HubSource():
            return source.hub.partition("/")[0]
        case PackageSource():
            return source.package
        case None:
            return "slm-bench"
        case ProgramSource():
            return "unknown"
        case _:
            return "local"


def _stem(cell: CellFacts) -> str:
    model = model_id(cell).rpartition("/")[2]
    folders = (_portable(name) for name in (cell.task.name, _developer(cell), model))
    digest = hashlib.sha256(cell.id.encode()).digest()
    return "/".join(("data", *folders, str(uuid.UUID(bytes=digest[:16], version=4))))


def _portable(name: str) -> str:
    """A folder name that the data store accepts: `data` is reserved, some characters are not portable."""
    portable = _NOT_PORTABLE.sub("_", name).rstrip(". ")
    return f"{portable}_" if portable == "data" else portable


def _evaluation_id(result: DoneResult) -> str:
    """Their NAME/MODEL/TIME. The cell's id distinguishes variants that ended in the same second."""
    cell = result.cell
    return f"{cell.task.name}-{cell.id[:10]}/{model_id(cell)}/{_seconds(result)}"


def _seconds(result: DoneResult) -> str:
    """The end of the run in Unix time. It is the file's time too: an export adds nothing to the run."""
    return str(int(finished_at(result.provenance).timestamp()))


def _summary(run: Finished, publisher: Publisher) -> dict[str, Any]:
    result = run.result
    return {
        "schema_version": SCHEMA,
        "evaluation_id": _evaluation_id(result),
        "evaluation_timestamp": result.provenance.finished,
        "retrieved_timestamp": _seconds(result),
        "source_metadata": _source_metadata(result, publisher),
        "eval_library": _library(result),
        "model_info": _model_info(result),
        "evaluation_results": evaluation_results(run),
    }


def _source_metadata(result: DoneResult, publisher: Publisher) -> dict[str, Any]:
    relationship = "third_party" if publisher.name else "other"
    if publisher.name.casefold() == _developer(result.cell).casefold():
        relationship = "first_party"
    return without_none(
        {
            "source_name": program(result)[0],
            "source_type": "evaluation_run",
            "source_organization_name": publisher.name or "not stated",
            "source_organization_url": publisher.url or None,
            "evaluator_relationship": relationship,
        }
    )


def _library(result: DoneResult) -> dict[str, Any]:
    name, version = program(result)
    provenance, engine = result.provenance, result.engine
    details = {
        "imported_by": f"slm-bench {provenance.bench_version}" if result.imported else None,
        "run": result.cell.id,
        "engine_version": result.cell.engine_version,
        "commit": provenance.git,
        "path": engine.path,
        "batch_tokens": engine.batch_tokens,
        "weights_as_pickle": engine.pickle or None,
        "code_of_the_weights": engine.code or None,
        "python": provenance.python,
        "libraries": provenance.libraries,
        "system": provenance.system,
        "processor": provenance.processor,
        "cores": provenance.cores,
        "threads": provenance.threads,
        "memory_bytes": provenance.memory_bytes,
        "device": provenance.device,
        "driver": provenance.driver,
    }
    return {
        "name": name if result.imported else "slm-bench",
        "version": version,
        "additional_details": strings(details),
    }


def _model_info(result: DoneResult) -> dict[str, Any]:
    cell, cost = result.cell, result.cost
    card, adapter = cell.model, cell.variant.adapter
    open_weights = isinstance(card.source, HubSource | PackageSource) and adapter is None
    version = result.provenance.libraries.get("transformers")
    own_engine = not card.is_baseline and not result.imported and version
    details = {
        "deployment_type": "self_deployed",
        "model_availability": "open_weights" if open_weights else "unknown",
        "base_model": card.name if adapter else None,
        "source": _source(card),
        "weights": cell.weights,
        "architecture": card.architecture,
        "family": card.family,
        "parameters": card.parameters,
        "context": card.context,
        "license": card.license,
        "precision": cell.variant.dtype,
        "quantization": cell.variant.weights_format or cell.variant.quantize,
        "adapter": adapter and adapter.name,
        "adapter_method": adapter and adapter.method,
        "adapter_sha256": adapter and adapter.sha256,
        "adapter_saw_questions": adapter and adapter.seen,
        "weights_on_disk_bytes": cost.weights_bytes,
        "weights_in_memory_bytes": cost.model_bytes,
        "peak_memory_bytes": cost.peak_memory_bytes,
        "questions_per_second": cost.items_per_second,
        "joules": cost.joules,
    }
    engine = {"name": "transformers", "version": version} if own_engine else None
    info = {
        "name": card.title,
        "id": model_id(cell),
        "developer": _developer(cell),
        "inference_engine": engine,
        "additional_details": strings(details),
    }
    return without_none(info)


def _source(card: ModelCard) -> dict[str, Any]:
    """Where the weights came from, or what answers without any."""
    match card.source:
        case None:
            return {"engine": card.engine, "settings": card.settings}
        case ProgramSource(program=name, arguments=arguments):
            return {"engine": name, "settings": arguments}
        case source:
            return source.model_dump(mode="json")
