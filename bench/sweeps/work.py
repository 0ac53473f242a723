"""The work of a cell's process: load the model, answer the open questions, store each batch."""

import os
import traceback
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from bench.cells.cell import CannotRun, Cell
from bench.engines import checked
from bench.engines.device import usable_cores, use_accelerators
from bench.engines.engine import (
    Engine,
    WithBuild,
    WithOwnTokenizer,
    WithPositions,
    WithServer,
)
from bench.engines.kinds import engine_package, told_of
from bench.engines.public_reason import public_reason
from bench.engines.reply_checks import EngineMistake
from bench.errors import BenchError
from bench.evaluate import evaluate, renderer
from bench.results import journal
from bench.results.files import digest
from bench.results.identity import CANNOT_RUN
from bench.results.journal import Batch, Unfinished
from bench.results.lease import CellLocked
from bench.results.mirrored import sent_later
from bench.results.provenance import provenance
from bench.results.result import CannotRunResult, DoneResult, FailedResult, task_facts
from bench.results.store import find_run, forget_failure, records_bytes, write_run
from bench.results.whole import StoreError
from bench.scoring.asking import score_request
from bench.scoring.metrics import load_metrics, measure
from bench.scoring.record import Record, clustered
from bench.sweeps.energy import Meter
from bench.sweeps.events import BeyondPositions, Blocked, Busy, Loading, Note, Progress, Skipped, Terms
from bench.sweeps.finishing import Finished, finish, head_of, with_more
from bench.sweeps.measured import Peaks, cost_of, engine_facts
from bench.sweeps.opened import Kept, close_model, open_model
from bench.sweeps.probe_run import askable, wanted
from bench.types import ProbeName
from bench.wording import size

COMPARED = 100
"""Prompts whose tokens are compared with those of another library."""


def work(cell: Cell, results: Path, terms: Terms, events: Any, kept: Kept | None = None) -> None:
    """The process's main function. It catches all errors, because the sweep must continue.

    A process that works on several shards gives `kept`, where models stay open.
    """
    results = results.absolute()  # an engine may change the working folder
    if terms.devices:
        use_accelerators(terms.devices)
    if terms.jobs > 1:  # read when torch is imported
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, usable_cores() // terms.jobs)))
    # When the sweep has ended, nobody reads the events, and that is not a failure of the cell.
    with suppress(BrokenPipeError):
        try:
            with sent_later(), journal.lock_cell(results, cell.id):
                last = _result(cell, results, terms, events, kept)
        except CellLocked:
            last = Busy()
        except StoreError as error:
            last = Blocked(str(error)) if error.everywhere else failed(cell, results, str(error))
        events.send(last)
        events.close()


def _result(
    cell: Cell, results: Path, terms: Terms, events: Any, kept: Kept | None
) -> DoneResult | FailedResult | Skipped:
    reason, public, trace = "", "", ""
    try:
        if cell.shard and not terms.fresh and (whole := find_run(results, cell.run_folder, cell.facts.id)):
            assert isinstance(whole.result, DoneResult)  # a run that failed has no records
            return Skipped(whole.result)
        run = None if terms.fresh else find_run(results, cell.folder, cell.facts.id)
        if run is None or not isinstance(run.result, DoneResult):
            return _score(cell, results, terms, events, kept)
        return with_more(cell, results, run.result, run.records, terms, events)
    except (BrokenPipeError, StoreError):
        raise
    except MemoryError:
        free = size(psutil.virtual_memory().available)
        reason = public = f"out of memory: {free} were free"
        trace = traceback.format_exc()
    except BaseException as error:  # noqa: BLE001 (an engine may also exit, or interrupt)
        card = cell.opening.card
        reason = told_of(error, card)
        public = public_reason(reason, error, cell.items, is_ours=not engine_package(card))
        is_known = isinstance(error, BenchError) and not isinstance(error, EngineMistake)
        trace = "" if is_known else traceback.format_exc()
    return failed(cell, results, reason, trace, public)


def failed(
    cell: Cell, results: Path, reason: str, trace: str = "", public: str | None = None
) -> FailedResult:
    """Store and return a failure; a finished run is never replaced. `public` is the reason by default.

    That of a shard is one of its run.
    """
    shown = reason if public is None else public
    if cell.shard:
        reason, shown = (text and f"shard {cell.shard.name}: {text}" for text in (reason, shown))
    result = FailedResult(
        cell=cell.facts, reason=reason, public_reason=shown, traceback=trace, provenance=provenance()
    )
    # Where the folder cannot be written, the event still reports the reason.
    with suppress(BenchError):
        write_run(
            results, cell.run_folder, result, None,
            unless=lambda: find_run(results, cell.run_folder, cell.facts.id) is not None,
        )  # fmt: skip
    return result


def cannot_run(cell: CannotRun, results: Path) -> CannotRunResult:
    """Store and return the reason why a model cannot run."""
    result = CannotRunResult(
        task=task_facts(cell.task),
        test=cell.test,
        model_name=cell.model_name,
        model_title=cell.model_title,
        reason=cell.reason,
        provenance=provenance(),
    )
    with suppress(BenchError):
        write_run(results, cell.folder, result, None)
    return result


