"""What the choice in the browser is made from, as values for `static/choice.js`. Pure."""

import base64
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, Context

import numpy as np
from numpy.typing import NDArray

from bench.board.board import Row, TaskBoard
from bench.board.candidates import Candidate, candidates, hardware, joules_per_answer, machines_of
from bench.board.clustered import clusters_across, clusters_on
from bench.board.limits import PERMISSIVE
from bench.board.plain import variant_name
from bench.board.standing import memory
from bench.results.result import DoneResult
from bench.stats.clusters import FEWEST, widened
from bench.stats.signs import pair_sizes
from leaderboard.model_pages import page_of_model
from leaderboard.site import page_of

Values = dict[str, object]
_FOUR_DIGITS = Context(prec=4, rounding=ROUND_CEILING)
"""Seconds are rounded up so that comparing them with a limit of up to four digits gives the same."""
_OF_MODEL = ("title", "licence", "baseline", "command")
"""What a run repeats only where it is not that of the model's first run."""


def choice_value(
    tables: Sequence[TaskBoard], weights: Mapping[str, float], *, with_answers: bool = True
) -> Values:
    """The tasks, and every model and variant with its runs: what `bench.board.choice.choose` reads.

    `weights` are those of the board's tasks by name.

    Memory and disk are bytes, latencies seconds, energy is joules an answer. `right` has a bit for each
    question, the first in the highest bit of the first byte (`numpy.packbits`), in base64. What is unknown
    is left out. `asked` is how many questions were asked alone, and `seconds` are those of each. A machine
    is its place in `machines`, and a card without a run its place in `cards`. A run has in `elsewhere` the
    costs of the newest run that is the same on another machine.

    Without answers there are totals only: `both` in place of `right`. It has by task how many questions
    each two models have both right, for the pairs on and above the diagonal. Where questions of a task come
    in clusters, `clusters` has what the variance of a difference follows from, and for each pair of models
    how many clusters differ by 1, 2, ... questions.
    """
    machines = sorted(machines_of(tables))
    models = candidates(tables)
    on_machines = zip(*[candidates(tables, machine) for machine in machines], strict=True)
    cards = {card.name: card.title for table in tables for card in table.unmeasured}
    places = {name: place for place, name in enumerate(cards)}
    both = {} if with_answers else {"both": {table.task.name: _both(table, models) for table in tables}}
    clusters = {table.task.name: value for table in tables if (value := _clusters(table, models))}
    return {
        "tasks": [_task(table, weights[table.task.name]) for table in tables],
        "unmeasured": {table.task.name: [places[card.name] for card in table.unmeasured] for table in tables},
        "models": [
            _model(model, on_machine, machines, with_answers=with_answers)
            for model, on_machine in zip(models, on_machines, strict=True)
        ],
        **both,
        **_known({"clusters": clusters, "note": clusters_across(tables)}),
        "cards": list(cards.items()),
        "machines": machines,
        "permissive": sorted(PERMISSIVE),
    }


def _clusters(table: TaskBoard, models: Sequence[Candidate]) -> Values | None:
    """The pairs are those above the diagonal; with fewer than two clusters `widened` is left out."""
    clusters = clusters_on(table)
    if clusters is None:
        return None
    rows = [model.rows.get(table.task.name) for model in models]
    nothing = np.zeros(len(clusters.codes), dtype=np.bool_)
    right = np.array([row.answers.right if row else nothing for row in rows])
    sizes = clusters.sizes
    values: Values = {
        "squares": int(sizes @ sizes),
        "weighted": [int(each @ sizes) for each in clusters.sums(right.astype(np.int64))],
        "sizes": [np.trim_zeros(each, "b").tolist() for each in pair_sizes(right, clusters)],
    }
    return values | ({"widened": widened(clusters.number)} if clusters.number >= FEWEST else {})


def _both(table: TaskBoard, models: Sequence[Candidate]) -> list[int]:
    rows = [model.rows.get(table.task.name) for model in models]
    number = len(table.rows[0].answers.right) if table.rows else 0
    right = np.array([row.answers.right if row else np.zeros(number) for row in rows], dtype=np.float64)
    return [int(value) for value in (right @ right.T)[np.triu_indices(len(models))]]


def _task(table: TaskBoard, weight: float) -> Values:
    options = Counter(table.rows[0].answers.options) if table.rows else Counter[int]()
    return {
        "name": table.task.name,
        "title": table.task.title,
        "short": table.task.title,
        "weight": weight,
        "chance": table.chance,
        "questions": options.total() or table.items,
        "options": sorted(options.items()),
    }


def _model(
    model: Candidate, on_machine: Sequence[Candidate], machines: Sequence[str], *, with_answers: bool
) -> Values:
    """`on_machine` is the model with its costs on each of the machines."""
    cell = model.first.cell
    first = _of_model(model.first)
    values: Values = {
        "name": cell.model.name,
        "words": variant_name(cell.variant),
        "variant": cell.variant.slug,
        "page": page_of_model(cell.model.name),
        "family": cell.model.family,
        "parameters": cell.model.parameters,
        "precision": cell.variant.precision,
        "imported": model.first.imported,
    }
    runs: Values = {}
    for task, row in model.rows.items():
        same = [each.costs[task] for each in on_machine if task in each.costs]
        elsewhere = [_costs(result, machines) for result in same if result is not row.result]
        own = {key: value for key, value in _of_model(row.result).items() if first[key] != value}
        right = {"right": _packed(row.answers.right)} if with_answers else {}
        runs[task] = own | _run(row, machines) | right | _known({"elsewhere": elsewhere})
    return first | _known(values) | {"runs": runs}


def _of_model(result: DoneResult) -> Values:
    card = result.cell.model
    values = card.title, card.license, card.is_baseline, _command(result)
    return dict(zip(_OF_MODEL, values, strict=True))


def _command(result: DoneResult) -> list[str]:
    """The words of a run's command; the names of its tasks are empty."""
    words = shlex.split(result.cell.command)
    if "--tasks" in words and not result.imported:
        words[words.index("--tasks") + 1] = ""
    return words


def _packed(right: NDArray[np.bool_]) -> str:
    return base64.b64encode(np.packbits(right).tobytes()).decode()


def _run(row: Row, machines: Sequence[str]) -> Values:
    accuracy = row.result.metrics.accuracy
    return {
        "id": row.result.cell.id,
        "page": page_of(row.run.folder),
        "correct": int(row.answers.right.sum()),
        "low": round(accuracy.low, 5),
        "high": round(accuracy.high, 5),
        **_known({"leak": bool(row.leak) or None, "disk": row.result.cost.weights_bytes}),
        **_costs(row.result, machines),
    }


def _costs(result: DoneResult, machines: Sequence[str]) -> Values:
    """What depends on the machine."""
    cost, alone = result.cost, result.cost.alone
    values: Values = {
        "machine": machines.index(hardware(result.provenance)),
        "memory": memory(result),
        "model_bytes": cost.model_bytes,
        "gpu": bool(cost.peak_device_memory_bytes) or None,
        "asked": alone and alone.questions,
        "p50": alone and alone.p50,
        "p95": alone and alone.p95,
        "seconds": alone and [float(_FOUR_DIGITS.create_decimal(repr(each))) for each in alone.seconds],
        "joules": joules_per_answer(result),
    }
    return _known(values)


def _known(values: Values) -> Values:
    return {key: value for key, value in values.items() if value not in (None, "", [], {})}
