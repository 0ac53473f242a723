"""Lists of every answer, put together from parts that are rendered once each: a large site has millions."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from bench.board.board import Row, TaskBoard
from bench.results.answers import UNREAD
from bench.wording import DASH
from leaderboard.question_pages import Question, answers


class LongLists:
    """The macros of `cells.html`, and the parts that were rendered already, by the task's name."""

    def __init__(self, environment: Environment) -> None:
        module: Any = environment.get_template("cells.html").module
        self.wrote: Callable[[str], Markup] = module.wrote
        self.answer: Callable[[str, bool, str], Markup] = cache(module.answer)
        self.given: Callable[[str, str, bool], Markup] = cache(module.given)
        self.opening: Callable[[Row, str], Markup] = module.opening
        self.naming: Callable[[Row], Markup] = module.naming
        self.asked: Callable[[Question, str], Markup] = module.asked
        self.kept: dict[tuple[str, str], list[Markup]] = {}

    def answers(self, table: TaskBoard, question: Question) -> Markup:
        """A row of the table for each run's answer to the question."""
        task = table.task.name
        if (heads := self.kept.get((task, "answers"))) is None:
            heads = [self.opening(row, "../../") for row in table.rows]
            self.kept[task, "answers"] = heads
            self.kept[task, "names"] = [self.naming(row) for row in table.rows]
        names = self.kept[task, "names"]
        lines = [
            f"{head}{question.number}{name}{self.answer(given.letter, given.is_right, given.status)}"
            f"{given.scores}{self.wrote(given.completion) if given.completion else ''}</td></tr>"
            for head, name, given in zip(heads, names, answers(table, question), strict=True)
        ]
        return Markup("\n".join(lines))  # noqa: S704 (parts that a template escaped, and numbers)

    def tally(self, task: str, questions: Iterable[Question], row: Row, root: str) -> Markup:
        """An item of the list for each of the row's answers."""
        if (links := self.kept.get((task, root))) is None:
            links = self.kept[task, root] = [self.asked(question, root) for question in questions]
        letters = row.answers.chosen.replace(UNREAD, DASH)
        each = zip(letters, row.answers.truth, row.answers.right.tolist(), strict=True)
        parts = zip(links, each, strict=True)
        return Markup("\n".join(f"{link}{self.given(*answer)}" for link, answer in parts))  # noqa: S704
