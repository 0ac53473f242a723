"""Whether records are what a summary says of them."""

from collections.abc import Sequence
from pathlib import Path

from bench.config import display
from bench.errors import FileError, Mistake
from bench.runs.result import CellFacts, DoneResult
from bench.scoring.metrics import Metrics, measure
from bench.scoring.record import Record
from bench.scoring.views import best
from bench.types import LETTERS


def check_records(result: DoneResult, records: Sequence[Record], path: Path) -> None:
    """Raises a FileError where the summary at `path` does not say what its records say."""
    wanted = result.cell.limit or result.cell.data["test"].rows
    if not records:
        _wrong(path, "", "a finished run without records")
    if len(records) != wanted:
        _wrong(path, "", f"{len(records)} records, {wanted} questions were asked")
    for line, record in enumerate(records, start=1):
        if text := contradiction(record, result.cell):
            _wrong(path.with_name("records.jsonl"), "", f"line {line}, {record.question_id}: {text}")
    told, counted = result.metrics, measure(records, ())
    if (told.accuracy.correct, told.accuracy.total) != (counted.accuracy.correct, counted.accuracy.total):
        says = f"says {told.accuracy.correct} of {told.accuracy.total}"
        text = f"{says}, its records say {counted.accuracy.correct} of {counted.accuracy.total}"
        _wrong(path, "metrics.accuracy", text)
    if told.accuracy != counted.accuracy or (told.statuses and _counts(told) != _counts(counted)):
        _wrong(path, "metrics", "not what its records give")


def contradiction(record: Record, cell: CellFacts) -> str:
    """What in a record cannot be, "" where all can."""
    answer = record.model_output.final_answer
    letters = tuple(LETTERS[: len(record.options)])
    if record.answer_gt not in letters or (answer is not None and answer not in letters):
        return "an answer that is none of its options"
    if record.is_correct != (answer == record.answer_gt):
        return "is_correct does not follow from its answers"
    scores = record.scores.get(cell.task.view) or record.scores.get("letter")
    if record.parse_status == "scored" and scores and answer != LETTERS[best(scores)]:
        return f"the answer is not the option that its scores rank first ({cell.task.view})"
    return ""


def _wrong(path: Path, key: str, text: str) -> None:
    raise FileError([Mistake(display(path), 0, key, text)])


def _counts(metrics: Metrics) -> Metrics:
    """The metrics without those that a task names, which may need code that is not here."""
    groups = {name: group.model_copy(update={"values": {}}) for name, group in metrics.groups.items()}
    return metrics.model_copy(update={"values": {}, "groups": groups})
