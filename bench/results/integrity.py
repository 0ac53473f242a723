"""Whether records are what a summary says of them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.errors import FileError, Mistake
from bench.folders import display
from bench.results.result import CellFacts, DoneResult
from bench.scoring.metrics import Metrics, measure
from bench.scoring.record import Record


def check_records(result: DoneResult, records: Sequence[Record], path: Path) -> None:
    """Raises a FileError where the summary at `path` does not say what its records say."""
    if not records:
        _wrong(path, "", "a finished run without records")
    for text in faults(result.cell, records):
        _wrong(path.with_name("records.jsonl"), "", text)
    stored, counted = result.metrics, measure(records, {})
    if (stored.accuracy.correct, stored.accuracy.total) != (counted.accuracy.correct, counted.accuracy.total):
        says = f"says {stored.accuracy.correct} of {stored.accuracy.total}"
        text = f"{says}, its records say {counted.accuracy.correct} of {counted.accuracy.total}"
        _wrong(path, "metrics.accuracy", text)
    if stored.accuracy != counted.accuracy or (stored.statuses and _counts(stored) != _counts(counted)):
        _wrong(path, "metrics", "not what its records give")


def faults(cell: CellFacts, records: Sequence[Record]) -> Iterator[str]:
    """What in the records of a cell cannot be: their number, a question twice, answers that contradict."""
    wanted = cell.limit or cell.data["test"].rows
    if len(records) != wanted:
        yield f"{len(records)} records, {wanted} questions were asked"
    counts = Counter(record.question_id for record in records)
    if twice := sorted(id_ for id_, count in counts.items() if count > 1):
        yield f"there more than once: {', '.join(twice[:3])}"
    for line, record in enumerate(records, start=1):
        if text := _contradiction(record, cell):
            yield f"line {line}, {record.question_id}: {text}"


def _contradiction(record: Record, cell: CellFacts) -> str:
    """What in a record cannot be, "" where all can."""
    answer = record.model_output.final_answer
    letters = tuple(record.letters)
    if record.answer_gt not in letters or (answer is not None and answer not in letters):
        return "an answer that is none of its options"
    if record.is_correct != (answer == record.answer_gt):
        return "is_correct does not follow from its answers"
    if record.parse_status != "scored":
        return ""
    if cell.task.view not in record.scores:
        return f"no scores by the view that the task ranks by ({cell.task.view})"
    if answer != record.answer_by(cell.task.view):
        return f"the answer is not the option that its scores rank first ({cell.task.view})"
    return ""


def _wrong(path: Path, key: str, text: str) -> None:
    raise FileError([Mistake(display(path), 0, key, text)])


def _counts(metrics: Metrics) -> Metrics:
    """The metrics without those that a task names, which may need code that is not here."""
    groups = {name: group.model_copy(update={"values": {}}) for name, group in metrics.groups.items()}
    return metrics.model_copy(update={"values": {}, "groups": groups})
