"""The rows of a file, each with its line: JSON Lines, a JSON array, CSV, TSV, Parquet or Arrow.

Text formats are read here and not by `datasets`, whose readers guess types: the option "None" would become
an empty one, and "1" the number 1.0. Files of any format may be compressed.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from bench.errors import one_line
from bench.folders import display
from bench.inputs.decoding import decoded, unreadable
from bench.inputs.packed import UNPACK
from bench.inputs.paths import Row
from bench.inputs.row_error import RowError
from bench.plain_files import LARGE, read_bytes
from bench.types import LETTERS
from bench.wording import counted

_DELIMITERS = {".csv": ",;\t", ".tsv": "\t"}
"""What may separate the columns of a table. Excel writes semicolons where the comma is the decimal point."""
_TABLES = (".parquet", ".arrow", ".feather")


@dataclass(frozen=True, slots=True)
class Place:
    """The file and line of a row, for messages; in a table and on the hub the row's number, from 1."""

    file: str
    line: int


PlacedRow = tuple[Place, Row | RowError]


def read_rows_of(path: Path, encoding: str = "utf-8") -> Iterator[PlacedRow]:
    """The rows of a file, by the end of its name; any other name is JSON Lines or a JSON array.

    Raises a FileError where the file as a whole cannot be read, and yields a RowError for a row that cannot.
    """
    endings = [suffix.lower() for suffix in path.suffixes]
    unpack = UNPACK.get(endings[-1]) if endings else None
    format_ = next(iter((endings[:-1] if unpack else endings)[-1:]), "")
    data = _bytes(path, unpack)
    if format_ in _TABLES:
        return _table(path, data, format_)
    text = decoded(path, data, encoding)
    if format_ in _DELIMITERS:
        return _delimited(path, text, _delimiter(text, _DELIMITERS[format_]))
    return _json(path, text)


def _bytes(path: Path, unpack: Callable[[bytes], bytes] | None) -> bytes:
    try:
        data = read_bytes(path, LARGE)
    except OSError as error:
        raise unreadable(path, error.strerror or one_line(error)) from error
    try:
        return unpack(data) if unpack else data
    except Exception as error:  # each kind of compression has errors of its own
        raise unreadable(path, f"cannot be unpacked: {one_line(error)}") from error


def _json(path: Path, text: str) -> Iterator[PlacedRow]:
    start = text.lstrip()
    if start[:1] == "[":
        return _json_array(path, text)
    if start[:1] not in ("{", ""):
        raise unreadable(
            path, "neither JSON Lines nor a JSON array; the name of a table ends with .csv or .tsv", 1
        )
    if _spans_lines(start):
        remedy = "write each object on one line, or all of them in an array: [{…}, {…}]"
        raise unreadable(path, f"the first JSON object is written over several lines; {remedy}", 1)
    return _json_lines(path, text)


def _spans_lines(text: str) -> bool:
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return False
    return "\n" in text[:end]


def _json_lines(path: Path, text: str) -> Iterator[PlacedRow]:
    file = display(path)
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield Place(file, number), _json_row(line)


