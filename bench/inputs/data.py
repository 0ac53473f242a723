"""Where items come from: JSON Lines beside the task, a mirror in the data folder, or the hub."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from bench.config import display, read_text
from bench.errors import BenchError, FileError, Mistake, Unavailable, did_you_mean
from bench.inputs.task import Columns, FilesData, HubData, Role, TaskFile
from bench.types import LETTERS, Item

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands, for messages."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Split:
    """The items of one split, where they were found, and the SHA-256 of what they say.

    The digest leaves ids out: a mirror may number the same questions otherwise than the hub.
    """

    name: str
    items: tuple[Item, ...]
    source: str
    sha256: str


def data_folder(given: Path | None) -> Path | None:
    """The folder of mirror files: `--data-dir`, else BENCH_DATA_DIR."""
    named = given or (Path(env) if (env := os.environ.get("BENCH_DATA_DIR")) else None)
    if named is not None and not named.is_dir():
        raise BenchError(
            f"the data folder {named} does not exist; give --data-dir or BENCH_DATA_DIR a folder"
        )
    return named


def needs_hub(file: TaskFile, data_dir: Path | None) -> bool:
    """Whether some split of the task has no file on this machine."""
    data = file.task.data
    if isinstance(data, FilesData):
        return False
    names = filter(None, (data.splits.test, data.splits.train, data.splits.exemplars))
    return any(_mirror(data, name, data_dir) is None for name in names)


def _mirror(data: HubData, name: str, data_dir: Path | None) -> Path | None:
    path = data_dir / data.mirror[name] if data_dir and name in data.mirror else None
    return path if path and path.is_file() else None


def load_split(file: TaskFile, role: Role, *, data_dir: Path | None, offline: bool) -> Split | None:
    """The items in that role, or None where the task names no split for it.

    Raises a FileError holding every wrong row, and Unavailable when the data are not here.
    """
    data = file.task.data
    name = cast("str | None", getattr(data.splits, role))
    if name is None:
        return None
    match data:
        case FilesData():
            path = file.path.parent / data.files[name]
            return _split(name, path.name, _json_lines(path), data.columns)
        case HubData():
            mirror = _mirror(data, name, data_dir)
            if mirror:
                return _split(name, mirror.name, _json_lines(mirror), Columns(id="id"))
            source = f"{data.hub}[{name}]"
            return _split(name, source, _hub_rows(data, name, source, offline=offline), data.columns)


def _split(name: str, source: str, rows: Iterable[tuple[Place, Row]], columns: Columns) -> Split:
    items: list[Item] = []
    mistakes: list[Mistake] = []
    seen: dict[str, Place] = {}
    for number, (place, row) in enumerate(rows):
        try:
            item = row_to_item(row, columns, f"{name}-{number:05d}")
        except RowError as error:
            mistakes.append(Mistake(place.file, place.line, error.key, error.text))
            continue
        if item.id in seen:
            text = f"'{item.id}' is also the id of line {seen[item.id].line}"
            mistakes.append(Mistake(place.file, place.line, columns.id or "id", text))
        seen[item.id] = place
        items.append(item)
    if mistakes:
        raise FileError(mistakes)
    if not items:
        raise FileError([Mistake(source, 0, "", f"split '{name}' has no items")])
    return Split(name=name, items=tuple(items), source=source, sha256=_digest(items))


def _digest(items: Iterable[Item]) -> str:
    digest = hashlib.sha256()
    for item in items:
        line = json.dumps([item.question, item.options, item.answer, item.group], ensure_ascii=False)
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()


class RowError(Exception):
    def __init__(self, key: str, text: str) -> None:
        super().__init__(f"{key}: {text}")
        self.key = key
        self.text = text


def row_to_item(row: Row, columns: Columns, default_id: str) -> Item:
    """One row as an item; raises RowError where a column is not there or does not fit.

    `options` is a list, an object {letter: text}, or several columns; `answer` a 0-based index, a
    letter or a key of that object.
    """
    question = _text(row, columns.question)
    letters, options = _options(row, columns.options)
    if not 2 <= len(options) <= len(LETTERS):
        raise RowError(_options_key(columns), f"{len(options)} options; there must be 2 to {len(LETTERS)}")
    return Item(
        id=str(_cell(row, columns.id)) if columns.id else default_id,
        question=question,
        options=options,
        answer=_answer(_cell(row, columns.answer), letters, columns.answer),
        group=str(_cell(row, columns.group) or "") if columns.group else "",
    )


def _cell(row: Row, column: str) -> Any:
    if column not in row:
        raise RowError(
            column, f"no such column; there are {', '.join(sorted(row))}{did_you_mean(column, row)}"
        )
    return row[column]


def _text(row: Row, column: str) -> str:
    value = _cell(row, column)
    if not isinstance(value, str) or not value.strip():
        raise RowError(column, f"expected a text, not {value!r}")
    return value


def _options_key(columns: Columns) -> str:
    return columns.options if isinstance(columns.options, str) else ", ".join(columns.options)


def _options(row: Row, columns: str | tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names an answer may use for the options, and the options' texts."""
    if isinstance(columns, tuple):
        return tuple(LETTERS[: len(columns)]), tuple(_text(row, column) for column in columns)
    value = _cell(row, columns)
    if isinstance(value, Mapping):
        pairs = cast("Mapping[str, object]", value)
        return tuple(map(str, pairs)), _texts(pairs.values(), columns)
    if isinstance(value, (list, tuple)):
        texts = _texts(cast("list[object]", value), columns)
        return tuple(LETTERS[: len(texts)]), texts
    raise RowError(columns, f"expected a list or an object of texts, not {value!r}")


def _texts(values: Iterable[object], column: str) -> tuple[str, ...]:
    texts = tuple(values)
    if wrong := [text for text in texts if not isinstance(text, str)]:
        raise RowError(column, f"expected texts, not {wrong[0]!r}")
    return cast("tuple[str, ...]", texts)


def _answer(value: object, letters: tuple[str, ...], column: str) -> int:
    if isinstance(value, str) and value in letters:
        return letters.index(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(letters):
        return value
    last = len(letters) - 1
    raise RowError(column, f"answer {value!r} is out of range: {', '.join(letters)} or 0 to {last}")


def _json_lines(path: Path) -> Iterator[tuple[Place, Row]]:
    file = display(path)
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise FileError([Mistake(file, number, "", f"not JSON: {error.msg}")]) from error
        if not isinstance(row, dict):
            raise FileError([Mistake(file, number, "", "expected a JSON object")])
        yield Place(file, number), cast("Row", row)


def _hub_rows(data: HubData, name: str, source: str, *, offline: bool) -> Iterator[tuple[Place, Row]]:
    # Here, not at the top: `datasets` takes over a second to import.
    from datasets import DownloadConfig, load_dataset

    try:
        rows = load_dataset(
            data.hub,
            data.config,
            split=name,
            revision=data.revision,
            download_config=DownloadConfig(local_files_only=offline),
        )
    except (OSError, ValueError) as error:  # what datasets raises: not cached, no such set, no such split
        remedy = "run once with the hub in reach"
        if name in data.mirror:
            remedy = f"put {data.mirror[name]} in a folder and name it with --data-dir, or {remedy}"
        raise Unavailable(f"data set {source} is not on this machine", remedy) from error
    for number, row in enumerate(cast("Iterable[Row]", rows)):
        yield Place(source, number), row
