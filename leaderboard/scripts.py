"""Values as scripts: a page that was opened from the disk can load those, and no other files."""

import json
from collections.abc import Sequence

from bench.board.board import TaskBoard
from bench.board.pairs import row_names
from leaderboard.question_pages import Question


def answers_script(table: TaskBoard, questions: Sequence[Question]) -> str:
    """Every row's answers, for `static/compare.js`."""
    names = zip(table.rows, row_names(table), strict=True)
    value = {
        "questions": [
            [question.record.question_id, question.page.rpartition("/")[2]] for question in questions
        ],
        "truth": table.rows[0].answers.truth if table.rows else "",
        "runs": [[row.result.cell.id, name, row.answers.chosen] for row, name in names],
    }
    return script(f"answers/{table.task.name}", value)


def script(name: str, value: object) -> str:
    """A script that puts a value into `benchData` under a name."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return f"(self.benchData ??= {{}})[{json.dumps(name)}] = {text};\n"
