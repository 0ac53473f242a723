"""Values as scripts: a page that was opened from the disk can load those, and no other files."""

import json
from collections.abc import Sequence

from bench.board.board import TaskBoard
from bench.board.clustered import clusters_on, in_clusters
from bench.board.pairs import row_names
from bench.stats.clusters import FEWEST, widened
from leaderboard.question_pages import Question

SEARCHED = 20_000
"""As many characters of a question are searched."""


def answers_script(table: TaskBoard, questions: Sequence[Question]) -> str:
    """Every row's answers, for `static/compare.js` and `static/questions.js`.

    A run is its id, its name, a letter for each question and whether it is a baseline. Where questions come
    in clusters, each has the place of its cluster, `note` says so, and `widened` is that of
    `bench.stats.clusters`, 0 for a single cluster.
    """
    groups = sorted({question.record.group for question in questions if question.record.group})
    names = zip(table.rows, row_names(table), strict=True)
    value: dict[str, object] = {
        "questions": [
            [question.record.question_id, question.page.rpartition("/")[2]] for question in questions
        ],
        "truth": table.rows[0].answers.truth if table.rows else "",
        "runs": [
            [row.result.cell.id, name, row.answers.chosen, int(row.result.cell.model.is_baseline)]
            for row, name in names
        ],
    }
    if groups:
        places = {group: place for place, group in enumerate(groups)}
        of = [places.get(question.record.group or "", -1) for question in questions]
        value["groups"] = {"names": groups, "of": of}
    clusters = clusters_on(table)
    if clusters:
        value["clusters"] = clusters.codes.tolist()
        value["note"] = in_clusters(clusters.number)
        value["widened"] = widened(clusters.number) if clusters.number >= FEWEST else 0
    return script(f"answers/{table.task.name}", value)


def texts_script(table: TaskBoard, questions: Sequence[Question]) -> str:
    """The words of every question, its options behind it, a line each: what a search looks in."""
    words = [
        "\n".join((question.record.question, *question.record.options))[:SEARCHED] for question in questions
    ]
    return script(f"texts/{table.task.name}", words)


def script(name: str, value: object) -> str:
    """A script that puts a value into `benchData` under a name."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return f"(self.benchData ??= {{}})[{json.dumps(name)}] = {text};\n"
