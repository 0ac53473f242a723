"""Where items come from: JSON Lines beside the task, a mirror in the data folder, or the hub."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from bench.config import line_of
from bench.errors import FileError, Mistake, Unavailable, UsageError, first_line
from bench.folders import display, is_file, read_text
from bench.inputs.rows import Row, RowError, row_to_item
from bench.inputs.task import Columns, FilesData, HubData, Role, TaskFile
from bench.types import Item


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands, for messages."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Split:
    """The items of one split, where each stands, and the SHA-256 of what they say.

    The digest leaves ids out: a mirror may number the same questions otherwise than the hub.
    """

    name: str
    items: tuple[Item, ...]
    places: tuple[Place, ...]
    source: str
    sha256: str
    mirrored: bool = False


def data_folder(given: Path | None) -> Path | None:
    """The folder of mirror files: `--data-dir`, else BENCH_DATA_DIR."""
    named = given or (Path(env) if (env := os.environ.get("BENCH_DATA_DIR")) else None)
    if named is not None and not named.is_dir():
        raise UsageError(
            f"the data folder {named} does not exist; give --data-dir or BENCH_DATA_DIR a folder"
        )
    return named


def needs_hub(file: TaskFile, data_dir: Path | None) -> bool:
    """Whether some split of the task has no file on this machine."""
    data = file.task.data
    if isinstance(data, FilesData):
        return False
    return any(_mirror(data, name, data_dir) is None for name in data.splits.names())


def _mirror(data: HubData, name: str, data_dir: Path | None) -> Path | None:
    path = data_dir / data.mirror[name] if data_dir and name in data.mirror else None
    return path if path and is_file(path) else None


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
    """The items of a JSON Lines file in the common form (id, question, options, answer)."""
    if not is_file(path):
        raise UsageError(f"there is no file {path}")
    return _split(path.stem, path.name, _json_lines(path), Columns(id="id"))


def first_rows(split: Split, limit: int | None) -> Split:
    """The first `limit` items of a split, as a split of their own; the same one without a limit."""
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
    """Over what the items say, in order; their ids are left out, since a mirror may number them otherwise."""
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
        known = isinstance(row, dict)
        yield Place(file, number), cast("Row", row) if known else RowError("", "expected a JSON object")


def shared_questions(test: Split, other: Split) -> list[Mistake]:
    """The other split's rows whose question and options are tested too."""
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
    # Here, not at the top: `datasets` takes over a second to import.
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
        raise FileError([Mistake(source, 0, "", f"cannot be read: {first_line(error)}")]) from error
    except (OSError, ValueError) as error:  # what datasets raises: not cached, no such set, no such split
        if not offline:
            raise Unavailable(
                f"data set {source} cannot be had: {first_line(error)}", "see the task's data"
            ) from error
        remedy = "run once with the hub in reach"
        if name in data.mirror:
            remedy = f"put {data.mirror[name]} in a folder and name it with --data-dir, or {remedy}"
        raise Unavailable(f"data set {source} is not on this machine", remedy) from error
    for number, row in enumerate(cast("Iterable[Row]", rows)):
        yield Place(source, number), row
