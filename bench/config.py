"""A YAML file -> a strict frozen model, or all its mistakes at once, each with file, line and key."""

import re
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from bench.errors import FileError, Mistake, did_you_mean
from bench.folders import NAME, display, is_file, read_text
from bench.plain_files import real
from bench.value_words import expected, is_of_value, shown
from bench.yaml_text import Location, TooDeep, lines_of, read_yaml_text

M = TypeVar("M", bound=BaseModel)
V = TypeVar("V")

Name = Annotated[str, Field(pattern=f"^{NAME}$", max_length=150)]
"""The name of a task or a model card."""


YAML = 2 * 2**20
"""Bytes that a YAML file may have: what people write has a few thousand."""
LOOKED_AT = 200
"""So many errors of a file are put in words; a message shows fewer."""


class Strict(BaseModel):
    """Base of every model read from a file: frozen, and unknown keys are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class _File:
    """A YAML file as it was read: its name for messages, the line of each key, and its content."""

    name: str
    lines: Mapping[Location, int]
    content: dict[str, Any]
    repeated: tuple[Mistake, ...]


def read_yaml(path: Path, model: type[M], *, may_include: bool = False) -> M:
    """Read and check one file; raises a FileError with all its mistakes.

    With `may_include`, the key `include` names a file, relative to this one, whose keys it takes over: those
    of this file go before them, and objects are put together key by key.
    """
    files = list(_included(path)) if may_include else [_load(path)]
    content: dict[str, Any] = {}
    for file in reversed(files):
        content = _together(content, file.content)
    mistakes = [mistake for file in files for mistake in file.repeated]
    try:
        value = model.model_validate(content)
    except ValidationError as error:
        mistakes += _mistakes(files, model, error.errors()[:LOOKED_AT])
        raise FileError(mistakes) from error
    if mistakes:
        raise FileError(mistakes)
    return value


def _load(path: Path) -> _File:
    text, file = read_text(path, YAML), display(path)
    try:
        read = read_yaml_text(text, file)
    except TooDeep as error:
        raise FileError([Mistake(file, error.line, "", str(error))]) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise FileError([Mistake(file, line, "", f"not YAML: {error.problem}")]) from error
    except yaml.reader.ReaderError as error:
        what = f"not YAML: it has the character #x{error.character:04x}; take it out"
        raise FileError([Mistake(file, text.count("\n", 0, error.position) + 1, "", what)]) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise FileError([Mistake(file, 0, "", f"not YAML: {error}")]) from error
    if not isinstance(read.value, dict):
        raise FileError([Mistake(file, 1, "", f"expected keys and values, {_instead(read.value)}")])
    repeated = tuple(
        Mistake(file, line, ".".join(map(str, key)), "given twice") for key, line in read.repeated
    )
    return _File(file, read.lines, cast("dict[str, Any]", read.value), repeated)


def _instead(value: object) -> str:
    return "and the file has none" if value is None else f"not {shown(value)}"


def _included(path: Path) -> Iterator[_File]:
    """The file, the one that it includes, the one that this includes, and so on."""
    seen: set[Path] = set()
    while True:
        seen.add(real(path))
        file = _load(path)
        name = file.content.pop("include", None)
        yield file
        if name is None:
            return
        place = file.name, file.lines[("include",)], "include"
        if not isinstance(name, str):
            raise FileError([Mistake(*place, f"expected a file's name, not {name!r}")])
        path = path.parent / name
        if not is_file(path):
            raise FileError([Mistake(*place, f"there is no file {display(path)}")])
        if real(path) in seen:
            raise FileError([Mistake(*place, "the file includes itself")])


def _together(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of both; `over` goes before `base`, and objects are put together in the same way."""
    put_together = {
        key: _together(base[key], cast("dict[str, Any]", value))
        for key, value in over.items()
        if isinstance(value, dict) and isinstance(base.get(key), dict)
    }
    return {**base, **over, **put_together}


def read_each(paths: Iterable[Path], read: Callable[[Path], V]) -> tuple[list[V], list[Mistake]]:
    """What can be read, in order, and the mistakes of the files that cannot."""
    values: list[V] = []
    mistakes: list[Mistake] = []
    for path in paths:
        try:
            values.append(read(path))
        except FileError as error:
            mistakes += error.mistakes
    return values, mistakes


def check_name(name: str, path: Path) -> None:
    """Raise a FileError unless the name that a file gives is its own."""
    if name != path.stem:
        text = f"'{name}' must be the file's name, '{path.stem}'"
        raise FileError([Mistake(display(path), line_of(path, ("name",)), "name", text)])


