"""Whether the parts of a run agree: its summary, its place and its records."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, cast

from bench.errors import FileError, Mistake
from bench.folders import display
from bench.results.identity import CANNOT_RUN, ID_LETTERS, folder_of_result, identity
from bench.results.result import CannotRunResult, CellFacts, DoneResult, FailedResult, Result, Shard
from bench.scoring.metrics import Metrics, measure
from bench.scoring.record import Record
from bench.stats.metrics import METRICS, Estimate

TOLERANCE = 1e-9
"""Recomputed numbers may differ by rounding."""


def check_place(result: Result, path: Path) -> None:
    """Raises a FileError unless the id follows from the facts of the cell, and the run's folder from both.

    `path` is that of the `result.json`, which may be below folders of a user's own.
    """
    match result:
        case CannotRunResult(task=task, model_name=model):
            belongs = Path(task.name) / model / CANNOT_RUN
        case DoneResult(cell=cell) | FailedResult(cell=cell):
            if identity(cell) != cell.id:
                _wrong(path, "cell.id", "not the identity that the cell's facts give; run the cell again")
            belongs = folder_of_result(result)
    task_and_model, run, part = belongs.parts[:2], belongs.parts[2], belongs.parts[3:]
    is_at = path.absolute().parent.parts[-len(belongs.parts) :]
    wrong = is_at[:2] != task_and_model or is_at[3:] != part
    if wrong or not is_at[2].endswith(run[-ID_LETTERS:]):
        _wrong(path, "", f"not in the folder that this run belongs in, {belongs}; move it there")


def check_records(result: DoneResult, records: Sequence[Record], path: Path) -> None:
    """Raises a FileError where the summary at `path` and its records disagree."""
    if not records:
        _wrong(path, "", "a finished run without records")
    for text in faults(result.cell, records, result.shard):
        _wrong(path.with_name("records.jsonl"), "", text)
    stored = result.metrics
    own = {name: METRICS.own[name].estimate for name in stored.values if name in METRICS.own}
    measured = measure(records, own)
    correct, total = measured.accuracy.correct, measured.accuracy.total
    if (stored.accuracy.correct, stored.accuracy.total) != (correct, total):
        says = f"says {stored.accuracy.correct:,} of {stored.accuracy.total:,}"
        text = f"{says}, its records say {correct:,} of {total:,}"
        _wrong(path, "metrics.accuracy", text)
    for key in differences(stored, measured):
        _wrong(path, f"metrics.{key}", "not what its records give")


def differences(stored: Metrics, measured: Metrics) -> Iterator[str]:
    """The keys of stored metrics that are not as measured from their records.

    Further metrics, which may need code that is not installed, are compared where they are measured. Older
    versions stored fewer metrics: of these the accuracy is compared.
    """

    def known(values: Mapping[str, Estimate]) -> dict[str, Estimate]:
        return {name: value for name, value in values.items() if name in measured.values}

    groups = {
        name: group.model_copy(update={"values": known(group.values)})
        for name, group in stored.groups.items()
    }
    update = {"values": known(stored.values), "groups": groups}
    given, again = stored.model_copy(update=update).model_dump(), measured.model_dump()
    for key in dict.fromkeys((*given, *again)) if stored.statuses else ("accuracy",):
        if not same(given.get(key), again.get(key)):
            yield key


def questions_of(cell: CellFacts) -> int:
    """How many questions a cell asks."""
    return cell.limit or cell.data["test"].rows


def faults(cell: CellFacts, records: Sequence[Record], shard: Shard | None = None) -> Iterator[str]:
    """What is wrong with the records of a cell, or of a shard of it: their number, repeated questions,
    contradictory answers.
    """
    expected = len(shard.positions) if shard else questions_of(cell)
    if len(records) != expected:
        yield f"{len(records):,} records, but {expected:,} questions were asked"
    counts = Counter(record.question_id for record in records)
    again = [str(line) for line, record in enumerate(records, start=1) if counts[record.question_id] > 1]
    if again:
        yield f"answered more than once: the questions of lines {', '.join(again[:4])}"
    for line, record in enumerate(records, start=1):
        if text := contradiction(record, cell):
            yield f"line {line}: {text}"


def contradiction(record: Record, cell: CellFacts) -> str:
    """The contradiction in a record, "" for none."""
    answer = record.model_output.final_answer
    letters = tuple(record.letters)
    if record.answer_gt not in letters or (answer is not None and answer not in letters):
        return "an answer that is not one of its options"
    if record.is_correct != (answer == record.answer_gt):
        return "is_correct does not follow from its answers"
    if record.parse_status != "scored":
        return ""
    if cell.task.view not in record.scores:
        return f"no scores by the view that the task ranks by ({cell.task.view})"
    if answer != record.answer_by(cell.task.view):
        return f"the answer is not the option that its scores rank first ({cell.task.view})"
    return ""


def same(stored: Any, measured: Any) -> bool:
    """Equal but for rounding."""
    match stored, measured:
        case dict(), dict():
            first, second = cast("dict[str, Any]", stored), cast("dict[str, Any]", measured)
            return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
        case float(), float():
            return math.isclose(stored, measured, abs_tol=TOLERANCE)
        case ((list() | tuple()), (list() | tuple())):
            pairs = zip_longest(cast("Sequence[Any]", stored), cast("Sequence[Any]", measured))
            return all(same(a, b) for a, b in pairs)
        case _:
            return bool(stored == measured)


def _wrong(path: Path, key: str, text: str) -> None:
    raise FileError([Mistake(display(path), 0, key, text)])
