"""Loading items: from JSON Lines beside the task, from a mirror in the data folder, or from the hub."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from bench.config import line_of
from bench.errors import FileError, Mistake, Unavailable, UsageError, one_line
from bench.folders import display, is_file, read_text
from bench.inputs.hub import hub_errors, repository
from bench.inputs.rows import Row, RowError, row_to_item
from bench.inputs.task import Columns, FilesData, HubData, Role, TaskFile
from bench.types import Item


@dataclass(frozen=True, slots=True)
class Place:
    """The file and line of a row, for messages; on the hub the row's number."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Split:
    """The items of one split, the place of each, and their `items_digest`.

    `source` describes where they were loaded from; `mirrored` ones come from a file in the data folder.
    """

    name: str
    items: tuple[Item, ...]
    places: tuple[Place, ...]
    source: str
    sha256: str
    mirrored: bool = False


def data_folder(given: Path | None) -> Path | None:
    """The folder of mirror files: `given` (`--data-dir`), else BENCH_DATA_DIR, else None.

    Raises a UsageError where it does not exist.
    """
    named = given or (Path(env) if (env := os.environ.get("BENCH_DATA_DIR")) else None)
    if named is not None and not named.is_dir():
        raise UsageError(
            f"the data folder {named} does not exist; give --data-dir or BENCH_DATA_DIR a folder"
        )
    return named


def needs_hub(file: TaskFile, data_dir: Path | None) -> bool:
    """Whether any split of the task must be loaded from the hub."""
    data = file.task.data
    if isinstance(data, FilesData):
        return False
    return any(_mirror(data, name, data_dir) is None for name in data.splits.names())


def _mirror(data: HubData, name: str, data_dir: Path | None) -> Path | None:
    path = data_dir / data.mirror[name] if data_dir and name in data.mirror else None
    return path if path and is_file(path) else None


def load_split(file: TaskFile, role: Role, *, data_dir: Path | None, offline: bool) -> Split | None:
    """The split that plays a role, or None where the task names no split for it.

    Raises a FileError with the mistakes of all rows, and Unavailable when the data are not on this
    machine and cannot be downloaded.
    """
    data = file.task.data
    name = cast("str | None", getattr(data.splits, role))
    if name is None:
        return None
    match data:
        case FilesData():
            path = file.path.parent / data.files[name]
            if not is_file(path):
                place = display(file.path), line_of(file.path, ("data", "files", name))
                raise FileError([Mistake(*place, f"data.files.{name}", f"there is no file {display(path)}")])
            return _split(name, path.name, _json_lines(path), data.columns)
        case HubData():
            mirror = _mirror(data, name, data_dir)
            if mirror:
                split = _split(name, mirror.name, _json_lines(mirror), Columns(id="id"))
                return replace(split, mirrored=True)
            source = f"{data.hub}[{name}]"
            return _split(name, source, _hub_rows(data, name, source, offline=offline), data.columns)


def read_rows(path: Path) -> Split:
    """The items of a JSON Lines file in the common form (id, question, options, answer).

    Raises a UsageError where there is no such file, and a FileError with the mistakes of all rows.
    """
    if not is_file(path):
        raise UsageError(f"there is no file {path}")
    return _split(path.stem, path.name, _json_lines(path), Columns(id="id"))


def first_rows(split: Split, limit: int | None) -> Split:
    """The split cut to its first `limit` items; unchanged without a limit."""
    if limit is None or limit >= len(split.items):
        return split
    items = split.items[:limit]
    return replace(split, items=items, places=split.places[:limit], sha256=items_digest(items))