def line_of(path: Path, key: Location) -> int:
    """The line of a key in a valid YAML file, from 1; 0 where the key is missing."""
    return lines_of(read_text(path, YAML)).get(key, 0)


def _mistakes(
    files: Sequence[_File], model: type[BaseModel], details: Sequence[ErrorDetails]
) -> Iterator[Mistake]:
    """A mistake for each error; those of one value are one, and none where one in the value says more."""
    wrong: dict[Location, list[ErrorDetails]] = {}
    for detail in details:
        wrong.setdefault(_key(files, detail), []).append(detail)
    for key, group in wrong.items():
        place = *_place(files, key), ".".join(map(str, key))
        others = [detail for detail in group if not is_of_value(detail)]
        yield from (Mistake(*place, mistake_text(model, detail)) for detail in others)
        if not others and not any(key == longer[: len(key)] for longer in wrong if longer != key):
            yield Mistake(*place, expected(group))


def _key(files: Sequence[_File], detail: ErrorDetails) -> Location:
    """The keys in the file that lead to an error: pydantic's location also holds the types of unions."""
    key: Location = ()
    for part in detail["loc"]:
        for longer in ((*key, part), (*key, str(part))):
            if any(longer in file.lines for file in files):
                key = longer
                break
    if is_of_value(detail) or [*map(str, key[-1:])] == [*map(str, detail["loc"][-1:])]:
        return key
    return (*key, *(part for part in detail["loc"][-1:] if " " not in str(part)))


def _place(files: Sequence[_File], key: Location) -> tuple[str, int]:
    """The file and line of a key, or of the nearest one above it that is there."""
    for end in range(len(key), 0, -1):
        for file in files:
            if key[:end] in file.lines:
                return file.name, file.lines[key[:end]]
    return files[0].name, 1


def mistake_text(model: type[BaseModel], detail: ErrorDetails) -> str:
    """What is wrong with a value, in a few words.

    An unknown word gets the nearest known one. An unknown key gets the place below where it belongs, else
    the nearest known key, else all keys that there are.
    """
    kind, loc = detail["type"], detail["loc"]
    if kind == "extra_forbidden":
        return f"unknown key{_key_hint(_models_at(model, loc[:-1]), str(loc[-1]))}"
    if kind == "missing":
        return "missing"
    if kind == "value_error":
        return str(detail["ctx"]["error"]) if "ctx" in detail else detail["msg"]
    if kind == "literal_error":
        near = did_you_mean(str(detail["input"]), re.findall(r"'([^']*)'", detail["msg"]))
        words = detail.get("ctx", {}).get("expected", "")
        return f"expected {words}, not {shown(detail['input'])}{near}"
    if is_of_value(detail):
        return expected([detail])
    return f"{_lower(detail['msg'])}, not {shown(detail['input'])}"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _key_hint(models: AbstractSet[type[BaseModel]], key: str) -> str:
    """Where an unknown key belongs, or which keys there are."""
    if below := _below(models, key):
        place = ".".join(map(str, below))
        return f": it belongs in {place}: write {place}.{key}"
    known = {name for model in models for name in model.model_fields} - {key}
    return did_you_mean(key, known) or f" (there are {', '.join(sorted(known)) or 'none'})"


def _below(models: AbstractSet[type[BaseModel]], key: str) -> Location:
    """The keys that lead from the models to a nested one that has the key; () where none has."""
    todo: list[tuple[Location, type[BaseModel]]] = [((), model) for model in models]
    for path, model in todo:  # grows: the models that are nearest come first
        if path and key in model.model_fields:
            return path
        todo += [
            ((*path, name), nested)
            for name, field in model.model_fields.items()
            if typing.get_origin(field.annotation) not in (tuple, list, dict)
            for nested in _models_in(field.annotation)
        ]
    return ()


def _models_at(model: type[BaseModel], loc: Location) -> set[type[BaseModel]]:
    """Every model that the annotations allow at `loc`."""
    reached = {model}
    for part in loc:
        if not isinstance(part, str):
            continue
        if " " in part:  # a union's tag, such as "hub source": its first word is a key of the chosen model
            reached = {m for m in reached if part.split()[0] in m.model_fields}
            continue
        fields = [m.model_fields[part] for m in reached if part in m.model_fields]
        reached = {nested for field in fields for nested in _models_in(field.annotation)}
    return reached


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _models_in(part)
