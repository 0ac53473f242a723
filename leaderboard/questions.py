"""Every question of a table with every model's answer: what each page of them shows. Pure."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from bench.scoring.record import Record
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


@dataclass(frozen=True, slots=True)
class Answer:
    """A row's answer; `scores` are its options' by the task's view, from the first letter on."""

    row: Row
    record: Record
    scores: tuple[tuple[str, float], ...]


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
    """The table's questions, in their order; the rows were asked the same."""
    rows = table.rows
    count = len(rows[0].run.records) if rows else 0
    return [_question(table, [row.run.records[at] for row in rows], at) for at in range(count)]


def _question(table: TaskBoard, records: Sequence[Record], at: int) -> Question:
    first = records[0]
    chosen = Counter(record.model_output.final_answer or "" for record in records)
    said = "\n".join((first.question_id, first.question, *first.options))
    name = hashlib.sha256(said.encode()).hexdigest()[:12]
    options = (
        Option(letter, text, letter == first.answer_gt, chosen[letter], chosen[letter] / len(records))
        for letter, text in zip(LETTERS, first.options, strict=False)
    )
    return Question(
        number=at + 1,
        page=f"questions/{table.task.name}/{name}.html",
        record=first,
        options=tuple(options),
        right=sum(record.is_correct for record in records),
        unread=chosen[""],
        rows=len(records),
    )


def answers(table: TaskBoard, question: Question) -> Iterator[Answer]:
    """Every row's answer, in the order of the table."""
    for row in table.rows:
        record = row.run.records[question.number - 1]
        scores = record.scores.get(table.task.view) or record.scores.get("letter") or ()
        yield Answer(row, record, tuple(zip(LETTERS, scores, strict=False)))


def prompts(table: TaskBoard, question: Question) -> list[tuple[str, list[Row]]]:
    """The different prompts that models saw, with who saw each; baselines saw none."""
    seen = [(row.run.records[question.number - 1].prompt, row) for row in table.rows]
    order = {prompt: at for at, (prompt, _) in reversed(list(enumerate(seen)))}
    kept = sorted(((prompt, row) for prompt, row in seen if prompt), key=lambda pair: order[pair[0]])
    return [(prompt, [row for _, row in group]) for prompt, group in groupby(kept, key=lambda pair: pair[0])]


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
