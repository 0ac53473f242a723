"""Every question of a table with every model's answer: what each page of them shows."""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.runs.answers import UNREAD
from bench.scoring.record import ParseStatus, Record
from bench.types import LETTERS
from leaderboard.board import Row, TaskBoard

EACH = 50
"""Questions a page."""


@dataclass(frozen=True, slots=True)
class Option:
    """`share` of the table's rows chose it."""

    letter: str
    text: str
    is_right: bool
    chosen: int
    share: float


class Answer(NamedTuple):
    """A row's answer; `scores` are its options' by the task's view, `completion` what it wrote."""

    row: Row
    letter: str
    is_right: bool
    status: ParseStatus
    scores: str
    completion: str


@dataclass(frozen=True, slots=True)
class Question:
    """`page` is its own, relative to the site; `right` of the rows got it, `unread` gave no answer."""

    number: int
    page: str
    record: Record
    options: tuple[Option, ...]
    right: int
    unread: int
    rows: int

    @property
    def kinds(self) -> tuple[str, ...]:
        """The lists that it stands in."""
        found = ["all"]
        found += (
            ["nobody right"] if self.right == 0 else ["everybody right"] if self.right == self.rows else []
        )
        found += ["unread by some"] if self.unread else []
        found += [f"group: {self.record.group}"] if self.record.group else []
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a list; `pages` are all of that list, `lists` the first page of each list with its size."""

    name: str
    page: str
    questions: tuple[Question, ...]
    pages: tuple[str, ...]
    lists: tuple[tuple[str, str, int], ...]
    total: int

    @property
    def number(self) -> int:
        return self.pages.index(self.page) + 1


def questions_of(table: TaskBoard) -> list[Question]:
    """The table's questions, in their order, in the words of the first row that has any."""
    if not table.rows:
        return []
    worded = next((row for row in table.rows if row.answers.texts == "full"), table.rows[0])
    chosen = _letters([row.answers.chosen for row in table.rows])
    return [_question(table, record, at, chosen[:, at]) for at, record in enumerate(worded.answers.records())]


def _letters(answers: Sequence[str]) -> NDArray[np.uint8]:
    """A row for each, a letter's code for each question."""
    return np.array([np.frombuffer(one.encode(), dtype=np.uint8) for one in answers])


def _question(table: TaskBoard, record: Record, at: int, given: NDArray[np.uint8]) -> Question:
    counts = np.bincount(given, minlength=128).tolist()
    said = "\n".join((record.question_id, record.question, *record.options))
    name = hashlib.sha256(said.encode()).hexdigest()[:12]
    options = (
        Option(
            letter, text, letter == record.answer_gt, chosen := int(counts[ord(letter)]), chosen / len(given)
        )
        for letter, text in zip(LETTERS, record.options, strict=False)
    )
    return Question(
        number=at + 1,
        page=f"questions/{table.task.name}/{name}.html",
        record=record,
        options=tuple(options),
        right=counts[ord(record.answer_gt)],
        unread=counts[ord(UNREAD)],
        rows=len(given),
    )


def answers(table: TaskBoard, question: Question) -> Iterator[Answer]:
    """Every row's answer, in the order of the table."""
    at = question.number - 1
    for row in table.rows:
        found, letter = row.answers, row.answers.chosen[at]
        yield Answer(
            row=row,
            letter="" if letter == UNREAD else letter,
            is_right=letter == found.truth[at],
            status=found.statuses[at],
            scores=_scores(found.scores[at].tolist()) if found.views else "",
            completion=found.record(at).completion if found.written and found.texts == "full" else "",
        )


def _scores(scores: Sequence[float]) -> str:
    pairs = zip(LETTERS, scores, strict=False)
    return " · ".join([f"{letter}\u00a0{score:.3f}" for letter, score in pairs if not math.isnan(score)])


def prompts(table: TaskBoard, question: Question) -> list[tuple[str, list[Row]]]:
    """The different prompts that models saw, with who saw each; baselines saw none."""
    at = question.number - 1
    seen: dict[int, list[Row]] = {}
    for row in table.rows:
        if row.answers.texts == "full" and row.answers.prompts[at]:
            seen.setdefault(int(row.answers.prompts[at]), []).append(row)
    return [(rows[0].answers.record(at).prompt, rows) for rows in seen.values()]


def listings(table: TaskBoard, questions: Sequence[Question]) -> Iterator[Listing]:
    """Every list of the table's questions, page by page."""
    named: dict[str, list[Question]] = {"all": []}
    for question in questions:
        for kind in question.kinds:
            named.setdefault(kind, []).append(question)
    order = sorted(named, key=lambda name: (name != "all", name.startswith("group: "), name))
    pages = {name: _pages(table, at, len(named[name])) for at, name in enumerate(order)}
    lists = tuple((name, pages[name][0], len(named[name])) for name in order)
    for name in order:
        for at, page in enumerate(pages[name]):
            shown = tuple(named[name][at * EACH : (at + 1) * EACH])
            yield Listing(name, page, shown, pages[name], lists, len(named[name]))


def _pages(table: TaskBoard, at: int, count: int) -> tuple[str, ...]:
    """The paths of a list's pages. Lists are numbered: a group's name is the data's own words."""
    stem = "index" if at == 0 else f"list-{at}"
    names = [stem, *(f"{stem}-{number}" for number in range(2, 1 + -(-max(1, count) // EACH)))]
    return tuple(f"questions/{table.task.name}/{name}.html" for name in names)
