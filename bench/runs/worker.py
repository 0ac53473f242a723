"""One process a cell: memory is really freed, its peak is the cell's own, and a crash is one cell's."""

import time
import traceback
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.engines.engine import Engine, Opening
from bench.engines.opening import open_engine, prepare
from bench.errors import BenchError
from bench.evaluate import evaluate
from bench.inputs.weights import Weights
from bench.runs.cell import Cell
from bench.runs.cost import peak_device_memory_bytes, peak_memory_bytes
from bench.runs.process import Ended, in_process
from bench.runs.provenance import provenance
from bench.runs.result import Cost, DoneResult, EngineFacts, FailedResult
from bench.runs.store import digest, find_run, records_bytes, write_run
from bench.scoring.metrics import load_metrics, measure
from bench.scoring.record import Record


@dataclass(frozen=True, slots=True)
class Loading:
    """The model is being opened."""


@dataclass(frozen=True, slots=True)
class Progress:
    done: int
    total: int


Event = Loading | Progress | DoneResult | FailedResult


def run_cell(cell: Cell, results: Path) -> Iterator[Event]:
    """Run one cell in a process of its own; the last event is its result, which is on disk too."""
    done = False
    with closing(in_process(_work, cell, results, name=f"bench {cell.folder}")) as process:
        for event in process:
            if not isinstance(event, Ended):
                done |= isinstance(event, (DoneResult, FailedResult))
                yield event
            elif not done:  # it died without a word: killed by the system, or a crash below Python
                yield failed(cell, results, f"the worker died with {event.how}", "")


def _work(cell: Cell, results: Path, events: Any) -> None:
    """The worker's main function. The one place that catches broadly: the sweep must go on."""
    # When the sweep is gone nobody reads what is sent, and its end is not this cell's failure.
    with suppress(BrokenPipeError):
        events.send(Loading())
        try:
            done = _score(cell, results, events)
        except BrokenPipeError:
            raise
        except BenchError as error:
            done = failed(cell, results, str(error), "")
        except Exception as error:  # noqa: BLE001
            reason = f"{type(error).__name__}: {error}"
            done = failed(cell, results, reason, traceback.format_exc())
        events.send(done)
        events.close()


def _score(cell: Cell, results: Path, events: Any) -> DoneResult:
    metrics = load_metrics(cell.task.metrics, cell.home)
    opening = prepare(cell.opening)
    start = time.perf_counter()
    engine = open_engine(opening)
    loaded = time.perf_counter()
    records, batch_tokens = _records(cell, engine, events)
    scored = time.perf_counter()
    # Before the metrics: scikit-learn is no cost of the model.
    cost = _cost(opening, engine, records, loaded - start, scored - loaded)
    engine.close()
    data = records_bytes(records)
    result = DoneResult(
        cell=cell.facts,
        metrics=measure(records, cell.task.metrics, metrics),
        cost=cost,
        engine=_engine_facts(opening, engine, batch_tokens),
        provenance=provenance(),
        records_sha256=digest(data),
    )
    write_run(results, cell.folder, result, data)
    return result


def _records(cell: Cell, engine: Engine, events: Any) -> tuple[list[Record], int | None]:
    """The records in the order of the items, and the size of the last batches."""
    found: dict[str, Record] = {}
    batch_tokens: int | None = None
    for answered in evaluate(cell.asking, cell.items, engine):
        found |= {record.question_id: record for record in answered.records}
        batch_tokens = answered.batch_tokens or batch_tokens
        events.send(Progress(len(found), len(cell.items)))
    return [found[item.id] for item in cell.items], batch_tokens


def _engine_facts(opening: Opening, engine: Engine, batch_tokens: int | None) -> EngineFacts:
    pickled = isinstance(opening.weights, Weights) and opening.weights.pickled
    return EngineFacts(path=engine.path, batch_tokens=batch_tokens, pickle=pickled, code=opening.trust.code)


def _cost(
    opening: Opening, engine: Engine, records: list[Record], load_seconds: float, scoring_seconds: float
) -> Cost:
    """What the pass cost; prompts that did not fit the model were not scored and do not count."""
    scored = [record for record in records if record.parse_status != "prompt_too_long"]
    written = sum(record.new_tokens for record in scored)
    tokens = sum(record.prompt_tokens for record in scored)
    return Cost(
        load_seconds=load_seconds,
        scoring_seconds=scoring_seconds,
        items_per_second=len(scored) / scoring_seconds if scored else None,
        prompt_tokens=tokens,
        tokens_per_second=tokens / scoring_seconds if tokens else None,
        new_tokens=written or None,
        peak_memory_bytes=peak_memory_bytes(),
        peak_device_memory_bytes=peak_device_memory_bytes(),
        weights_bytes=opening.weights.bytes if isinstance(opening.weights, Weights) else None,
        model_bytes=engine.model_bytes,
    )


def failed(cell: Cell, results: Path, reason: str, trace: str) -> FailedResult:
    """The failure as a result. It is kept, but never in the place of a run that was good."""
    result = FailedResult(cell=cell.facts, reason=reason, traceback=trace, provenance=provenance())
    # Where the folder cannot be written, that is the reason already, and the event tells it.
    with suppress(BenchError):
        if find_run(results, cell.folder, cell.facts.id) is None:
            write_run(results, cell.folder, result, None)
    return result
