"""Every number of a model that is read from a file is finite and bounded."""

import importlib
import pkgutil
import typing
from collections.abc import Iterator
from typing import Any

import annotated_types as at
import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

import bench
import leaderboard
from bench.numbers import MOST, Amount, Count, Positive, PositiveReal, Real, Scalar, Share, Whole

UNBOUNDED = {
    ("_Entry", "stamp"): "times and inodes of files as the system gives them; compared, never shown",
}


def _models() -> set[type[BaseModel]]:
    for package in (bench, leaderboard):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    todo, models = [BaseModel], set[type[BaseModel]]()
    for model in todo:
        todo += model.__subclasses__()
        if model.__module__.split(".")[0] in ("bench", "leaderboard"):
            models.add(model)
    return models


def _numbers(annotation: Any, metadata: tuple[Any, ...] = ()) -> Iterator[list[Any]]:
    """What bounds each int and float in an annotation."""
    if typing.get_origin(annotation) is typing.Annotated:
        inner, *more = typing.get_args(annotation)
        yield from _numbers(inner, (*metadata, *more))
        return
    if annotation in (int, float):
        parts = (meta.metadata if isinstance(meta, FieldInfo) else [meta] for meta in metadata)
        yield [bound for bounds in parts for bound in bounds]
    for part in typing.get_args(annotation):
        if not isinstance(part, (str, int)):
            yield from _numbers(part, metadata if typing.get_origin(annotation) is not dict else ())


def _is_bounded(bounds: list[Any]) -> bool:
    low = any(isinstance(bound, (at.Ge, at.Gt)) for bound in bounds)
    high = any(isinstance(bound, (at.Le, at.Lt)) for bound in bounds)
    return low and high  # NaN is in no bounds


def test_every_number_of_a_file_is_bounded():
    unbounded = [
        f"{model.__module__}.{model.__qualname__}.{name}"
        for model in _models()
        for name, field in model.model_fields.items()
        for bounds in _numbers(field.annotation, tuple(field.metadata))
        if not _is_bounded(bounds) and (model.__name__, name) not in UNBOUNDED
    ]
    assert sorted(unbounded) == []


HUGE = 10**400


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (Whole, (-5, 0, MOST), (HUGE, -HUGE, 0.5, "x")),
        (Count, (0, MOST), (-1, HUGE)),
        (Positive, (1,), (0, HUGE)),
        (Real, (-1.5, 0.0), (float("nan"), float("inf"), -float("inf"), HUGE, 1e300)),
        (Amount, (0.0, 1e-300), (float("nan"), float("inf"), -1e-9, HUGE)),
        (PositiveReal, (0.1,), (0.0, float("nan"), HUGE)),
        (Share, (0.0, 1.0), (1.1, -0.1, float("nan"))),
        (Scalar, ("x", True, 3, 0.5), (HUGE, float("nan"), float("inf"), None)),
    ],
)
def test_numbers_out_of_bounds_are_refused(kind: Any, good: tuple[Any, ...], bad: tuple[Any, ...]):
    adapter = TypeAdapter(kind)
    assert [adapter.validate_python(value) for value in good] == [*good]
    for value in bad:
        with pytest.raises(ValidationError):
            adapter.validate_python(value)
