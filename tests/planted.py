"""Planted models: cells of an engine with a known fault, on a task that it is seen by, run with probes."""

from pathlib import Path

from bench.cells.cell import Cell
from bench.cells.plan import plan
from bench.cells.wish import Wish
from bench.inputs.cards import CardFile
from bench.inputs.choices import Choices
from bench.inputs.model_card import ModelCard
from bench.inputs.task import read_task
from bench.results.probes import Probes
from bench.results.result import DoneResult
from bench.scoring.probing import PROBES
from bench.sweeps.events import Terms
from bench.sweeps.supervise import run_cell
from conftest import TASK, write_lines

ALL = Terms(probes=PROBES)
MANY = 500


def exam(project: Path, count: int = MANY, first: int = 0) -> Path:
    """A task of four options, each with its published place in its text; the right ones say so.

    Questions are numbered from `first` on; other numbers are other questions.
    """
    rows: list[dict[str, object]] = []
    for n in range(first, first + count):
        answer = n * 7 % 4
        options = [f"{'right' if at == answer else 'wrong'} {n} {at} ({at})" for at in range(4)]
        rows.append({"id": f"q{n}", "question": f"Case {n}?", "options": options, "answer": answer})
    write_lines(project / "tasks" / "test.jsonl", rows)
    write_lines(project / "tasks" / "train.jsonl", [])
    path = project / "tasks" / "exam.yaml"
    path.write_text(TASK.replace("anatomy", "exam"), encoding="utf-8")
    return path


def planted(task: Path, fault: str) -> Cell:
    """A model that is named by its fault."""
    facts = {"name": fault, "title": fault.title(), "family": "planted", "license": "mit", "context": 512}
    engine = {"engine": "planted", "settings": {"fault": fault}, "architecture": "decoder"}
    card = CardFile(card=ModelCard.model_validate(facts | engine), path=task)
    [cell], _ = plan([read_task(task)], [card], [Wish(Choices())], data_dir=None, offline=True)
    assert isinstance(cell, Cell)
    return cell


def run(cell: Cell, results: Path, terms: Terms = ALL) -> DoneResult:
    *_, last = run_cell(cell, results, terms)
    assert isinstance(last, DoneResult), last
    return last


def probes_of(result: DoneResult) -> Probes:
    assert result.probes is not None
    return result.probes
