"""The models that one can choose from: a model in one variant, with its runs of several tasks. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.board.board import Row, TaskBoard
from bench.board.facts import names_of
from bench.board.limits import Needs
from bench.board.standing import memory
from bench.board.tags import machine_of
from bench.results.result import DoneResult


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """`rows` are its rows by task name, at least one; `needs` is the most that it needed on any of them.

    A need is unknown where it was not measured on one of the tasks.
    """

    name: str
    rows: Mapping[str, Row]
    needs: Needs

    @property
    def first(self) -> DoneResult:
        return next(iter(self.rows.values())).result

    @property
    def is_baseline(self) -> bool:
        return self.first.cell.model.is_baseline

    @property
    def machines(self) -> frozenset[str]:
        return frozenset(machine_of(row.result.provenance) for row in self.rows.values())

    def lacks(self, tasks: Sequence[str]) -> tuple[str, ...]:
        """Those of the tasks that it has no comparable run of."""
        return tuple(task for task in tasks if task not in self.rows)


def candidates(tables: Sequence[TaskBoard]) -> tuple[Candidate, ...]:
    """Every model and variant with a row in a table, by name.

    Of several rows in one table that differ in neither, such as two adapters, the newest run counts.
    """
    groups: dict[tuple[str, ...], dict[str, Row]] = {}
    for table in tables:
        for row in sorted(table.rows, key=_age):
            groups.setdefault(_key(row.result), {})[table.task.name] = row
    rows_of = list(groups.values())
    names = names_of([next(iter(rows.values())).result.cell for rows in rows_of])
    made = [Candidate(name, rows, _needs(rows)) for name, rows in zip(names, rows_of, strict=True)]
    return tuple(sorted(made, key=lambda candidate: candidate.name))


def _key(result: DoneResult) -> tuple[str, ...]:
    cell = result.cell
    return cell.model.name, cell.variant.slug, cell.weights or "", result.origin


def _age(row: Row) -> tuple[str, str]:
    return row.result.provenance.finished, row.result.cell.id


def _needs(rows: Mapping[str, Row]) -> Needs:
    results = [row.result for row in rows.values()]

    def most(cost: Callable[[DoneResult], float | None]) -> float | None:
        values = [cost(result) for result in results]
        known = [value for value in values if value is not None]
        return max(known) if len(known) == len(values) else None

    held, stored = most(memory), most(lambda result: result.cost.weights_bytes)
    return Needs(
        memory=None if held is None else int(held),
        p50=most(lambda result: result.cost.alone and result.cost.alone.p50),
        p95=most(lambda result: result.cost.alone and result.cost.alone.p95),
        disk=None if stored is None else int(stored),
        joules=most(joules_per_answer),
        licence=results[0].cell.model.license,
    )


def joules_per_answer(result: DoneResult) -> float | None:
    """The energy of one answer, None where it was not measured."""
    joules = result.cost.joules
    return None if joules is None else joules / result.metrics.accuracy.total
