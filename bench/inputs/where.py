"""The rows that a task's `where` keeps: those whose columns have the values that it gives."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from bench.errors import FileError, Mistake, did_you_mean
from bench.folders import display, is_file, read_text
from bench.inputs.paths import MISSING, Row, column_paths, find_value
from bench.inputs.row_error import RowError
from bench.inputs.task_data import Condition, InFile
from bench.plain_files import lines

_SHOWN = 10
"""Values of a column that a message lists."""


@dataclass(frozen=True, slots=True)
class Where:
    """The conditions of a task, and what the rows of a split had; a new one for each split."""

    allowed: Mapping[str, frozenset[str]]
    seen: Mapping[str, dict[str, None]] = field(default_factory=dict[str, dict[str, None]])

    def keeps(self, row: Row) -> bool:
        """Whether the row counts; raises a RowError where it lacks one of the columns."""
        kept = True
        for column, values in self.allowed.items():
            entry = find_value(row, column)
            if entry is MISSING:
                known = ", ".join(column_paths(row))
                near = did_you_mean(column, row)
                raise RowError(column, f"no such column; the columns are {known}{near}; correct data.where")
            value = _plain(entry, column)
            self.seen[column][value] = None
            kept = kept and value in values
        return kept

    def problems(self) -> Iterator[tuple[str, str]]:
        """(key, what is wrong) for values that no row of the split has."""
        for column, values in self.allowed.items():
            seen = self.seen[column]
            missing = sorted(values - seen.keys())
            if seen and missing:  # without the column, each row is a mistake already
                more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
                known = ", ".join(list(seen)[:_SHOWN]) + (", …" if len(seen) > _SHOWN else "")
                near = did_you_mean(missing[0], seen)
                text = f"no row has {column} '{missing[0]}'{more}; there are {known}{near}"
                yield f"data.where.{column}", text


def where_of(conditions: Mapping[str, Condition], folder: Path, place: str) -> Where:
    """The conditions with the values of their files read; raises a FileError for a file that is not valid.

    Files are relative to `folder`; `place` is the task file, for messages.
    """
    allowed = {column: frozenset(_values(c, column, folder, place)) for column, c in conditions.items()}
    return Where(allowed, {column: {} for column in allowed})


def _values(condition: Condition, column: str, folder: Path, place: str) -> Iterable[str]:
    match condition:
        case InFile(file=name):
            path = folder / name
            if not is_file(path):
                key = f"data.where.{column}.file"
                raise FileError([Mistake(place, 0, key, f"there is no file {display(path)}")])
            return _in_file(path, column)
        case tuple():
            return [_plain(value, column) for value in condition]
        case _:
            return [_plain(condition, column)]


def _in_file(path: Path, column: str) -> list[str]:
    text = read_text(path)
    try:
        if text.lstrip()[:1] in ("[", "{"):
            return [_plain(value, column) for value in cast("Sequence[object]", json.loads(text))]
    except (ValueError, RecursionError, RowError) as error:
        raise FileError([Mistake(display(path), 0, "", f"not a JSON list or object: {error}")]) from error
    values = [line.strip() for line in lines(text) if line.strip()]
    if not values:
        raise FileError([Mistake(display(path), 0, "", "has no values")])
    return values


def _plain(value: object, column: str) -> str:
    """The value as it is compared: 1, 1.0 and "1" are the same, as are true and "true"."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (str, int, float)):
        return str(value)
    raise RowError(column, f"where compares texts and numbers, not {value!r:.80}")
