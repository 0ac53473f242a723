"""The items of a split: its rows from files, from a mirror in the data folder, or from the hub."""

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import cast

from bench.config import line_of
from bench.errors import FileError, Mistake, UsageError
from bench.folders import display, is_file
from bench.inputs.hub_rows import hub_rows
from bench.inputs.items import Part, ReadItem, ReadSplit, content_of, read_items, sample, sample_notes
from bench.inputs.odd_rows import Odd, OddKind, OddRows, count_odd, odd_warnings, with_counts
from bench.inputs.paths import MISSING, Row, find_value
from bench.inputs.readers import Place, read_rows_of
from bench.inputs.row_error import RowError
from bench.inputs.rows import missing_columns
from bench.inputs.task import TaskFile
from bench.inputs.task_data import Columns, FilesData, HubData, Reading, Sample
from bench.inputs.where import where_of
from bench.types import Item, Role
from bench.wording import counted

COMMON_FORM = Columns(id="id")
"""The columns of files that are not in a data set's own form: id, question, options and answer."""


@dataclass(frozen=True, slots=True)
class Split:
    """The items of one split, the place of each, and their `items_digest`.

    `source` describes where they were loaded from; `mirrored` ones come from a file in the data folder.
    `odd` counts its odd rows, and `notes` are other warnings.
    """

    name: str
    items: tuple[Item, ...]
    places: tuple[Place, ...]
    source: str
    sha256: str
    mirrored: bool = False
    odd: Odd = field(default_factory=dict[OddKind, OddRows])
    notes: tuple[str, ...] = ()

    def warnings(self) -> list[str]:
        """What a reader of the numbers should know about these rows, a sentence each."""
        return [*odd_warnings(self.odd), *self.notes]


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
    return any(not _mirrors(data, name, data_dir) for name in data.splits.names())


def _mirrors(data: HubData, name: str, data_dir: Path | None) -> list[tuple[str, Path]]:
    """The configurations of a split with the files that stand in for them; empty unless all are there."""
    if data_dir is None or name not in data.mirror:
        return []
    mirror = data.mirror[name]
    paths = [(config, data_dir / mirror.replace("{config}", config)) for config in data.configs]
    paths = paths or [("", data_dir / mirror.replace("{config}", data.config or ""))]
    return paths if all(is_file(path) for _, path in paths) else []


def load_split(file: TaskFile, role: Role, *, data_dir: Path | None, offline: bool) -> Split | None:
    """The split that plays a role, or None where the task names no split for it.

    Raises a FileError with the mistakes of all rows, and Unavailable when the data are not on this
    machine and cannot be downloaded.
    """
    data = file.task.data
    name = cast("str | None", getattr(data.splits, role))
    if name is None:
        return None
    drawn = data.sample if role == "test" else None
    match data:
        case FilesData():
            path = _existing(file, data, name)
            parts = [("", read_rows_of(path, data.encoding))]
            read = _split(file, name, display(path), parts, data, drawn)
            odd = with_counts(read.odd, data.odd_rows.get(name, {}), data.rows)
            return replace(read, source=path.name, odd=odd, notes=data.warnings.get(name, read.notes))
        case HubData():
            if mirrors := _mirrors(data, name, data_dir):
                return _mirrored(file, name, mirrors, data, drawn)
            source = f"{data.hub}[{name}]"
            configs = data.configs or (data.config,)
            named = [(config or "", hub_rows(data, config, name, offline=offline)) for config in configs]
            parts = named if data.configs else [("", rows) for _, rows in named]
            return _split(file, name, source, parts, data, drawn)


def _existing(file: TaskFile, data: FilesData, name: str) -> Path:
    path = file.path.parent / data.files[name]
    if is_file(path):
        return path
    text = f"there is no file {display(path)}; paths start at the task file's folder"
    if os.path.isdir(path):  # noqa: PTH112 (False for a name that no file can have)
        text = f"{display(path)} is a folder; name one file"
    place = display(file.path), line_of(file.path, ("data", "files", name))
    raise FileError([Mistake(*place, f"data.files.{name}", text)])


