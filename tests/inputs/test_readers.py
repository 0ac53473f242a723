"""Every format of a file gives the same rows, with their lines; what cannot be read is told in one line."""

import bz2
import csv
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from datasets import ClassLabel, Dataset, Features

from bench.errors import FileError
from bench.inputs.readers import read_rows_of
from bench.inputs.row_error import RowError

ROWS = [
    {"question": "Ménière?", "A": "None", "B": "01", "answer": "B"},
    {"question": "two\nlines", "A": "x, y", "B": '"z"', "answer": "A"},
]


def table(delimiter: str) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(ROWS[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(ROWS)
    return text.getvalue().encode()


LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()
ARRAY = json.dumps(ROWS, ensure_ascii=False, indent=1).encode()


def zipped(data: bytes, *more: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name in ("rows", "__MACOSX/._rows", *more):
            file.writestr(name, data)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("rows.jsonl", LINES),
        ("rows.txt", LINES),
        ("rows.json", ARRAY),
        ("rows.json", LINES),
        ("rows.jsonl", ARRAY),
        ("rows.csv", table(",")),
        ("rows.tsv", table("\t")),
    ],
)
@pytest.mark.parametrize(
    ("suffix", "pack"),
    [("", bytes), (".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress), (".zip", zipped)],
)
def test_texts_stay_as_they_are(
    tmp_path: Path, name: str, data: bytes, suffix: str, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / (name + suffix)
    path.write_bytes(pack(data))
    assert [row for _, row in read_rows_of(path)] == ROWS


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffa;b\r\n1,5;x\r\n;\r\n2;y\r\n",  # as Excel saves it where the comma is the decimal point
        "a\tb\n1,5\tx\n2\ty\n",
        '\n"a",b,,\n"1,5",x,,\n,,,\n2,y\n',  # columns without a name, empty rows
        ' a , b \r"1,5",x\r2,y\r',
    ],
)
def test_tables_as_spreadsheets_write_them(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(text.encode())
    assert [row for _, row in read_rows_of(path)] == [{"a": "1,5", "b": "x"}, {"a": "2", "b": "y"}]


@pytest.mark.parametrize(
    ("names", "read"),
    [
        (["no", "yes"], ["yes", "no", -1, None]),
        (["1", "2"], [1, 0, -1, None]),
        (["a", "b"], [1, 0, -1, None]),
    ],
)
def test_a_class_label_is_its_name_unless_that_only_counts(
    tmp_path: Path, names: list[str], read: list[object]
) -> None:
    features = Features({"answer": ClassLabel(names=names)})
    Dataset.from_dict({"answer": [1, 0, -1, None]}, features=features).to_parquet(tmp_path / "rows.parquet")
    rows = [row for _, row in read_rows_of(tmp_path / "rows.parquet")]
    assert rows == [{"answer": value} for value in read]


@pytest.mark.parametrize("name", ["rows.parquet", "rows.arrow"])
def test_tables_of_datasets_are_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    saved = Dataset.from_list(ROWS)
    if name.endswith("parquet"):
        saved.to_parquet(str(path))
    else:
        saved.save_to_disk(str(tmp_path / "saved"))
        path = next((tmp_path / "saved").glob("*.arrow"))
    assert [row for _, row in read_rows_of(path)] == ROWS


@pytest.mark.parametrize(
    ("name", "data", "lines"),
    [("rows.jsonl", LINES, [1, 2]), ("rows.json", ARRAY, [2, 8]), ("rows.csv", table(","), [2, 3])],
)
def test_a_row_has_its_line(tmp_path: Path, name: str, data: bytes, lines: list[int]) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert [place.line for place, _ in read_rows_of(path)] == lines


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "cp1252", "utf-8-sig"])
def test_an_encoding_is_named_by_a_key(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(LINES.decode().encode(encoding))
    assert [row for _, row in read_rows_of(path, encoding)] == ROWS


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("rows.jsonl", LINES.decode().encode("utf-16"), "1: not utf-8: it begins as UTF-16 does"),
        ("rows.jsonl", LINES.decode().encode("utf-16"), "write data.encoding: utf-16"),
        ("rows.jsonl", b'{"a": 1}\n{"a": "\xe9"}\n', "2: byte 16 of the file is not utf-8; write the"),
        ("rows.csv", b"a,a\n1,2\n", "1: two columns have the same name: a, a"),
        ("rows.csv", b"a|b\n1|2\n", "1: the header is one column; separate columns by commas"),
        ("rows.csv", gzip.compress(b"a,b", mtime=0), ": is compressed with gzip; end its name with .gz"),
        ("rows.xlsx", zipped(b"a,b"), ": is an Excel workbook or a zip archive; save the sheet as CSV"),
        ("rows.txt", b"a,b\n1,2\n", "1: neither JSON Lines nor a JSON array; the name of a table ends with"),
        ("rows.json", b'{"data":\n[]}', "1: the first JSON object is written over several lines; write each"),
        ("rows.jsonl", LINES.decode().encode("utf-16-le"), "write data.encoding: utf-16-le"),
        ("rows.jsonl", LINES.decode().encode("utf-16-be"), "write data.encoding: utf-16-be"),
        ("rows.csv", b"\x28\xb5\x2f\xfd", ": is compressed with Zstandard, which is not read; compress it"),
        ("rows.csv.zip", zipped(b"a,b\n1,2\n", "b.csv"), "the archive holds 2 files; pack the one that is"),
        ("rows.csv.gz", b"no gzip", ": cannot be unpacked"),
        ("rows.parquet", b"no parquet", ": not parquet"),
        ("rows.arrow", b"no arrow", ": not arrow"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_one_mistake(
    tmp_path: Path, name: str, data: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(FileError) as caught:
        list(read_rows_of(path))
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-16", "UTF_16_LE", "utf-32"])
@pytest.mark.parametrize("more", ["", " "])  # an even number of bytes may be read as UTF-16 too
def test_a_file_in_utf_8_says_so_where_another_encoding_is_named(
    tmp_path: Path, encoding: str, more: str
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": "é"}' + more, encoding="utf-8")
    with pytest.raises(FileError, match=f"is UTF-8, not {encoding}; write data.encoding: utf-8"):
        list(read_rows_of(path, encoding))


@pytest.mark.parametrize(
    ("name", "text", "line", "message"),
    [
        ("rows.csv", "a,b\n1,2\n1,2,3\n", 3, "the row has 3 fields, the header 2; put a text that holds ','"),
        ("rows.csv", "a,b\n1,2\n1\n", 3, "the row has 1 field, the header 2; write every field"),
        ("rows.csv", 'a,b\n"1" x,2\n', 2, "a quote in it is doubled"),
        ("rows.jsonl", '{"a": 1},\n', 1, "not JSON: Extra data at character 9; write one object a line"),
        ("rows.csv", 'a,b\n"1,2\n', 2, "not a table: unexpected end of data"),
        ("rows.json", '[{"a": 1},\n{"a": }]', 2, "not JSON: Expecting value"),
        ("rows.json", '[{"a": 1}\n{"a": 2}]', 1, "not JSON: expected ',' or ']'"),
        ("rows.json", '[{"a": 1}] x', 1, "not JSON: there is more after the array"),
        ("rows.json", "[{}, 3]", 1, "expected a JSON object"),
        ("rows.json", "[{},", 1, "not JSON: Expecting value"),
    ],
)
def test_a_row_that_cannot_be_read_is_a_mistake_at_its_line(
    tmp_path: Path, name: str, text: str, line: int, message: str
) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    wrong = [(place.line, row) for place, row in read_rows_of(path) if isinstance(row, RowError)]
    assert [(place, message in row.text) for place, row in wrong] == [(line, True)]
