"""What a finished run may lack: the records of its probes, and its latency."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.cells.cell import Cell
from bench.engines import checked
from bench.engines.engine import Engine, WithServer
from bench.errors import BenchError
from bench.results import journal
from bench.results.cost import latency
from bench.results.files import read_probed
from bench.results.journal import Batch, Head
from bench.results.machine import machine_of, this_machine
from bench.results.probes import Probes
from bench.results.result import DoneResult
from bench.results.store import rewrite
from bench.scoring.record import Record
from bench.sweeps.energy import Meter
from bench.sweeps.events import Loading, Progress, Skipped, Terms
from bench.sweeps.latency import ask_alone
from bench.sweeps.opened import close_model, open_model
from bench.sweeps.probe_run import ask_left, askable, lacking, summary
from bench.types import ProbeName


def head_of(cell: Cell, terms: Terms) -> Head:
    """The first line of a cell's journal."""
    # The number of jobs sets the number of threads, which changes rounding in 16 bits on a processor.
    beside = f"on accelerators: {len(terms.devices)}" if terms.devices else f"{terms.jobs} side by side"
    machine = f"{this_machine()}, {beside}"
    return Head(cell=cell.facts, machine=machine, fresh=terms.fresh)


Asked = tuple[int | None, list[Record]]
"""The tokens that a batch of changed questions was planned for, and its records."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished run, and the batches of changed questions that its journal has."""

    result: DoneResult
    records: Sequence[Record]
    probed: Sequence[Batch] = ()

    def changed(self, folder: Path) -> list[Record]:
        """The records of all changed questions, in the run's folder or in the journal."""
        return [*read_probed(folder, self.result), *(r for batch in self.probed for r in batch.probed)]


def with_more(
    cell: Cell, results: Path, result: DoneResult, records: Sequence[Record], terms: Terms, events: Any
) -> DoneResult | Skipped:
    """The result of a finished run with what it lacks: probes, latency."""
    probes = lacking(cell, result, terms)
    if not probes:
        journal.forget(results, cell.folder)  # the run was finished by another sweep, or just before a kill
    if not probes and not lacks_latency(result, terms):
        return Skipped(result)
    before: tuple[Batch, ...] = ()
    if askable(cell, probes):
        before = journal.start_or_resume(results, cell.folder, head_of(cell, terms), cell.items).batches
        done = {record.question_id for batch in before for record in batch.probed}
        events.send(Loading(len(done), len(cell.items), cell.slug))
    finished = Finished(result, records, [batch for batch in before if batch.probed])
    if not askable(cell, probes) and not lacks_latency(result, terms):
        return _with_probes(cell, results, finished, probes, (), events)
    opened = open_model(cell, events)
    result = finish(cell, results, finished, opened.engine, terms, events)
    close_model(opened, events)
    return result


def finish(
    cell: Cell, results: Path, finished: Finished, engine: Engine, terms: Terms, events: Any
) -> DoneResult:
    """Ask what else is wanted of a finished run, and store it."""
    result = finished.result
    if names := lacking(cell, result, terms):
        done = finished.changed(results / cell.folder)
        left = ask_left(cell, engine, askable(cell, names), finished.records, done)
        result = _with_probes(cell, results, finished, names, _of_one_server(result, engine, left), events)
    journal.forget(results, cell.folder)
    if lacks_latency(result, terms):
        result = _with_latency(cell, results, result, engine, finished.records)
    return result


def _of_one_server(result: DoneResult, engine: Engine, left: Iterable[Asked]) -> Iterator[Asked]:
    """The batches as they are; raises a BenchError where another server's model answers than in the run."""
    before = result.provenance.server
    for batch in left:
        now = checked.fact(engine, "server_facts", WithServer)
        if before and now and (now.model, now.version) != (before.model, before.version):
            was, is_ = (" ".join(filter(None, [each.model, each.version])) for each in (before, now))
            raise BenchError(f"the run is of {was}, and {is_} answers now: run it again with --fresh")
        yield batch


def _with_probes(
    cell: Cell,
    results: Path,
    finished: Finished,
    names: tuple[ProbeName, ...],
    left: Iterable[Asked],
    events: Any,
) -> DoneResult:
    """Keep what is left of the probes, batch by batch, and store what all of them show in the result."""
    result = finished.result
    before = result.probes or Probes(asked=())
    batches, done = list(finished.probed), finished.changed(results / cell.folder)
    meter = Meter()
    for tokens, records in left:
        probed = records if result.texts == "full" else [record.without_texts() for record in records]
        batch = Batch(
            records=(),
            batch_tokens=tokens,
            seconds=meter.lap()[0],
            peak_memory_bytes=None,
            probed=tuple(probed),
        )
        journal.append(results, cell.folder, batch)
        batches.append(batch)
        done += probed
        events.send(Progress(len({record.question_id for record in done}), len(cell.items), None))
        meter.begin()
    seconds = before.seconds + sum(batch.seconds for batch in batches)
    probes, data = summary(cell, (*before.asked, *names), finished.records, done, seconds)
    if before.asked and before.machine != probes.machine:
        probes = probes.model_copy(update={"machine": ""})
    more = result.model_copy(update={"probes": probes})
    rewrite(results, cell.folder, more, data)
    return more


def lacks_latency(result: DoneResult, terms: Terms) -> bool:
    """Whether latency is asked for, missing, and can be measured on the machine of the other costs."""
    server = result.provenance.server  # of one elsewhere the machine is unknown, and it does not matter
    here = machine_of(result.provenance) == this_machine() or (server is not None and not server.runs_here)
    is_first = result.shard is None or result.shard.index == 1  # one shard asks for all of them
    return terms.latency and result.cost.alone is None and here and is_first


def _with_latency(
    cell: Cell, results: Path, result: DoneResult, engine: Engine, records: Sequence[Record]
) -> DoneResult:
    """Measure the latency of a finished run, and store it in the result."""
    answered = {record.question_id for record in records if record.parse_status != "prompt_too_long"}
    alone = latency(ask_alone(cell, engine, answered), kept=True)
    cost = result.cost.model_copy(update={"alone": alone})
    more = result.model_copy(update={"cost": cost})
    rewrite(results, cell.folder, more)
    return more
