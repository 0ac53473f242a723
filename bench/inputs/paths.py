"""Columns of a row by dotted path, and which rows a task's `where` keeps."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from bench.inputs.row_error import RowError

Row = Mapping[str, Any]
MISSING = object()


def value_at(row: Row, path: str) -> Any:
    """The value of a column, or of a key inside one: `context.contexts`; of a list, each one's value.

    Raises a RowError where the row has no such column.
    """
    value = find_value(row, path)
    if value is MISSING:
        raise RowError(path, "no such column")
    return value


def find_value(row: Row, path: str) -> object:
    """As `value_at`; MISSING where the row has no such column."""
    if path in row:
        return row[path]
    first, _, rest = path.partition(".")
    if not rest or first not in row:
        return MISSING
    return _inside(row[first], rest)


def _inside(value: object, path: str) -> object:
    if isinstance(value, Mapping):
        return find_value(cast("Row", value), path)
    if isinstance(value, (list, tuple)):
        values = [_inside(item, path) for item in cast("Sequence[object]", value)]
        return MISSING if MISSING in values or not values else values
    return None if value is None else MISSING


def column_paths(row: Row, depth: int = 2) -> list[str]:
    """The columns of a row and the keys inside them, for messages."""
    paths: list[str] = []
    for name in sorted(row):
        value = row[name]
        if isinstance(value, Mapping) and depth > 1:
            paths += [f"{name}.{inner}" for inner in column_paths(cast("Row", value), depth - 1)]
        else:
            paths.append(name)
    return paths
