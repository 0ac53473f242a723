"""One row of a data set -> one item, or a RowError with the column and what is wrong with it."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from bench.errors import did_you_mean
from bench.inputs.task import Columns
from bench.types import LETTERS, Item

Row = Mapping[str, Any]


class RowError(Exception):
    """A mistake in one row; `key` is the column, "" where the whole row is wrong."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(f"{key}: {text}")
        self.key = key
        self.text = text


def row_to_item(row: Row | RowError, columns: Columns, default_id: str) -> Item:
    """The item of a row; raises a RowError where a column is missing or its value is not valid.

    Options are a list, an object {name: text}, or several columns. The answer is a letter, a name in
    that object, or an index from 0.
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
        known = ", ".join(sorted(row))
        near = did_you_mean(missing[0], row)
        text = f"no such column; the columns are {known}{near}; name it in the task's data.columns"
        raise RowError(", ".join(missing), text)


def _group(row: Row, column: str | None) -> str:
    if column is None or row[column] is None or row[column] == "":
        return ""
    return _name(row[column], column)


def _name(value: object, column: str) -> str:
    """An id or a group: text, or a whole number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _text(value, column)


def _text(value: object, column: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise RowError(column, f"expected text, not {value!r}")
    return _encodable(value, column)


def _encodable(text: str, column: str) -> str:
    r"""The text, if it can be written to a file: JSON can hold half a surrogate pair, such as "\ud800"."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RowError(column, f"has half a surrogate pair at character {error.start}") from error
    return text


def _options_key(columns: Columns) -> str:
    return columns.options if isinstance(columns.options, str) else ", ".join(columns.options)


def _options(row: Row, columns: str | tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names by which an answer may refer to the options, and the options' texts."""
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
    return tuple(_encodable(text, column) for text in cast("tuple[str, ...]", texts))


def _answer(value: object, names: tuple[str, ...], column: str) -> int:
    """The index of the right option, given by name or, where the names are letters, as an index from 0."""
    if isinstance(value, (str, int)) and not isinstance(value, bool) and str(value) in names:
        return names.index(str(value))
    lettered = names == tuple(LETTERS[: len(names)])
    if lettered and isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(names):
        return value
    known = ", ".join(names) + (f" or 0 to {len(names) - 1}" if lettered else "")
    raise RowError(column, f"answer {value!r} is out of range: {known}{did_you_mean(str(value), names)}")
