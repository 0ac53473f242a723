"""Odd rows: what is unusual about a row, and what happens to it.

One rule holds wherever rows are read: a kind of odd rows is a warning with its count, or a mistake.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from bench.config import Strict
from bench.numbers import Count
from bench.wording import counted

OddKind = Literal[
    "doubled_options",
    "doubled_answer",
    "empty_options",
    "white_space",
    "repeated_questions",
    "uncut_questions",
    "empty_question",
    "no_answer",
    "several_answers",
]
Rule = Literal["keep", "drop", "refuse"]
"""The row stays and is counted, it is left out and counted, or it is a mistake."""


class RowRules(Strict):
    """What happens to each kind of odd rows. `remove` leaves out the empty options and keeps the row."""

    doubled_options: Rule = "keep"
    doubled_answer: Rule = "refuse"
    empty_options: Literal["remove", "drop", "refuse"] = "remove"
    white_space: Rule = "keep"
    repeated_questions: Rule = "keep"
    uncut_questions: Rule = "keep"
    empty_question: Literal["drop", "refuse"] = "refuse"
    no_answer: Literal["drop", "refuse"] = "refuse"
    several_answers: Literal["drop", "refuse"] = "refuse"

    def of(self, kind: OddKind) -> str:
        """What happens to rows of a kind."""
        return getattr(self, kind)


_WORDS: Mapping[OddKind, str] = {
    "doubled_options": "with a wrong option twice",
    "doubled_answer": "with the right option twice",
    "empty_options": "with empty options",
    "white_space": "with white space around an option",
    "repeated_questions": "with the question and options of an earlier row",
    "uncut_questions": "without the text of question_until",
    "empty_question": "without a question",
    "no_answer": "without an answer",
    "several_answers": "with several right answers",
}
"""Each kind, after "3 rows"."""
_FATES = {
    "keep": "kept",
    "remove": "kept without them",
    "drop": "dropped",
}


class OddRows(Strict):
    """How many rows of a split are of one kind, and what happened to them: `keep`, `remove` or `drop`."""

    rule: str
    rows: Count


Odd = Mapping[OddKind, OddRows]


def count_odd(kinds: Iterable[OddKind], rules: RowRules) -> Odd:
    """The kinds of odd rows that there are, in a fixed order."""
    counts = Counter(kinds)
    return {kind: OddRows(rule=rules.of(kind), rows=counts[kind]) for kind in _WORDS if counts[kind]}


def with_counts(odd: Odd, counts: Mapping[OddKind, int], rules: RowRules) -> Odd:
    """`odd` with `counts` in place of its own, in a fixed order."""
    known = {**odd, **{kind: OddRows(rule=rules.of(kind), rows=rows) for kind, rows in counts.items()}}
    return {kind: known[kind] for kind in _WORDS if kind in known}


def odd_warnings(odd: Odd) -> Iterator[str]:
    """A sentence for each kind of odd rows, with what happened to them and the key that changes it."""
    for kind, odd_rows in odd.items():
        yield f"{counted(odd_rows.rows, 'row')} {_WORDS[kind]}: {_FATES[odd_rows.rule]} (data.rows.{kind})"


def refusal(kind: OddKind) -> str:
    """Why a row is a mistake, and the key that lets it pass."""
    others = [rule for rule in _allowed(kind) if rule != "refuse"]
    return f"a row {_WORDS[kind]}; correct it, or write data.rows.{kind}: {' or '.join(others)}"


def _allowed(kind: OddKind) -> tuple[str, ...]:
    return RowRules.model_fields[kind].annotation.__args__  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