def _json_row(line: str) -> Row | RowError:
    try:
        row = json.loads(line, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        return _not_json(error)
    return _object_row(row)


def _not_json(error: Exception) -> RowError:
    if not isinstance(error, json.JSONDecodeError):
        return RowError("", f"not JSON: {error}")
    remedy = "; write one object a line, and nothing after it" if error.msg == "Extra data" else ""
    return RowError("", f"not JSON: {error.msg} at character {error.colno}{remedy}")


def _object_row(row: object) -> Row | RowError:
    return cast("Row", row) if isinstance(row, dict) else RowError("", "expected a JSON object")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    row = dict(pairs)
    if len(row) < len(pairs):
        raise ValueError("a key is given twice")
    return row


def _json_array(path: Path, text: str) -> Iterator[PlacedRow]:
    """The objects of a JSON array, each at the line where it begins."""
    decoder = json.JSONDecoder(object_pairs_hook=_object)
    file, place, line, counted = display(path), text.index("[") + 1, 1, 0
    while True:
        place = _skip(text, place, " \t\r\n")
        line, counted = line + text.count("\n", counted, place), place
        if text[place : place + 1] == "]":
            break
        try:
            row, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            wrong = error.lineno if isinstance(error, json.JSONDecodeError) else line
            yield Place(file, wrong), _not_json(error)
            return
        yield Place(file, line), _object_row(row)
        place = _skip(text, place, " \t\r\n")
        if text[place : place + 1] == ",":
            place += 1
        elif text[place : place + 1] != "]":
            yield Place(file, line), RowError("", "not JSON: expected ',' or ']' after this object")
            return
    if text[place + 1 :].strip():
        yield Place(file, line), RowError("", "not JSON: there is more after the array")


def _skip(text: str, place: int, characters: str) -> int:
    while place < len(text) and text[place] in characters:
        place += 1
    return place


def _delimiter(text: str, marks: str) -> str:
    """The mark that separates the header into the most columns."""
    header = re.split(r"[\r\n]", text.lstrip("\r\n"), maxsplit=1)[0]
    columns = {mark: sum(len(fields) for fields in csv.reader([header], delimiter=mark)) for mark in marks}
    return max(marks, key=lambda mark: columns[mark])


def _delimited(path: Path, text: str, delimiter: str) -> Iterator[PlacedRow]:
    """The rows of a table of texts with a header. Empty rows are left out, as spreadsheets write them."""
    file = display(path)
    csv.field_size_limit(2**31 - 1)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    start = 1
    try:
        for fields in lines:
            place, start = Place(file, start), lines.line_num + 1
            if not any(field.strip() for field in fields):
                continue
            if header is None:
                header = _header(path, fields)
            else:
                yield place, _table_row(header, fields, delimiter)
    except csv.Error as error:
        remedy = "a text with a quote or a line break stands in double quotes, and a quote in it is doubled"
        yield Place(file, start), RowError("", f"not a table: {error}; {remedy}")


def _header(path: Path, fields: Sequence[str]) -> list[str]:
    """The names of the columns, "" for those without."""
    names = [field.strip() for field in fields]
    named = [name for name in names if name]
    if len(set(named)) < len(named):
        raise unreadable(path, f"two columns have the same name: {', '.join(named)}", 1)
    if len(names) == 1:
        raise unreadable(
            path, "the header is one column; separate columns by commas (.csv) or tabs (.tsv)", 1
        )
    return names


def _table_row(header: Sequence[str], fields: Sequence[str], delimiter: str) -> Row | RowError:
    counts = f"the row has {counted(len(fields), 'field')}, the header {len(header)}"
    if any(field.strip() for field in fields[len(header) :]):
        mark = "a tab" if delimiter == "\t" else f"'{delimiter}'"
        return RowError("", f"{counts}; put a text that holds {mark} in double quotes")
    if missing := [name for name in header[len(fields) :] if name]:
        return RowError(", ".join(missing), f"{counts}; write every field, also an empty one")
    return {name: field for name, field in zip(header, fields, strict=False) if name}


def _table(path: Path, data: bytes, format_: str) -> Iterator[PlacedRow]:
    # Imported here: they take over a second.
    import pyarrow as pa
    from datasets import Dataset
    from pyarrow import parquet

    arrow = cast("Any", pa)
    buffer = arrow.BufferReader(data)
    try:
        if format_ == ".parquet":
            table = cast("Any", parquet).read_table(buffer)
        elif data[:6] == b"ARROW1":
            table = arrow.ipc.open_file(buffer).read_all()
        else:
            table = arrow.ipc.open_stream(buffer).read_all()
        rows = labelled(without_media(Dataset(table)))
        yield from ((Place(display(path), number), row) for number, row in enumerate(rows, start=1))
    except (ValueError, TypeError, OSError, NotImplementedError) as error:  # pyarrow's own are among them
        raise unreadable(path, f"not {format_[1:]}: {one_line(error)}") from error


def labelled(rows: Any) -> Iterator[Row]:
    """The rows of a `datasets.Dataset`, with the names of class labels in place of their numbers.

    Labels whose names are numbers or the letters in their order stay numbers: both point at the same option.
    So do those without a name, such as -1.
    """
    from datasets import ClassLabel

    names: dict[str, list[str]] = {
        column: feature.names
        for column, feature in rows.features.items()
        if isinstance(feature, ClassLabel) and not _only_count(feature.names)
    }
    for row in rows:
        yield row | {
            column: known[row[column]]
            for column, known in names.items()
            if row[column] is not None and 0 <= row[column] < len(known)
        }


def _only_count(names: Sequence[str]) -> bool:
    return any(map(str.isdigit, names)) or "".join(names).upper() == LETTERS[: len(names)]


def without_media(rows: Any) -> Any:
    """A `datasets.Dataset` without pictures and sound, which a question does not show.

    To decode them, `datasets` needs further packages.
    """
    media = [column for column, kind in rows.features.items() if hasattr(kind, "decode_example")]
    return rows.remove_columns(media)