def _score(cell: Cell, results: Path, terms: Terms, events: Any, kept: Kept | None) -> DoneResult:
    before = journal.start_or_resume(results, cell.folder, head_of(cell, terms), cell.items)
    events.send(Loading(len(before.records), len(cell.items), cell.slug))
    metrics = load_metrics(cell.task.metrics, cell.home)
    opened = open_model(cell, events, kept)
    engine = opened.engine
    other_tokens = _other_tokens(cell, engine)
    _send_notes(events, other_tokens, engine)
    before = _of_this_server(cell, results, before, engine, events)
    probes = askable(cell, wanted(cell, terms))
    peaks = Peaks()
    batches = [*before.batches, *_batches(cell, engine, before, probes, peaks, results, events)]
    records = _in_order(cell, batches)
    own, probed = ([batch for batch in batches if bool(batch.probed) is which] for which in (False, True))
    # Before the metrics, which must not count as costs of the model.
    if not probed:
        peaks.read(engine)
    server = checked.fact(engine, "server_facts", WithServer)
    cost = cost_of(opened, server, own, peaks, terms)
    data = records_bytes(records)
    result = DoneResult(
        cell=cell.facts,
        metrics=measure(records, metrics),
        cost=cost,
        engine=engine_facts(cell, opened, own, other_tokens),
        provenance=provenance(
            jobs=terms.jobs,
            stops=before.head.stops,
            threads=checked.fact(engine, "threads", WithBuild),
            server=server,
        ),
        records_sha256=digest(data),
        shard=cell.shard,
    )
    write_run(results, cell.folder, result, data)
    forget_failure(results, cell.run_folder.parent / CANNOT_RUN)
    result = finish(cell, results, Finished(result, records, probed), engine, terms, events)
    close_model(opened, events, kept)
    return result


def _send_notes(events: Any, other_tokens: str, engine: Engine) -> None:
    notes = (other_tokens, *(checked.fact(engine, "limits", WithServer) or ()))
    for note in filter(None, notes):
        events.send(Note(note))


def _in_order(cell: Cell, batches: Sequence[Batch]) -> tuple[Record, ...]:
    """The records in the order of the items, also of batches that are older than the task's clusters."""
    by_id = {record.question_id: record for batch in batches for record in batch.records}
    return clustered([by_id[item.id] for item in cell.items], cell.items, "full")


def _of_this_server(cell: Cell, results: Path, before: Unfinished, engine: Engine, events: Any) -> Unfinished:
    """What was answered before; where a server answers, by the model that it has now."""
    kept = journal.keep_only(results, cell.folder, before, _answers_as(engine))
    if lost := len(before.records) - len(kept.records):
        events.send(Note(f"the server now has another model or abilities: {lost} questions are asked again"))
        events.send(Loading(len(kept.records), len(cell.items), cell.slug))
    return kept


def _answers_as(engine: Engine) -> str:
    return checked.fact(engine, "answers_as", WithServer) or ""


def _other_tokens(cell: Cell, engine: Engine) -> str:
    """What `compare_tokens` says of the first prompts; "" for an engine that has nothing to compare."""
    if not isinstance(engine, WithOwnTokenizer):
        return ""
    items = cell.items[:COMPARED]
    asking = replace(cell.asking, generate=None)
    render = renderer(engine, thinking=False)
    return checked.compare_tokens(engine, [score_request(asking, item, render).prompt for item in items])


def _batches(
    cell: Cell,
    engine: Engine,
    before: Unfinished,
    probes: Sequence[ProbeName],
    peaks: Peaks,
    results: Path,
    events: Any,
) -> Iterator[Batch]:
    """Answer the open questions; each batch is on disk before its Progress is sent.

    `peaks` are read until changed questions are asked: then they are no longer those of the questions alone.
    """
    done = before.records.keys()
    count, probed = len(done), False
    meter = Meter()
    announce = partial(_announce, engine, events)
    for answered in evaluate(cell.asking, cell.items, engine, done, announce, probes):
        seconds, joules = meter.lap()
        probed = probed or bool(answered.probed)
        if not probed:
            peaks.read(engine)
        batch = Batch(
            records=answered.records,
            probed=answered.probed,
            batch_tokens=answered.batch_tokens,
            seconds=seconds,
            peak_memory_bytes=peaks.host,
            joules=joules,
            server=_answers_as(engine),
        )
        journal.append(results, cell.folder, batch)
        count += len(batch.records)
        events.send(Progress(count, len(cell.items), peaks.host))
        yield batch
        meter.begin()  # storing and reporting a batch is not a cost of the model


def _announce(engine: Engine, events: Any, tokens: int) -> None:
    """Say where the longest prompt, with what is to be written, is beyond the model's own positions."""
    positions = checked.fact(engine, "positions", WithPositions)
    if positions is not None and tokens > positions:
        events.send(BeyondPositions(tokens, positions))
