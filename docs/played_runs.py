"""Runs to look at large boards with: the tests' fake engine answers made-up questions. Names, accuracies and
costs are made up, too; the larger a model, the better and the slower it is, more or less.
"""

import json
import random
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path

from bench.cells.cell import Cell
from bench.cells.plan import plan
from bench.cells.wish import Wish
from bench.inputs.cards import CardFile
from bench.inputs.choices import Choices
from bench.inputs.model_card import ModelCard
from bench.inputs.task import TaskFile, read_task
from bench.results.identity import identity
from bench.results.store import begin
from bench.results.summary import KEY, digest_of
from bench.sweeps.events import Terms
from bench.sweeps.work import work

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "plugin"))  # the fake engine

TASK = """\
name: {name}
version: 1
title: {title}
license: CC0-1.0
data: {{files: {{test: {name}.jsonl}}, columns: {{id: id, group: group}}}}
prompt: "{{{{ question }}}}"
metrics: [accuracy]
"""
TITLES = (
    "Clinical cases", "Abstracts", "Entrance exams", "Anatomy", "Pharmacology", "German exam", "Coding",
    "Triage",
)  # fmt: skip
FAMILIES = ("Aster", "Birch", "Cedar", "Dahlia", "Elm", "Fern", "Ginkgo", "Hazel", "Iris")
SIZES = (6e7, 1.35e8, 2.7e8, 4.1e8, 6e8, 1e9, 1.4e9, 1.7e9, 2.8e9, 3.8e9, 7e9)
LICENCES = ("apache-2.0", "mit", "apache-2.0", "cc-by-nc-4.0", "apache-2.0", "community")


class Unheard:
    """The sweep's end of the pipe, where nobody listens."""

    def send(self, _event: object) -> None: ...

    def close(self) -> None: ...


def play(models: int, questions: Sequence[int], place: Path) -> int:
    """Make the runs in the folder `results`; returns their number. `questions` are those of each task.

    With several tasks, every third model lacks one or two of them. There are two baselines, and a tenth of
    the models have no latency.
    """
    place.mkdir(parents=True, exist_ok=True)
    tasks = len(questions)
    files = [_task(at, number, tasks, place) for at, number in enumerate(questions)]
    cards = _models(models, files[0].path)
    begin(place / "results")
    runs = 0
    for at, task in enumerate(files):
        asked = [card for n, card in enumerate(cards) if tasks == 1 or n % 3 or (n // 3 + at) % 5]
        cells, _ = plan([task], asked, [Wish(Choices())], data_dir=None, offline=True)
        for cell in cells:
            assert isinstance(cell, Cell)
            work(_in_bfloat16(cell), place / "results", Terms(), Unheard())
        runs += len(cells)
    for path in (place / "results").rglob("result.json"):
        _add_costs(path)
    return runs


def _in_bfloat16(cell: Cell) -> Cell:
    """The cell with the dtype of a real model: the fake engine has none, and is named as baselines are."""
    if cell.facts.model.is_baseline:
        return cell
    variant = cell.variant.model_copy(update={"dtype": "bfloat16"})
    facts = cell.facts.model_copy(update={"variant": variant})
    return replace(cell, facts=facts.model_copy(update={"id": identity(facts)}))


def _task(at: int, questions: int, tasks: int, place: Path) -> TaskFile:
    name = "scale" if tasks == 1 else f"scale_{at + 1:02d}"
    title = "Scale" if tasks == 1 else [*TITLES, *(f"Task {n + 1}" for n in range(tasks))][at]
    _questions(questions, place / f"{name}.jsonl", at)
    (place / f"{name}.yaml").write_text(TASK.format(name=name, title=title), encoding="utf-8")
    return read_task(place / f"{name}.yaml")


def _questions(number: int, path: Path, seed: int) -> None:
    draw = random.Random(seed)
    words = [f"word{n}" for n in range(2000)]
    with path.open("w", encoding="utf-8") as file:
        for n in range(number):
            row = {
                "id": f"q{n:04d}",
                "question": " ".join(draw.choices(words, k=110)),
                "options": [" ".join(draw.choices(words, k=6)) for _ in range(4)],
                "answer": draw.randrange(4),
                "group": f"group {n % 12}",
            }
            file.write(json.dumps(row) + "\n")


def _models(number: int, path: Path) -> Sequence[CardFile]:
    draw = random.Random(1)
    cards = [_card(n, size, draw) for n, size in enumerate(islice(cycle(SIZES), number))]
    names = (("chance", "Chance", 0.25), ("shortest", "Shortest option", 0.27))
    baselines = [
        {"name": name, "title": title, "license": "CC0-1.0", "architecture": "baseline"}
        | {"family": "baseline", "settings": {"accuracy": accuracy}}
        for name, title, accuracy in names
    ]
    return [
        CardFile(card=ModelCard.model_validate(card | {"engine": "fake"}), path=path)
        for card in (*cards, *baselines)
    ]


def _card(n: int, size: float, draw: random.Random) -> dict[str, object]:
    parameters = int(size * draw.uniform(0.9, 1.1))
    words = f"{parameters / 1e9:.1f}B" if parameters >= 1e9 else f"{parameters / 1e6:.0f}M"
    accuracy = 0.25 + 0.25 * max(0.0, (parameters / 1e8) ** 0.2 - 1) * draw.uniform(0.5, 1.2)
    family = FAMILIES[n % len(FAMILIES)]
    return {
        "name": f"model-{n:04d}",
        "title": f"{family} {1 + n // len(FAMILIES)} {words}" + (" Instruct" if n % 4 == 0 else ""),
        "family": family.casefold(),
        "license": LICENCES[n % len(LICENCES)],
        "architecture": "decoder",
        "parameters": parameters,
        "settings": {"accuracy": min(0.9, accuracy)},
    }


def _add_costs(path: Path) -> None:
    result = json.loads(path.read_text(encoding="utf-8"))
    model = result["cell"]["model"]
    if (parameters := model.get("parameters")) is None:
        return
    draw = random.Random(str(path))
    typical = 0.03 + parameters / 4e9 * draw.uniform(0.9, 1.1)
    seconds = sorted(round(typical * draw.lognormvariate(0, 0.15), 5) for _ in range(30))
    alone = {"questions": 30, "p50": seconds[15], "p95": seconds[28], "seconds": seconds}
    result["cost"] |= {
        "peak_memory_bytes": int(4e8 + 2.1 * parameters * draw.uniform(0.98, 1.02)),
        "model_bytes": 2 * parameters,
        "weights_bytes": 2 * parameters + 10**7,
        "alone": None if model["name"].endswith("7") else alone,
    }
    result[KEY] = digest_of(result)
    path.write_text(json.dumps(result), encoding="utf-8")
