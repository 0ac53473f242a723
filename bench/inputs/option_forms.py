"""The options of a row, in all forms that data have them: columns, lists, objects, JSON text, fixed ones."""

import ast
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

from bench.inputs.answers import Options
from bench.inputs.paths import Row, value_at
from bench.inputs.row_error import AS_TEXT, LEAVE_OUT, RowError
from bench.inputs.task_data import FixedOptions, ListOptions, OptionsForm, ParallelOptions
from bench.types import LETTERS
from bench.wording import counted

Named = tuple[Sequence[object] | None, Sequence[object]]
"""The names of the options, None for letters, and their texts."""


def read_options(row: Row, form: OptionsForm, empty: Sequence[str]) -> Options:
    """The options of a row; an empty one has the text "". Raises a RowError where they are not valid.

    `empty` are texts that mean "no option", besides null, "" and white space.
    """
    column = options_column(form)
    names, values = _named(row, form)
    texts = tuple("" if _is_empty(value, empty) else _text(value, column) for value in values)
    count = len([text for text in texts if text])
    if count < 2 or len(texts) > len(LETTERS):
        counts = counted(count, "option")
        counts += f" beside {len(texts) - count} empty" if count < len(texts) else ""
        raise RowError(column, f"{counts}; a question has 2 to {len(LETTERS)}: {LEAVE_OUT}")
    letters = tuple(LETTERS[: len(texts)])
    if names is None:
        return Options(letters, texts, lettered=True)
    named = tuple(_text(name, column) for name in names)
    if len(set(named)) < len(named):
        raise RowError(column, f"two options have the same name: {', '.join(named)}; {LEAVE_OUT}")
    return Options(named, texts, lettered=named == letters)


def options_column(form: OptionsForm) -> str:
    """The column to name in messages."""
    match form:
        case str():
            return form
        case ListOptions():
            return form.list
        case ParallelOptions():
            return form.text
        case FixedOptions():
            return "columns.options.fixed"
        case _:
            return ", ".join(form)


def option_columns(form: OptionsForm) -> tuple[str, ...]:
    """All columns that the options are read from."""
    match form:
        case str():
            return (form,)
        case ListOptions():
            return (form.list,)
        case ParallelOptions():
            return (form.text,) if form.name is None else (form.text, form.name)
        case FixedOptions():
            return ()
        case _:
            return form


def _named(row: Row, form: OptionsForm) -> Named:
    match form:
        case str():
            return _of_value(_decoded(value_at(row, form)), form)
        case FixedOptions(fixed=fixed):
            return (list(fixed), list(fixed.values())) if isinstance(fixed, dict) else (None, fixed)
        case ListOptions(list=column):
            return _of_objects(_decoded(value_at(row, column)), form)
        case ParallelOptions(text=text, name=name):
            names = None if name is None else _decoded(value_at(row, name))
            return _of_lists(names, _decoded(value_at(row, text)), text)
        case columns:
            letters = all(len(column) == 1 for column in columns)
            return (columns if letters else None), [value_at(row, column) for column in columns]


def _decoded(value: object) -> object:
    """A list or an object that a table holds as text, in JSON or as Python writes it."""
    if not isinstance(value, str) or value.lstrip()[:1] not in ("[", "{"):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return _of_python(value)


def _of_python(text: str) -> object:
    """The list or object that Python writes as this text, such as "['a', 'b']"; else the text.

    Text that Python only reads is none: in ['a' 'b'], as NumPy writes it, two texts would become one.
    """
    try:
        value = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text
    return value if repr(value) == text.strip() else text


def _of_value(value: object, column: str) -> Named:
    """The options of one column: a list of texts, an object {name: text}, or {text: [...], label: [...]}."""
    if isinstance(value, Mapping):
        pairs = cast("Mapping[str, object]", value)
        if set(pairs) == {"text", "label"} and all(isinstance(part, list) for part in pairs.values()):
            return _of_lists(pairs["label"], pairs["text"], column)
        names = sorted(pairs) if sorted(pairs) == list(LETTERS[: len(pairs)]) else list(pairs)
        return names, [pairs[name] for name in names]
    if isinstance(value, (list, tuple)):
        values = cast("Sequence[object]", value)
        if objects := [item for item in values if isinstance(item, Mapping)]:
            keys = ", ".join(str(key) for key in cast("Mapping[str, object]", objects[0]))
            remedy = f"write data.columns.options: {{list: {column}, text: KEY, name: KEY}}"
            raise RowError(column, f"a list of objects with the keys {keys}; {remedy}")
        return None, values
    remedy = 'write them as a JSON list, such as ["yes", "no"], or in a column each'
    raise RowError(column, f"expected a list or an object of texts, not {value!r:.80}; {remedy}")


def _of_objects(value: object, form: ListOptions) -> Named:
    if isinstance(value, Mapping):  # a table may hold a list of objects as an object of lists
        lists = cast("Mapping[str, object]", value)
        names = None if form.name is None else _key(lists, form.name, form.list)
        return _of_lists(names, _key(lists, form.text, form.list), form.list)
    if not isinstance(value, (list, tuple)):
        raise RowError(form.list, f"expected a list of objects, not {value!r:.80}")
    objects = cast("Sequence[object]", value)
    names = None if form.name is None else [_key(item, form.name, form.list) for item in objects]
    return names, [_key(item, form.text, form.list) for item in objects]


def _key(value: object, key: str, column: str) -> object:
    if not isinstance(value, Mapping):
        raise RowError(column, f"expected a list of objects, not one of {value!r:.80}")
    pairs = cast("Mapping[str, Any]", value)
    if key not in pairs:
        raise RowError(column, f"an option has no key '{key}'; its keys are {', '.join(pairs)}")
    return pairs[key]


def _of_lists(names: object, texts: object, column: str) -> Named:
    for value in (texts, [] if names is None else names):
        if not isinstance(value, (list, tuple)):
            raise RowError(column, f"expected lists of names and texts, not {value!r:.80}")
    values = cast("Sequence[object]", texts)
    labels = cast("Sequence[object] | None", names)
    if labels is not None and len(labels) != len(values):
        raise RowError(
            column, f"{counted(len(values), 'text')}, but {counted(len(labels), 'name')}; {LEAVE_OUT}"
        )
    return labels, values


def _is_empty(value: object, empty: Sequence[str]) -> bool:
    if isinstance(value, str):
        return not value.strip() or value.strip().casefold() in map(str.casefold, empty)
    return value is None or (isinstance(value, float) and math.isnan(value))


def _text(value: object, column: str) -> str:
    """An option's text or name; numbers are texts."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise RowError(column, f"expected texts, not {value!r:.80}; {AS_TEXT}")
    return encodable(str(value), column)


def encodable(text: str, column: str) -> str:
    r"""The text, if it can be written to a file: JSON can hold half a surrogate pair, such as "\ud800"."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RowError(column, f"has half a surrogate pair at character {error.start}") from error
    return text
