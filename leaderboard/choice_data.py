"""What the choice in the browser is made from, as values for `static/choice.js`. Pure."""

import base64
from collections import Counter
from collections.abc import Sequence

import numpy as np

from bench.board.board import Row, TaskBoard
from bench.board.candidates import Candidate, candidates, joules_per_answer
from bench.board.choice_words import command_for
from bench.board.limits import PERMISSIVE
from bench.board.standing import memory
from bench.board.tags import machine_of
from bench.results.result import DoneResult
from leaderboard.model_pages import page_of_model
from leaderboard.site import page_of

Values = dict[str, object]
_TASKS = "@TASKS@"
"""Stands in a command where the names of tasks go."""
_OF_MODEL = ("title", "licence", "baseline", "command")
"""What a run repeats only where it is not that of the model's first run."""


def choice_value(tables: Sequence[TaskBoard]) -> Values:
    """The tasks, and every model and variant with its runs: what `bench.board.choice.choose` reads.

    Memory and disk are bytes, latencies seconds, energy is joules an answer. `right` has a bit for each
    question, the first in the highest bit of the first byte (`numpy.packbits`), in base64. What is unknown
    is left out. A machine is its place in `machines`, and a card without a run its place in `cards`.
    """
    models = candidates(tables)
    machines = sorted({machine for model in models for machine in model.machines})
    cards = {card.name: card.title for table in tables for card in table.unmeasured}
    places = {name: place for place, name in enumerate(cards)}
    return {
        "tasks": [_task(table) for table in tables],
        "unmeasured": {table.task.name: [places[card.name] for card in table.unmeasured] for table in tables},
        "models": [_model(model, machines) for model in models],
        "cards": list(cards.items()),
        "machines": machines,
        "permissive": sorted(PERMISSIVE),
    }


def _task(table: TaskBoard) -> Values:
    options = Counter(table.rows[0].answers.options) if table.rows else Counter[int]()
    return {
        "name": table.task.name,
        "title": table.task.title,
        "short": table.task.title,
        "weight": 1,
        "chance": table.chance,
        "questions": options.total() or table.items,
        "options": sorted(options.items()),
    }


def _model(model: Candidate, machines: Sequence[str]) -> Values:
    cell = model.first.cell
    first = _of_model(model.first)
    values: Values = {
        "name": cell.model.name,
        "variant": cell.variant.slug,
        "page": page_of_model(cell.model.name),
        "family": cell.model.family,
        "languages": cell.model.languages,
        "parameters": cell.model.parameters,
        "precision": cell.variant.precision,
        "imported": model.first.imported,
    }
    runs = {
        task: {key: value for key, value in _of_model(row.result).items() if first[key] != value}
        | _run(row, machines)
        for task, row in model.rows.items()
    }
    return first | _known(values) | {"runs": runs}


def _of_model(result: DoneResult) -> Values:
    card = result.cell.model
    command = command_for(result, [_TASKS]).split(_TASKS)
    return dict(zip(_OF_MODEL, (card.title, card.license, card.is_baseline, command), strict=True))


def _run(row: Row, machines: Sequence[str]) -> Values:
    result, cost, accuracy = row.result, row.result.cost, row.result.metrics.accuracy
    return _known(
        {
            "id": result.cell.id,
            "page": page_of(row.run.folder),
            "right": base64.b64encode(np.packbits(row.answers.right).tobytes()).decode(),
            "correct": int(row.answers.right.sum()),
            "low": round(accuracy.low, 5),
            "high": round(accuracy.high, 5),
            "memory": memory(result),
            "model_bytes": cost.model_bytes,
            "p50": cost.alone and cost.alone.p50,
            "p95": cost.alone and cost.alone.p95,
            "disk": cost.weights_bytes,
            "joules": joules_per_answer(result),
            "machine": machines.index(machine_of(result.provenance)),
            "leak": bool(row.leak) or None,
        }
    )


def _known(values: Values) -> Values:
    return {key: value for key, value in values.items() if value not in (None, "", ())}
