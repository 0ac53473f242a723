"""The probes of a cell: changed questions, asked beside or after its own, and a part of its result."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from bench.cells.cell import Cell
from bench.engines.engine import Engine
from bench.engines.kinds import engine_kind
from bench.evaluate import renderer
from bench.probing import Forms, ask_changed
from bench.results.files import digest
from bench.results.machine import this_machine
from bench.results.probes import Probes
from bench.results.result import DoneResult
from bench.results.store import records_bytes
from bench.scoring.probing import PROBES, changed_forms, reason_left_out, why_not
from bench.scoring.record import Record, by_change
from bench.sweeps.events import Terms
from bench.types import ProbeName

NO_ANSWER = "the run has no answer of its own"
UNSCORED = "a changed prompt of it cannot be made or scored"
BOUNDED = "a letter was not among the likeliest tokens that the server gives"


def wanted(cell: Cell, terms: Terms) -> tuple[ProbeName, ...]:
    """The probes that the sweep or the task asks for."""
    names = {*terms.probes, *cell.task.probes}
    return tuple(name for name in PROBES if name in names)


def lacking(cell: Cell, result: DoneResult, terms: Terms) -> tuple[ProbeName, ...]:
    """The wanted probes that a finished run does not have."""
    has = result.probes.asked if result.probes else ()
    return tuple(name for name in wanted(cell, terms) if name not in has)


def inapplicable(cell: Cell) -> str:
    """Why probes do not apply to a cell, "" where they do."""
    reads = engine_kind(cell.opening.card).reads
    return why_not(cell.task, reads, writes=cell.variant.generate is not None)


def askable(cell: Cell, names: Sequence[ProbeName]) -> tuple[ProbeName, ...]:
    """Those of the probes that can be asked: none where they do not apply."""
    return () if inapplicable(cell) else tuple(names)


def ask_left(
    cell: Cell, engine: Engine, names: Sequence[ProbeName], records: Sequence[Record], done: Sequence[Record]
) -> Iterator[tuple[int | None, list[Record]]]:
    """Ask what is left of the probes, of the questions that the run has answered; batch by batch."""
    answered = {record.question_id for record in records if record.parse_status == "scored"}
    forms = Forms(cell.asking, engine, renderer(engine, thinking=False), names, by_change(done).keys())
    yield from ask_changed(forms, [item for item in cell.items if item.id in answered])


def summary(
    cell: Cell,
    names: Sequence[ProbeName],
    records: Sequence[Record],
    probed: Sequence[Record],
    seconds: float,
) -> tuple[Probes, bytes]:
    """What the probes of a run showed, and the contents of `probes.jsonl`."""
    from bench.results.probe_figures import figures  # needs numpy, which a run without probes does not load

    if why := inapplicable(cell):
        return Probes(asked=tuple(names), inapplicable=why), b""
    probed = list(by_change(probed).values())  # a kill between two files may have left some twice
    data = records_bytes(probed)
    probes = Probes(
        asked=tuple(name for name in PROBES if name in names),
        left_out={name: _left_out(cell, name, records, probed) for name in names},
        seconds=seconds,
        machine=this_machine(),
        records_sha256=digest(data),
    )
    return probes.model_copy(update=figures(records, probed, probes)), data


def _left_out(
    cell: Cell, name: ProbeName, records: Sequence[Record], probed: Sequence[Record]
) -> dict[str, tuple[str, ...]]:
    """The ids of the questions that a probe left out, by reason."""
    own = {record.question_id: record for record in records}
    asked = by_change(probed)
    ids: defaultdict[str, list[str]] = defaultdict(list)
    task = cell.asking.task
    for item in cell.items:
        reason = reason_left_out(item, name, task)
        if not reason and own[item.id].parse_status != "scored":
            reason = NO_ANSWER
        forms = () if reason else changed_forms(item, name, task)
        replies = [asked.get((item.id, form.asked)) for form in forms]
        if any(reply is None or reply.parse_status != "scored" for reply in replies):
            reason = UNSCORED
        elif name == "order" and any(each and each.bounded for each in (*replies, own[item.id])):
            reason = BOUNDED
        if reason:
            ids[reason].append(item.id)
    return {reason: tuple(names) for reason, names in ids.items()}
