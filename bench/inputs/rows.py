"""One row of a data set -> one item; a row that does not fit says which column is wrong, and how."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from bench.errors import did_you_mean
from bench.inputs.task import Columns
from bench.types import LETTERS, Item

Row = Mapping[str, Any]


class RowError(Exception):
    def __init__(self, key: str, text: str) -> None:
        super().__init__(f"{key}: {text}")
        self.key = key
        self.text = text


def row_to_item(row: Row | RowError, columns: Columns, default_id: str) -> Item:
    """One row as an item; raises RowError where a column is not there or does not fit.

    `options` is a list, an object {letter: text}, or several columns; `answer` a 0-based index, a
    letter or a key of that object.
    """
    if isinstance(row, RowError):
        raise row
    _check_columns(row, columns)
    question = _text(row[columns.question], columns.question)
    letters, options = _options(row, columns.options)
    if not 2 <= len(options) <= len(LETTERS):
        raise RowError(_options_key(columns), f"{len(options)} options; there must be 2 to {len(LETTERS)}")
    return Item(
        id=_name(row[columns.id], columns.id) if columns.id else default_id,
        question=question,
        options=options,
        answer=_answer(row[columns.answer], letters, columns.answer),
        group=_group(row, columns.group),
    )


def _check_columns(row: Row, columns: Columns) -> None:
    options = (columns.options,) if isinstance(columns.options, str) else columns.options
    wanted = [columns.question, *options, columns.answer, columns.id, columns.group]
    missing = [name for name in wanted if name is not None and name not in row]
    if missing:
        there = ", ".join(sorted(row))
        near = did_you_mean(missing[0], row)
        text = f"no such column; there are {there}{near}; say which it is in the task's data.columns"
        raise RowError(", ".join(missing), text)


def _group(row: Row, column: str | None) -> str:
    if column is None or row[column] is None or row[column] == "":
        return ""
    return _name(row[column], column)


def _name(value: object, column: str) -> str:
    """An id or a group: a text, or a whole number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _text(value, column)


def _text(value: object, column: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise RowError(column, f"expected a text, not {value!r}")
    return _whole(value, column)


def _whole(text: str, column: str) -> str:
    r"""The text, if it can be written to a file: JSON can hold half a character, as "\ud800"."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RowError(column, f"holds half a character at {error.start}") from error
    return text


def _options_key(columns: Columns) -> str:
    return columns.options if isinstance(columns.options, str) else ", ".join(columns.options)


def _options(row: Row, columns: str | tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names an answer may use for the options, and the options' texts."""
    if isinstance(columns, tuple):
        return tuple(LETTERS[: len(columns)]), tuple(_text(row[name], name) for name in columns)
    value = row[columns]
    if isinstance(value, Mapping):
        pairs = cast("Mapping[str, object]", value)
        names = sorted(pairs) if sorted(pairs) == list(LETTERS[: len(pairs)]) else list(pairs)
        return tuple(names), _texts([pairs[name] for name in names], columns)
    if isinstance(value, (list, tuple)):
        texts = _texts(cast("list[object]", value), columns)
        return tuple(LETTERS[: len(texts)]), texts
    raise RowError(columns, f"expected a list or an object of texts, not {value!r}")


def _texts(values: Iterable[object], column: str) -> tuple[str, ...]:
    texts = tuple(values)
    if wrong := [text for text in texts if not isinstance(text, str)]:
        raise RowError(column, f"expected texts, not {wrong[0]!r}")
    return tuple(_whole(text, column) for text in cast("tuple[str, ...]", texts))


def _answer(value: object, names: tuple[str, ...], column: str) -> int:
    """The index of the right option: by its name, or, where options have no names of their own, from 0."""
    if isinstance(value, (str, int)) and not isinstance(value, bool) and str(value) in names:
        return names.index(str(value))
    lettered = names == tuple(LETTERS[: len(names)])
    if lettered and isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(names):
        return value
    known = ", ".join(names) + (f" or 0 to {len(names) - 1}" if lettered else "")
    raise RowError(column, f"answer {value!r} is out of range: {known}{did_you_mean(str(value), names)}")
