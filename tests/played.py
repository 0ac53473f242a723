"""Played models: cards of the fake engine, and their cells run alone or in sweeps, whole or in part."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from bench.cells.cell import Cell
from bench.cells.plan import plan
from bench.cells.wish import Wish
from bench.inputs.cards import CardFile
from bench.inputs.choices import Choices
from bench.inputs.model_card import ModelCard
from bench.inputs.task import read_task
from bench.results import journal
from bench.results.answers import Answered, AnyRun, Unanswered, answers_of
from bench.results.result import DoneResult
from bench.results.store import Run
from bench.sweeps.events import DEFAULT_TERMS, Event, Progress, Terms
from bench.sweeps.local import LocalProcesses
from bench.sweeps.supervise import run_cell
from bench.sweeps.sweep import sweep as sweep_with


def fake_card(name: str = "played", **settings: object) -> ModelCard:
    facts = {"name": name, "title": name.title(), "family": "played", "license": "mit"}
    engine = {"engine": "fake", "settings": {"accuracy": 0.6, "batch": 2} | settings}
    return ModelCard.model_validate(facts | engine | {"architecture": "baseline"})


def add_fake(project: Path, name: str, **settings: object) -> None:
    card = fake_card(name, **settings).model_dump(mode="json", exclude_defaults=True)
    path = project / "model_cards" / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(card), encoding="utf-8")  # JSON is YAML


def answered(run: Run) -> AnyRun:
    """A run as boards take it; its records are in no file."""
    if not isinstance(run.result, DoneResult):
        return Unanswered(run.folder, run.result)
    starts = np.zeros(len(run.records), dtype=np.int64)
    return Answered(run.folder, run.result, answers_of(run.result, run.records, Path("none"), (0, 0), starts))


def cell_of(task: Path, card: ModelCard) -> Cell:
    files = [read_task(task)], [CardFile(card=card, path=task)]
    [cell], _ = plan(*files, [Wish(Choices(dtype="float32"))], data_dir=None, offline=True)
    assert isinstance(cell, Cell)
    return cell


def run_to_end(cell: Cell, results: Path) -> DoneResult:
    *_, last = run_cell(cell, results)
    assert isinstance(last, DoneResult), last
    return last


def sweep(cells: Sequence[Cell], results: Path, terms: Terms = DEFAULT_TERMS) -> Iterator[tuple[Cell, Event]]:
    """The events of a sweep in processes of this machine."""
    with closing(LocalProcesses(results, terms)) as executor:
        yield from sweep_with(cells, results, terms, executor)


def journal_of(cell: Cell, results: Path, keep: int) -> Path:
    """The file of a run that was cut off after some batches."""
    events = run_cell(cell, results)
    seen = 0
    for event in events:
        seen += isinstance(event, Progress)
        if seen == keep:
            break
    events.close()  # type: ignore[attr-defined]
    return results / cell.folder / journal.NAME


def without_provenance(result: object) -> dict[str, object]:
    """A result without what differs from one run to the next: times, memory, dates."""
    assert isinstance(result, DoneResult), result
    return result.model_dump(exclude={"cost", "provenance", "records_sha256"})


def lines(results: Path) -> list[dict[str, object]]:
    """Every record of the runs, without its time."""
    records = [
        json.loads(line) for path in sorted(results.rglob("records.jsonl")) for line in path.open("rb")
    ]
    return [{key: value for key, value in record.items() if key != "seconds"} for record in records]


def wait_for(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def answers_on_disk(results: Path) -> int:
    """Questions that are answered on disk."""
    texts = [path.read_text() for name in (journal.NAME, "records.jsonl") for path in results.rglob(name)]
    return sum(text.count('"question_id"') for text in texts)
