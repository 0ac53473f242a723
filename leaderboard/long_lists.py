"""Lists of every answer, put together from parts that are rendered once each: a large site has millions."""

from collections.abc import Callable
from functools import cache
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from bench.board.board import Row, TaskBoard
from leaderboard.question_pages import Question, answers


class LongLists:
    """The macros of `cells.html`, and the parts that were rendered already, by the task's name."""

    def __init__(self, environment: Environment) -> None:
        module: Any = environment.get_template("cells.html").module
        self.wrote: Callable[[str], Markup] = module.wrote
        self.answer: Callable[[str, bool, str], Markup] = cache(module.answer)
        self.opening: Callable[[Row, str], Markup] = module.opening
        self.kept: dict[str, list[Markup]] = {}

    def answers(self, table: TaskBoard, question: Question) -> Markup:
        """A row of the table for each run's answer to the question."""
        task = table.task.name
        if (heads := self.kept.get(task)) is None:
            heads = self.kept[task] = [self.opening(row, "../../") for row in table.rows]
        lines = [
            f"{head}{self.answer(given.letter, given.is_right, given.status)}"
            f"{given.scores}{self.wrote(given.completion) if given.completion else ''}</td></tr>"
            for head, given in zip(heads, answers(table, question), strict=True)
        ]
        return Markup("\n".join(lines))  # noqa: S704 (parts that a template escaped, and numbers)
