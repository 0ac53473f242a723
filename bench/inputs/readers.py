"""The rows of a file, each with its line: JSON Lines, a JSON array, CSV, TSV, Parquet or Arrow.

Text formats are read here and not by `datasets`, whose readers guess types: the option "None" would become
an empty one, and "1" the number 1.0. Files of any format may be compressed.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from bench.errors import FileError, Mistake, one_line
from bench.folders import display
from bench.inputs.paths import Row
from bench.inputs.row_error import RowError

_PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
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
    packed = bool(endings) and endings[-1] in _PACKED
    format_ = next(iter((endings[:-1] if packed else endings)[-1:]), "")
    data = _bytes(path, packed=packed)
    if format_ in _TABLES:
        return _table(path, data, format_)
    text = _decoded(path, data, encoding)
    if format_ in _DELIMITERS:
        return _delimited(path, text, _DELIMITERS[format_])
    return _json_array(path, text) if text.lstrip()[:1] == "[" else _json_lines(path, text)


def _wrong(path: Path, text: str, line: int = 0) -> FileError:
    return FileError([Mistake(display(path), line, "", text)])


def _bytes(path: Path, *, packed: bool) -> bytes:
    try:
        if not packed:
            return path.read_bytes()
        import fsspec

        with cast("Any", fsspec.open(str(path), "rb", compression="infer")) as file:
            return file.read()
    except Exception as error:  # each kind of compression has errors of its own
        if isinstance(error, OSError) and error.strerror:
            raise _wrong(path, error.strerror) from error
        raise _wrong(path, f"cannot be unpacked: {one_line(error)}") from error


def _decoded(path: Path, data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except UnicodeError as error:
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            text = f"not {encoding}: its first bytes are those of UTF-16; write data.encoding: utf-16"
            raise _wrong(path, text, 1) from error
        start = error.start if isinstance(error, UnicodeDecodeError) else 0
        text = (
            f"byte {start:,} of the file is not {encoding}; write the file's own encoding as data.encoding, "
            "such as latin-1 or cp1252, or save the file as UTF-8"
        )
        raise _wrong(path, text, data.count(b"\n", 0, start) + 1) from error


def _json_lines(path: Path, text: str) -> Iterator[PlacedRow]:
    file = display(path)
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield Place(file, number), _json_row(line)


def _json_row(line: str) -> Row | RowError:
    try:
        row = json.loads(line, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        return RowError("", f"not JSON: {error}")
    return _object_row(row)


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
            yield Place(file, line), RowError("", f"not JSON: {error}")
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


def _delimited(path: Path, text: str, delimiter: str) -> Iterator[PlacedRow]:
    """The rows of a table of texts with a header."""
    file = display(path)
    csv.field_size_limit(2**31 - 1)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    start = 1
    try:
        for fields in lines:
            place, start = Place(file, start), lines.line_num + 1
            if not fields:
                continue
            if header is None:
                header = _header(path, fields)
            elif len(fields) != len(header):
                yield place, RowError("", f"{len(fields)} fields, but the header has {len(header)}")
            else:
                yield place, dict(zip(header, fields, strict=True))
    except csv.Error as error:
        yield Place(file, start), RowError("", f"not a table: {error}")


def _header(path: Path, fields: list[str]) -> list[str]:
    names = [field.strip() for field in fields]
    if len(set(names)) < len(names):
        raise _wrong(path, f"two columns have the same name: {', '.join(names)}", 1)
    if len(names) == 1 and any(mark in names[0] for mark in ";\t|"):
        raise _wrong(path, "the header is one column; separate columns by commas (.csv) or tabs (.tsv)", 1)
    return names


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
        rows = cast("Iterable[Row]", without_media(Dataset(table)))
        yield from ((Place(display(path), number), row) for number, row in enumerate(rows, start=1))
    except (ValueError, TypeError, OSError, NotImplementedError) as error:  # pyarrow's own are among them
        raise _wrong(path, f"not {format_[1:]}: {one_line(error)}") from error


def without_media(rows: Any) -> Any:
    """A `datasets.Dataset` without pictures and sound, which a question does not show.

    To decode them, `datasets` needs further packages.
    """
    media = [column for column, kind in rows.features.items() if hasattr(kind, "decode_example")]
    return rows.remove_columns(media)