def _mirrored(
    file: TaskFile, name: str, mirrors: Sequence[tuple[str, Path]], data: HubData, drawn: Sample | None
) -> Split:
    """A split from mirror files, which have the columns of the data set or are in the common form."""
    parts = [(config, list(read_rows_of(path))) for config, path in mirrors]
    first = next((row for _, rows in parts for _, row in rows), None)
    reading = data if first is None or isinstance(first, RowError) else _reading_of(first, data)
    source = ", ".join(path.name for _, path in mirrors)
    return replace(_split(file, name, source, parts, reading, drawn), mirrored=True)


def _reading_of(row: Row, data: HubData) -> Reading:
    """How a mirror file with this row is read; what the task says of other columns holds in both forms."""
    columns = data.columns
    asked = Columns(question=columns.question, options=columns.options, answer=columns.answer)
    if not missing_columns(row, asked) or missing_columns(row, Columns()):
        return data
    kept = {"id": "id" if "id" in row else None, "group": columns.group, "extra": columns.extra}
    # A mirror that was made before its task named clusters goes on being read.
    has_clusters = columns.cluster and find_value(row, columns.cluster) is not MISSING
    kept |= {"cluster": columns.cluster if has_clusters else None}
    common = COMMON_FORM.model_copy(update=kept)
    return Reading(columns=common, where=data.where, empty_options=data.empty_options, rows=data.rows)


def read_rows(path: Path) -> Split:
    """The items of a file in the common form (id, question, options, answer).

    Raises a UsageError where there is no such file, and a FileError with the mistakes of all rows.
    """
    if not is_file(path):
        raise UsageError(f"there is no file {path}")
    reading = Reading(columns=COMMON_FORM)
    parts = [("", read_rows_of(path))]
    read = read_items(path.stem, parts, reading, where_of({}, path.parent, ""), path.name)
    return _of_items(path.stem, path.name, read, read.items, reading)


def _split(
    file: TaskFile, name: str, source: str, parts: Sequence[Part], reading: Reading, drawn: Sample | None
) -> Split:
    where = where_of(reading.where, file.path.parent, display(file.path))
    read = read_items(name, parts, reading, where, source)
    if 2 * read.listed > len(read.items) and "options" in file.task.prompt:
        twice = (
            f"all options already stand in the text of {counted(read.listed, 'question')}, then shown "
            "twice; cut them off with data.question_until"
        )
        read = replace(read, notes=(*read.notes, twice))
    if drawn:
        read = replace(read, notes=(*read.notes, *sample_notes(len(read.items), drawn)))
    return _of_items(name, source, read, sample(read.items, drawn) if drawn else read.items, reading)


def _of_items(name: str, source: str, read: ReadSplit, kept: Sequence[ReadItem], reading: Reading) -> Split:
    items = tuple(each.item for each in kept)
    return Split(
        name=name,
        items=items,
        places=tuple(each.place for each in kept),
        source=source,
        sha256=items_digest(items),
        odd=count_odd([*read.dropped, *chain.from_iterable(each.odd for each in kept)], reading.rows),
        notes=read.notes,
    )


def first_rows(split: Split, limit: int | None) -> Split:
    """The split cut to its first `limit` items; unchanged without a limit."""
    if limit is None or limit >= len(split.items):
        return split
    items = split.items[:limit]
    return replace(split, items=items, places=split.places[:limit], sha256=items_digest(items))


def items_digest(items: Iterable[Item]) -> str:
    """SHA-256 over the items' questions, options, answers, groups and extra columns, in order.

    Ids are left out, because a mirror may number the same questions differently, and clusters, because they
    change no answer.
    """
    digest = hashlib.sha256()
    for item in items:
        parts = [item.question, item.options, item.answer, item.group]
        line = json.dumps([*parts, item.extra] if item.extra else parts, ensure_ascii=False)
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()


def shared_questions(test: Split, other: Split) -> list[Mistake]:
    """A mistake for each row of `other` whose question and options are also in the test split."""
    tested = {content_of(item) for item in test.items}
    pairs = zip(other.places, other.items, strict=True)
    text = f"is also in the {test.name} split, which is scored"
    return [
        Mistake(place.file, place.line, f"item {item.id}", text)
        for place, item in pairs
        if content_of(item) in tested
    ]
