"""How the numbers of a choice came about: from which runs, and by which comparisons. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.board.board import TaskBoard
from bench.board.candidates import hardware
from bench.board.choice import Choice, Scored
from bench.board.clustered import clusters_on
from bench.board.standing import memory
from bench.results.result import DoneResult
from bench.stats.across import across, guessing_p, worth
from bench.stats.ranking import chance_corrected, holm


@dataclass(frozen=True, slots=True)
class CostSource:
    """The costs on one task and the run that they are from: bytes and seconds, None where not measured.

    `on_device` is whether memory is an accelerator's; else it is the peak of the whole process. `weights` are
    the bytes of the weights in memory, and `timed` is how many questions were asked alone.
    """

    run: str
    machine: str
    finished: str
    memory: int | None
    on_device: bool
    weights: int | None
    p50: float | None
    p95: float | None
    timed: int
    disk: int | None


@dataclass(frozen=True, slots=True)
class TaskPart:
    """A task's part of a model's score. `guessing` is the accuracy of guessing, and `way` the way from there.

    `costs` is None where no run counts for the costs, as with another machine's.
    """

    task: str
    weight: float
    right: int
    questions: int
    guessing: float
    way: float
    run: str
    costs: CostSource | None


@dataclass(frozen=True, slots=True)
class Test:
    """A two-sided p, and the same by Holm's method over `tests` tests; `against` is what is compared with."""

    against: str
    p: float
    adjusted: float
    tests: int


@dataclass(frozen=True, slots=True)
class ModelPart:
    """A model that fits. `baseline` is the test against the best baseline, None without one."""

    name: str
    score: float
    tasks: tuple[TaskPart, ...]
    guessing: Test
    baseline: Test | None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two models that fit: the first's score minus the second's, and half of the 95 % interval."""

    first: str
    second: str
    difference: float
    margin: float
    test: Test


@dataclass(frozen=True, slots=True)
class Explanation:
    """The models that fit, best first, and all pairs of them."""

    models: tuple[ModelPart, ...]
    pairs: tuple[Pair, ...]


def explain(tables: Sequence[TaskBoard], choice: Choice) -> Explanation:
    """The tests are those of `choose`, by the same functions; empty where nothing fits."""
    if not choice.fitting:
        return Explanation((), ())
    chosen = [table for table in tables if table.task.name in choice.tasks]
    members = [*choice.fitting, *choice.baselines]
    number = len(choice.fitting)
    right = [np.array([_right(each, table) for each in members]) for table in chosen]
    chance = np.array([table.chance for table in chosen])
    shares = np.array([choice.tasks[table.task.name] for table in chosen], dtype=np.float64)
    compared = across(right, chance, shares, clusters=[clusters_on(table) for table in chosen])
    value = worth(np.array([len(task[0]) for task in right], dtype=np.float64), chance, shares)
    correct = np.stack([task.sum(axis=1) for task in right], axis=-1).astype(np.float64)
    options = [members[0].candidate.rows[table.task.name].answers.options for table in chosen]
    guessing = _tests("guessing", guessing_p(correct, options, value)[:number])
    baseline: list[Test | None] = [None] * number
    if choice.baselines:
        best = max(range(number, len(members)), key=lambda at: (members[at].score, -at))
        title = members[best].candidate.first.cell.model.title
        baseline = [*_tests(title, compared.p[:number, best])]
    parts = [
        ModelPart(each.candidate.name, each.score, tuple(_parts(each, chosen, choice.tasks)), guess, above)
        for each, guess, above in zip(choice.fitting, guessing, baseline, strict=True)
    ]
    rows, columns = (places.tolist() for places in np.triu_indices(number, 1))
    names = [scored.candidate.name for scored in choice.fitting]
    tests = _tests("", compared.p[rows, columns])
    pairs = [
        Pair(names[i], names[j], float(compared.difference[i, j]), float(compared.margin[i, j]), test)
        for i, j, test in zip(rows, columns, tests, strict=True)
    ]
    return Explanation(tuple(parts), tuple(pairs))


def _right(scored: Scored, table: TaskBoard) -> NDArray[np.bool_]:
    return scored.candidate.rows[table.task.name].answers.right


def _tests(against: str, p: NDArray[np.float64]) -> list[Test]:
    values: list[tuple[float, float]] = list(zip(p.tolist(), holm(p).tolist(), strict=True))
    return [Test(against, each, adjusted, len(values)) for each, adjusted in values]


def _parts(scored: Scored, tables: Sequence[TaskBoard], weights: Mapping[str, float]) -> Iterator[TaskPart]:
    for table in tables:
        name, candidate = table.task.name, scored.candidate
        result = candidate.rows[name].result
        rate, source = result.metrics.accuracy, candidate.costs.get(name)
        yield TaskPart(
            task=name,
            weight=weights[name],
            right=rate.correct,
            questions=rate.total,
            guessing=table.chance,
            way=chance_corrected(rate.value, table.chance),
            run=result.cell.id[:10],
            costs=source and _costs(source),
        )


def _costs(result: DoneResult) -> CostSource:
    cost, alone = result.cost, result.cost.alone
    return CostSource(
        run=result.cell.id[:10],
        machine=hardware(result.provenance),
        finished=result.provenance.finished[:10],
        memory=memory(result),
        on_device=bool(cost.peak_device_memory_bytes),
        weights=cost.model_bytes,
        p50=alone and alone.p50,
        p95=alone and alone.p95,
        timed=alone.questions if alone else 0,
        disk=cost.weights_bytes,
    )
