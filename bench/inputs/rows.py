"""One row of a data set -> a draft of an item; the rows of a split -> items, by the task's rules."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from bench.errors import did_you_mean
from bench.inputs.answers import Answer, AnswerKeys, Options, read_answer, settle, unclear
from bench.inputs.odd_rows import OddKind
from bench.inputs.option_forms import encodable, option_columns, options_column, read_options
from bench.inputs.paths import MISSING, Row, column_paths, find_value, value_at
from bench.inputs.row_error import AS_TEXT, LEAVE_OUT, RowError
from bench.inputs.task_data import Columns, Reading
from bench.types import LETTERS, Extra, Item

LONGEST_NAME = 64
"""Characters of a cluster's name."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A row that is read but for its answer, which may depend on the other rows of its split."""

    id: str
    question: str
    options: Options
    answer: Answer
    group: str
    cluster: str
    extra: tuple[tuple[str, Extra], ...]
    cut: bool
    """Whether the question was cut at `question_until`, or there is no such text."""


def row_to_item(row: Row, reading: Reading, default_id: str) -> Item:
    """The item of a row that stands alone; raises a RowError where a value is missing or not valid."""
    draft = read_row(row, reading, default_id)
    [index] = settle([draft.answer])
    return finish(draft, index, reading.columns.answer)[0]


def read_row(row: Row, reading: Reading, default_id: str) -> Draft:
    """Everything of a row but its answer's index; raises a RowError where a value is missing or not valid."""
    columns = reading.columns
    _check_columns(row, columns)
    question, cut = _question(row, reading)
    options = read_options(row, columns.options, reading.empty_options)
    return Draft(
        id=_id(row, columns.id) if columns.id else default_id,
        question=question,
        options=options,
        answer=read_answer(value_at(row, columns.answer), options, answer_keys(reading)),
        group=_label(row, columns.group),
        cluster=_cluster(row, columns.cluster),
        extra=tuple((name, _extra(value_at(row, path), path)) for name, path in columns.extra.items()),
        cut=cut,
    )


def answer_keys(reading: Reading) -> AnswerKeys:
    """The keys of a task that say how its answers are written."""
    return AnswerKeys(reading.columns.answer, reading.answer_from, reading.answer_form)


def finish(draft: Draft, index: int | None, column: str) -> tuple[Item, tuple[OddKind, ...]]:
    """The item of a draft whose answer is settled, without empty options, and what is odd about it."""
    options = draft.options
    if index is None:
        raise unclear(draft.answer, options, column)
    if not options.texts[index]:
        raise RowError(column, f"answer {draft.answer.value!r} is an empty option; {LEAVE_OUT}")
    texts = tuple(text for text in options.texts if text)
    item = Item(
        id=draft.id,
        question=draft.question,
        options=texts,
        answer=len([text for text in options.texts[:index] if text]),
        group=draft.group,
        extra=draft.extra,
        cluster=draft.cluster,
    )
    return item, tuple(_odd(draft, item))


def _odd(draft: Draft, item: Item) -> Iterator[OddKind]:
    texts = [option.strip() for option in item.options]
    doubled = {text for text, count in Counter(texts).items() if count > 1}
    if doubled - {texts[item.answer]}:
        yield "doubled_options"
    if texts[item.answer] in doubled:
        yield "doubled_answer"
    if len(texts) < len(draft.options.texts):
        yield "empty_options"
    if any(option != option.strip() for option in item.options):
        yield "white_space"
    if not draft.cut:
        yield "uncut_questions"


def key_of(kind: OddKind, columns: Columns) -> str:
    """The column to name in a message about a kind of odd rows."""
    if kind in ("doubled_options", "doubled_answer", "empty_options", "white_space"):
        return options_column(columns.options)
    if kind in ("no_answer", "several_answers"):
        return columns.answer
    return columns.question if isinstance(columns.question, str) else ", ".join(columns.question)


def missing_columns(row: Row, columns: Columns) -> list[str]:
    """The columns of a task that a row does not have."""
    questions = (columns.question,) if isinstance(columns.question, str) else columns.question
    wanted = [*questions, *option_columns(columns.options), columns.answer, columns.id]
    wanted += [columns.group, columns.cluster, *columns.extra.values()]
    return [name for name in wanted if name is not None and find_value(row, name) is MISSING]


def _check_columns(row: Row, columns: Columns) -> None:
    if missing := missing_columns(row, columns):
        paths = column_paths(row)
        known = ", ".join(paths)
        near = did_you_mean(missing[0], paths)
        remedy = "name it in the task's data.columns"
        if missing == ["options"] and (letters := [name for name in LETTERS if name in row])[1:]:
            remedy = f"write data.columns.options: [{', '.join(letters)}]"
        text = f"no such column; the columns are {known}{near}; {remedy}"
        raise RowError(", ".join(missing), text)


def _question(row: Row, reading: Reading) -> tuple[str, bool]:
    """The question, and whether it ends where `question_until` says."""
    paths = reading.columns.question
    names = (paths,) if isinstance(paths, str) else paths
    column = ", ".join(names)
    values = [value_at(row, name) for name in names]
    text = "\n".join(part for value in values for part in _parts(value, column))
    if not text.strip():
        raise RowError(column, f"expected text, not {values[0]!r:.80}", "empty_question")
    until = reading.question_until
    if until is None:
        return encodable(text, column), True
    before, mark, _ = text.rpartition(until)
    if mark and not before.strip():
        raise RowError(column, f"nothing stands before '{until}' (data.question_until)", "empty_question")
    return encodable(before.rstrip() if mark else text, column), bool(mark)


def _parts(value: object, column: str) -> list[str]:
    """The texts of a column; numbers are texts, and null and empty ones are left out."""
    if isinstance(value, (list, tuple)):
        return [part for inner in cast("Sequence[object]", value) for part in _parts(inner, column)]
    if _is_null(value):
        return []
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise RowError(column, f"expected text, not {value!r:.80}; {AS_TEXT}")
    return [str(value)] if str(value).strip() else []


def _extra(value: object, column: str) -> Extra:
    """An extra column's value: a text, or a list of texts; null is an empty text, and numbers are texts."""
    if isinstance(value, (list, tuple)):
        return tuple(_extra_text(part, column) for part in cast("Sequence[object]", value))
    return _extra_text(value, column)


def _extra_text(value: object, column: str) -> str:
    if _is_null(value):
        return ""
    if not isinstance(value, (str, int, float)):
        raise RowError(column, f"expected a text or a list of texts, not {value!r:.80}; {AS_TEXT}")
    return encodable(str(value), column)


def _label(row: Row, column: str | None) -> str:
    """A group or a cluster; "" where a row has none."""
    value = None if column is None else value_at(row, column)
    return "" if column is None or _is_null(value) else _name(value, column)


def _cluster(row: Row, column: str | None) -> str:
    """A long text, such as the case itself, is named by its digest: every record has the name."""
    name = _label(row, column)
    return name if len(name) <= LONGEST_NAME else hashlib.blake2b(name.encode(), digest_size=8).hexdigest()


def _is_null(value: object) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _id(row: Row, column: str) -> str:
    value = value_at(row, column)
    if _is_null(value):
        raise RowError(
            column, "a row without an id; write one, or leave out data.columns.id to number all rows"
        )
    return _name(value, column)


def _name(value: object, column: str) -> str:
    """An id, a group or a cluster: text, or a whole number."""
    if (
        isinstance(value, float) and value.is_integer()
    ):  # what a table makes of whole numbers beside an empty one
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise RowError(column, f"expected a text or a whole number, not {value!r:.80}; {AS_TEXT}")
    return encodable(value, column)
