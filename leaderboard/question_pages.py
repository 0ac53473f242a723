"""The questions of a table with every run's answer: what their pages show."""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.board.board import Row, TaskBoard
from bench.results.answers import UNREAD
from bench.scoring.record import ParseStatus, Record
from bench.types import LETTERS
from bench.wording import score

PER_PAGE = 50
"""Questions on a page of a list."""


@dataclass(frozen=True, slots=True)
class Option:
    """`chosen` of the table's rows chose it: that `share`."""

    letter: str
    text: str
    is_right: bool
    chosen: int
    share: float


class Answer(NamedTuple):
    """A row's answer; `scores` are those of the options by the task's view, `completion` what it wrote."""

    row: Row
    letter: str
    is_right: bool
    status: ParseStatus
    scores: str
    completion: str


@dataclass(frozen=True, slots=True)
class Question:
    """`page` is relative to the site; `right` of the `rows` are right, `unread` have no readable answer."""

    number: int
    page: str
    record: Record
    options: tuple[Option, ...]
    right: int
    unread: int
    rows: int

    @property
    def lists(self) -> tuple[str, ...]:
        """The names of the lists that it is in."""
        names = ["all"]
        names += ["nobody right"] if self.right == 0 else []
        names += ["everybody right"] if self.right == self.rows else []
        names += ["unread by some"] if self.unread else []
        names += [f"group: {self.record.group}"] if self.record.group else []
        return tuple(names)


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a list.

    `pages` are all pages of the list, `total` its questions; `lists` has the name, the first page and the
    size of every list.
    """

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
    """The table's questions, in their order, with the texts of the first row that has them."""
    if not table.rows:
        return []
    with_texts = next((row for row in table.rows if row.answers.texts == "full"), table.rows[0])
    codes = _letter_codes([row.answers.chosen for row in table.rows])
    records = enumerate(with_texts.answers.records())
    return [_question(table, record, at, codes[:, at]) for at, record in records]


def _letter_codes(answers: Sequence[str]) -> NDArray[np.uint8]:
    """(rows, questions): the code of each answer's letter."""
    return np.array([np.frombuffer(letters.encode(), dtype=np.uint8) for letters in answers])


def _question(table: TaskBoard, record: Record, at: int, codes: NDArray[np.uint8]) -> Question:
    counts = np.bincount(codes, minlength=128).tolist()
    content = "\n".join((record.question_id, record.question, *record.options))
    name = hashlib.sha256(content.encode()).hexdigest()[:12]
    options = (
        Option(
            letter, text, letter == record.answer_gt, chosen := int(counts[ord(letter)]), chosen / len(codes)
        )
        for letter, text in zip(record.letters, record.options, strict=True)
    )
    return Question(
        number=at + 1,
        page=f"questions/{table.task.name}/{name}.html",
        record=record,
        options=tuple(options),
        right=counts[ord(record.answer_gt)],
        unread=counts[ord(UNREAD)],
        rows=len(codes),
    )


def answers(table: TaskBoard, question: Question) -> Iterator[Answer]:
    """Every row's answer, in the order of the table."""
    at = question.number - 1
    for row in table.rows:
        given, letter = row.answers, row.answers.chosen[at]
        yield Answer(
            row=row,
            letter="" if letter == UNREAD else letter,
            is_right=letter == given.truth[at],
            status=given.statuses[at],
            scores=_format_scores(given.scores[at].tolist()) if given.views else "",
            completion=given.record(at).completion if given.written and given.texts == "full" else "",
        )


def _format_scores(scores: Sequence[float]) -> str:
    pairs = zip(LETTERS, scores, strict=False)
    return " · ".join([f"{letter}\u00a0{score(value)}" for letter, value in pairs if not math.isnan(value)])


def prompts(table: TaskBoard, question: Question) -> list[tuple[str, list[Row]]]:
    """The different prompts, each with the rows that were given it; baselines have none."""
    at = question.number - 1
    by_digest: dict[int, list[Row]] = {}
    for row in table.rows:
        if row.answers.texts == "full" and row.answers.prompts[at]:
            by_digest.setdefault(int(row.answers.prompts[at]), []).append(row)
    return [(rows[0].answers.record(at).prompt, rows) for rows in by_digest.values()]


def listings(table: TaskBoard, questions: Sequence[Question]) -> Iterator[Listing]:
    """Every list of the table's questions, page by page."""
    members: dict[str, list[Question]] = {"all": []}
    for question in questions:
        for name in question.lists:
            members.setdefault(name, []).append(question)
    order = sorted(members, key=lambda name: (name != "all", name.startswith("group: "), name))
    pages = {name: _pages(table, at, len(members[name])) for at, name in enumerate(order)}
    lists = tuple((name, pages[name][0], len(members[name])) for name in order)
    for name in order:
        for at, page in enumerate(pages[name]):
            shown = tuple(members[name][at * PER_PAGE : (at + 1) * PER_PAGE])
            yield Listing(name, page, shown, pages[name], lists, len(members[name]))


def _pages(table: TaskBoard, at: int, count: int) -> tuple[str, ...]:
    """The paths of a list's pages. Lists are numbered, as a group's name can be any text."""
    stem = "index" if at == 0 else f"list-{at}"
    names = [stem, *(f"{stem}-{number}" for number in range(2, 1 + -(-max(1, count) // PER_PAGE)))]
    return tuple(f"questions/{table.task.name}/{name}.html" for name in names)
