"""The models that one can choose from: a model in one variant, with its runs of several tasks. Pure."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.board.board import Row, TaskBoard
from bench.board.facts import names_of
from bench.board.limits import COSTS, Limits, Needs
from bench.board.standing import memory
from bench.results.result import DoneResult, Provenance
from bench.wording import size


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """`rows` are its rows by task name, at least one; `costs` are the runs whose costs count, by task name.

    `needs` is the most that it needed on any of the tasks. A cost is unknown where it was not measured on
    one of them; `least` has the most that was measured, which it needs at least.
    """

    name: str
    rows: Mapping[str, Row]
    costs: Mapping[str, DoneResult]
    needs: Needs
    least: Needs

    @property
    def first(self) -> DoneResult:
        return next(iter(self.rows.values())).result

    @property
    def is_baseline(self) -> bool:
        return self.first.cell.model.is_baseline

    @property
    def machines(self) -> frozenset[str]:
        """The hardware on which its memory and times were measured."""
        return frozenset(hardware(result.provenance) for result in self.costs.values() if has_costs(result))

    def lacks(self, tasks: Sequence[str]) -> tuple[str, ...]:
        """Those of the tasks that it has no comparable run of."""
        return tuple(task for task in tasks if task not in self.rows)


def has_costs(result: DoneResult) -> bool:
    """Whether its memory or its times were measured."""
    return memory(result) is not None or result.cost.alone is not None


def machines_of(tables: Sequence[TaskBoard]) -> set[str]:
    """The hardware of all rows, and of the runs of their cells on other machines."""
    return {hardware(result.provenance) for table in tables for row in table.rows for result in row.measured}


def hardware(provenance: Provenance) -> str:
    """Processor, cores, memory and accelerator: costs compare only between runs that agree in these."""
    memory_size = "" if provenance.memory_bytes is None else size(provenance.memory_bytes)
    device = "" if provenance.device == "cpu" else provenance.device
    # A plain space, because people type a part of this text.
    return ", ".join(filter(None, [provenance.machine, memory_size, device])).replace("\u202f", " ")


def candidates(tables: Sequence[TaskBoard], machine: str = "") -> tuple[Candidate, ...]:
    """Every model and variant with a row in a table, by name.

    Of several rows in one table that differ in neither, such as two adapters, the newest run counts, and
    for the costs the newest on `machine`, a `hardware`; with "", they are those of the run itself.
    """
    groups: dict[tuple[str, ...], dict[str, list[Row]]] = {}
    for table in tables:
        for row in sorted(table.rows, key=_age):
            rows = groups.setdefault(_key(row.result), {})
            rows.setdefault(table.task.name, []).append(row)
    rows_of = list(groups.values())
    names = names_of([next(iter(rows.values()))[-1].result.cell for rows in rows_of])
    made = [_candidate(name, rows, machine) for name, rows in zip(names, rows_of, strict=True)]
    return tuple(sorted(made, key=lambda candidate: candidate.name))


def _key(result: DoneResult) -> tuple[str, ...]:
    cell = result.cell
    return cell.model.name, cell.variant.slug, cell.weights or "", result.origin


def _age(row: Row) -> tuple[str, str]:
    return row.result.provenance.finished, row.result.cell.id


def _candidate(name: str, rows_of: Mapping[str, Sequence[Row]], machine: str) -> Candidate:
    """From its rows by task name, oldest first."""
    rows = {task: rows[-1] for task, rows in rows_of.items()}
    costs: dict[str, DoneResult] = {}
    for task, all_rows in rows_of.items():
        for result in (each for row in all_rows for each in row.measured):
            if hardware(result.provenance) == machine or (not machine and result is rows[task].result):
                costs[task] = result
    return Candidate(name, rows, costs, _needs(rows, costs, _most), _needs(rows, costs, _most_known))


def _needs(
    rows: Mapping[str, Row],
    costs: Mapping[str, DoneResult],
    most: Callable[[Sequence[float | None]], float | None],
) -> Needs:
    """Size on disk, licence and languages depend on no machine."""

    def needed(
        results: Sequence[DoneResult | None], cost: Callable[[DoneResult], float | None]
    ) -> float | None:
        return most([None if result is None else cost(result) for result in results])

    here = [costs.get(task) for task in rows]
    anywhere = [row.result for row in rows.values()]
    held = needed(here, memory)
    stored = needed(anywhere, lambda result: result.cost.weights_bytes)
    weights = needed(here, lambda result: result.cost.model_bytes)
    model = anywhere[0].cell.model
    return Needs(
        memory=None if held is None else int(held),
        p50=needed(here, lambda result: result.cost.alone and result.cost.alone.p50),
        p95=needed(here, lambda result: result.cost.alone and result.cost.alone.p95),
        disk=None if stored is None else int(stored),
        joules=needed(here, joules_per_answer),
        licence=model.license,
        languages=model.languages,
        weights=None if weights is None else int(weights),
    )


def _most(values: Sequence[float | None]) -> float | None:
    """The highest; None where one is not known."""
    return None if None in values else _most_known(values)


def _most_known(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def held_to(candidate: Candidate, limits: Limits) -> Candidate:
    """With what was measured of a cost where that is over its limit, though it is unknown on another task."""
    needs, least = candidate.needs, candidate.least
    broken: dict[str, float] = {
        name: measured
        for name in COSTS
        if getattr(needs, name) is None
        and (measured := getattr(least, name)) is not None
        and (limit := getattr(limits, name)) is not None
        and measured > limit
    }
    return replace(candidate, needs=replace(needs, **broken)) if broken else candidate


def joules_per_answer(result: DoneResult) -> float | None:
    """The energy of one answer; None where it was not measured."""
    joules = result.cost.joules
    return None if joules is None else joules / result.measured_questions


def command_words(candidate: Candidate, tasks: Sequence[str], *, fresh: bool) -> tuple[str, ...]:
    """The command of one of its runs, with other tasks, and with latency; an import is not changed.

    A run that is finished is only repeated with `--fresh`.
    """
    words = shlex.split(candidate.first.cell.command)
    if candidate.first.imported:
        return tuple(words)
    words = [word for word in words if word not in ("--fresh", "--latency")]
    if "--tasks" in words:
        words[words.index("--tasks") + 1] = ",".join(tasks)
    return (*words, "--latency", *(("--fresh",) if fresh else ()))
