"""Registries: the rows of this package, and those that installed packages add by entry points.

    [project.entry-points."bench.metrics"]
    brier = "my_package:BRIER"

A row of another package is imported when it is first used, so a broken package breaks only what uses it.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from bench.errors import BenchError, UsageError, named_line, there_are

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Registry(Generic[T]):
    """Everything of one kind that has a name: `own`, by name, and the entry points of `group`.

    `noun` is what messages call a row, and `kind` the class of every row.
    """

    group: str
    noun: str
    kind: type[T]
    own: Mapping[str, T] = field(default_factory=dict[str, T])

    def names(self) -> list[str]:
        """All names, those of this package first. Imports nothing."""
        return [*self.own, *sorted(self._outside().keys() - self.own.keys())]

    def get(self, name: str) -> T:
        """The row of that name.

        Raises a UsageError where there is none, a BenchError where it cannot be loaded.
        """
        if name in self.own:
            return self.own[name]
        point = self._outside().get(name)
        if point is None:
            near = there_are(name, self.names())
            raise UsageError(f"no {self.noun} is named '{name}'{near}; is its package installed?")
        return _load(point, self.noun, self.kind)

    def all(self) -> dict[str, T]:
        """All rows by name, those of this package first. Raises a BenchError where one cannot be loaded."""
        return {name: self.get(name) for name in self.names()}

    def package(self, name: str) -> str:
        """Name and version of the package that adds the row; "" for a row of this package."""
        point = None if name in self.own else self._outside().get(name)
        if point is None or point.dist is None:
            return ""
        return f"{point.dist.name} {point.dist.version}"

    def _outside(self) -> Mapping[str, EntryPoint]:
        return _entry_points(self.group, tuple(sys.path))


@cache
def _entry_points(group: str, _path: tuple[str, ...]) -> Mapping[str, EntryPoint]:
    """The entry points by name; a package cannot replace a row of ours, which come last here.

    Cached for each import path: reading the metadata of all packages takes some milliseconds.
    """
    points = sorted(entry_points(group=group), key=_is_own)
    return {point.name: point for point in points}


def _is_own(point: EntryPoint) -> bool:
    return point.dist is not None and point.dist.name == "slm-bench"


def _load(point: EntryPoint, noun: str, kind: type[T]) -> T:
    try:
        row: object = point.load()
    except Exception as error:  # another package's import may raise anything
        raise BenchError(f"{_described(point, noun)} cannot be loaded: {named_line(error)}") from error
    if not isinstance(row, kind):
        text = f"{_described(point, noun)} is not a {kind.__name__}: {point.value} is a {type(row).__name__}"
        raise BenchError(f"{text}; see CONTRIBUTING.md")
    return row


def _described(point: EntryPoint, noun: str) -> str:
    package = f" of {point.dist.name} {point.dist.version}" if point.dist else ""
    return f"the {noun} '{point.name}'{package}"
