"""Two runs side by side: whether they may be compared, and what that comes to in words."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from bench.runs.answers import Answered
from bench.runs.compare import in_points
from bench.stats.paired import Paired, paired
from leaderboard.board import Row, TaskBoard, comparable
from leaderboard.formats import names_of
from leaderboard.questions import Question


@dataclass(frozen=True, slots=True)
class Against:
    """A row beside the first of its table: the difference is the row's accuracy less the first's."""

    row: Row
    found: Paired


def why_not(first: Answered, second: Answered) -> str:
    """Why the two may not be compared; "" where they may."""
    one, other = first.result.cell, second.result.cell
    if one.limit != other.limit:
        return "they were asked different numbers of questions"
    if comparable(one) != comparable(other):
        return "they are of other versions of the task, its data or the engine"
    if first.answers.truth != second.answers.truth:
        return "they were asked other questions"
    return ""


def words(first: str, second: str, found: Paired) -> str:
    """The difference in a sentence, with its interval and p."""
    both = f"{found.both + found.only_first} and {found.both + found.only_second} right"
    total = found.both + found.only_first + found.only_second + found.neither
    if found.p > 0.05:
        verdict = f"{first} and {second} cannot be told apart"
    else:
        better, worse = (second, first) if found.difference > 0 else (first, second)
        verdict = f"{better} is better than {worse}"
    return f"{verdict}: {both} of {total}, the second {in_points(found)}."


def row_names(table: TaskBoard) -> list[str]:
    """The rows' names in comparisons."""
    return names_of([row.result.cell for row in table.rows])


def against_first(table: TaskBoard) -> list[Against]:
    """Every row but the first beside the first."""
    return [Against(row, paired(table.rows[0].answers.right, row.answers.right)) for row in table.rows[1:]]


def answers_script(table: TaskBoard, questions: Sequence[Question]) -> str:
    """Every row's answers as a script that a page may load from the disk, where it may not read files."""
    kept = {
        "questions": [[one.record.question_id, one.page.rpartition("/")[2]] for one in questions],
        "truth": table.rows[0].answers.truth if table.rows else "",
        "runs": [
            [row.result.cell.id, name, row.answers.chosen]
            for row, name in zip(table.rows, row_names(table), strict=True)
        ],
    }
    return script(f"answers/{table.task.name}", kept)


def script(name: str, kept: object) -> str:
    """A script that keeps a value under a name in `benchData`."""
    value = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
    return f"(self.benchData ??= {{}})[{json.dumps(name)}] = {value};\n"