def _split(name: str, source: str, rows: Iterable[tuple[Place, Row | RowError]], columns: Columns) -> Split:
    rows_by_id: dict[str, tuple[Item, Place]] = {}
    mistakes: list[tuple[Place, RowError]] = []
    for number, (place, row) in enumerate(rows):
        try:
            item = row_to_item(row, columns, f"{name}-{number:05d}")
            if item.id in rows_by_id:
                first = rows_by_id[item.id][1].line
                raise RowError(columns.id or "id", f"'{item.id}' is also the id of line {first}")
        except RowError as error:
            mistakes.append((place, error))
        else:
            rows_by_id[item.id] = item, place
    if mistakes:
        raise FileError(_distinct(mistakes))
    if not rows_by_id:
        raise FileError([Mistake(source, 0, "", f"split '{name}' has no items")])
    items, places = zip(*rows_by_id.values(), strict=True)
    return Split(name=name, items=items, places=places, source=source, sha256=items_digest(items))


def _distinct(mistakes: Sequence[tuple[Place, RowError]]) -> list[Mistake]:
    """Each distinct mistake once, at its first row, with the number of further rows that have it."""
    rows = Counter((error.key, error.text) for _, error in mistakes)
    first_mistakes: dict[tuple[str, str], Mistake] = {}
    for place, error in mistakes:
        more = rows[error.key, error.text] - 1
        text = error.text + (f" (and in {more} more rows)" if more else "")
        first_mistakes.setdefault((error.key, error.text), Mistake(place.file, place.line, error.key, text))
    return list(first_mistakes.values())


def items_digest(items: Iterable[Item]) -> str:
    """SHA-256 over the items' questions, options, answers and groups, in order.

    Ids are left out, because a mirror may number the same questions differently.
    """
    digest = hashlib.sha256()
    for item in items:
        line = json.dumps([item.question, item.options, item.answer, item.group], ensure_ascii=False)
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()


def _json_lines(path: Path) -> Iterator[tuple[Place, Row | RowError]]:
    file = display(path)
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, object_pairs_hook=_object)
        except (ValueError, RecursionError) as error:
            yield Place(file, number), RowError("", f"not JSON: {error}")
            continue
        is_object = isinstance(row, dict)
        yield Place(file, number), cast("Row", row) if is_object else RowError("", "expected a JSON object")


def shared_questions(test: Split, other: Split) -> list[Mistake]:
    """A mistake for each row of `other` whose question and options are also in the test split."""
    tested = {_content(item) for item in test.items}
    pairs = zip(other.places, other.items, strict=True)
    text = f"is also in the {test.name} split, which is scored"
    return [
        Mistake(place.file, place.line, f"item {item.id}", text)
        for place, item in pairs
        if _content(item) in tested
    ]


def _content(item: Item) -> str:
    return " ".join(item.question.casefold().split()) + "\n" + "\n".join(sorted(item.options))


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    row = dict(pairs)
    if len(row) < len(pairs):
        raise ValueError("a key is given twice")
    return row


def _hub_rows(data: HubData, name: str, source: str, *, offline: bool) -> Iterator[tuple[Place, Row]]:
    # Imported here: `datasets` takes over a second.
    from datasets import DownloadConfig, load_dataset
    from datasets.exceptions import DatasetGenerationError

    try:
        rows = load_dataset(
            data.hub,
            data.config,
            split=name,
            revision=data.revision,
            download_config=DownloadConfig(local_files_only=offline),
        )
    except DatasetGenerationError as error:
        cause = error.__cause__ or error
        reason = f"data set {source} cannot be read: {one_line(cause)}"
        raise Unavailable(reason, "download it again, or correct data in the task file") from error
    except hub_errors() as error:  # not cached, no such set, no such split, or not an answer of the hub
        if not offline:
            _check_hub(data)
            reason = f"data set {source} cannot be loaded: {one_line(error)}"
            raise Unavailable(reason, "check data in the task file") from error
        remedy = "run once while the hub can be reached"
        if name in data.mirror:
            remedy = f"put {data.mirror[name]} in a folder and pass it as --data-dir, or {remedy}"
        raise Unavailable(f"data set {source} is not on this machine", remedy) from error
    for number, row in enumerate(cast("Iterable[Row]", rows)):
        yield Place(source, number), row


def _check_hub(data: HubData) -> None:
    """Raises Unavailable where the hub does not give the data set; `datasets` does not say why."""
    if not Path(data.hub).is_dir():
        repository(data.hub, kind="data set", revision=data.revision)
