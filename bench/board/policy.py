"""A policy: a YAML file with what a model has to be, for `bench gate`. Read strictly."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from bench.board.limits import Limits, read_bytes, read_joules, read_seconds
from bench.config import Strict, read_yaml
from bench.errors import UsageError, did_you_mean
from bench.inputs.suite import TaskWeights
from bench.numbers import Amount, Count, Share
from bench.value_words import shown

GUESSING = "guessing"
"""What stands for guessing where a model's name may stand."""


def _reader(read: Callable[[str], float]) -> BeforeValidator:
    """Reads a value with its unit, as the options of `bench pick` do."""

    def value(raw: object) -> float:
        try:
            return read(raw if isinstance(raw, str) else shown(raw))
        except UsageError as error:
            raise ValueError(str(error)) from None

    return BeforeValidator(value)


def _hundredths(raw: object, unit: str, example: str) -> float:
    """ "3 points" -> 0.03."""
    match = re.fullmatch(rf"\s*(\d+(?:\.\d+)?|\.\d+)\s*{unit}\s*", str(raw), re.ASCII)
    value = float(match[1]) / 100 if match else 0.0
    if not 0.0 < value < 1.0:
        what = f"expected a number between 0 and 100 with its unit, such as {example}"
        raise ValueError(f"{what}, not {shown(raw)}")
    return value


Points = Annotated[Share, BeforeValidator(lambda raw: _hundredths(raw, "points?", "'3 points'"))]
Percent = Annotated[Share, BeforeValidator(lambda raw: _hundredths(raw, "%", "'40 %'"))]
Bytes = Annotated[Count | None, _reader(read_bytes)]
Seconds = Annotated[Amount | None, _reader(read_seconds)]
Joules = Annotated[Amount | None, _reader(read_joules)]
Text = Annotated[str, Field(min_length=1)]
Tasks = Annotated[tuple[Text, ...], Field(min_length=1)]


class _Requirement(Strict):
    name: Text


class _OnTasks(_Requirement):
    """`tasks` are some of the policy's; None for all of them."""

    tasks: Tasks | None = None


class _Compared(_OnTasks):
    """With `each_task`, it has to hold on each task, and not only for the score across them."""

    each_task: bool = False


class NotWorse(_Compared):
    """Not worse than another model by the margin or more: non-inferiority."""

    not_worse_than: Text
    margin: Points


class Equivalent(_Compared):
    """Neither better nor worse than another model by the margin or more."""

    equivalent_to: Text
    margin: Points


class Better(_Compared):
    """Better than another model, or than guessing."""

    better_than: Text


class LeastAccuracy(_OnTasks):
    """At least this share of right answers, on each task."""

    accuracy_at_least: Percent


class MostUnread(_OnTasks):
    """At most this share of questions without an answer that could be read, on each task."""

    unread_at_most: Percent


class Costs(_Requirement):
    """Limits in the units of `bench pick`: `latency` is the median, `p95` the time of 95 of 100 answers."""

    memory: Bytes = None
    latency: Seconds = None
    p95: Seconds = None
    disk: Bytes = None
    energy: Joules = None
    license: Text = ""

    @model_validator(mode="after")
    def _has_a_limit(self) -> "Costs":
        if self.limits == Limits():
            raise ValueError("needs a limit, such as memory: 4GB")
        return self

    @property
    def limits(self) -> Limits:
        return Limits(
            memory=self.memory,
            p50=self.latency,
            p95=self.p95,
            disk=self.disk,
            joules=self.energy,
            licence=self.license,
        )

    @property
    def depend_on_machine(self) -> bool:
        costs = self.memory, self.latency, self.p95, self.energy
        return any(cost is not None for cost in costs)


_KINDS: Mapping[str, str] = {
    key: f"{key} requirement"
    for key in ("not_worse_than", "equivalent_to", "better_than", "accuracy_at_least", "unread_at_most")
} | dict.fromkeys(("memory", "latency", "p95", "disk", "energy", "license"), "memory requirement")
"""A key that a requirement needs, and the tag of its kind, which begins with a key of the kind."""


def _kind(raw: Any) -> str | None:
    """The kind by the first key that has one, else by one that is nearly right."""
    if isinstance(raw, Strict):
        return next(_KINDS[key] for key in type(raw).model_fields if key in _KINDS)
    if not isinstance(raw, dict):
        return None
    keys = [str(key) for key in cast("dict[object, object]", raw)]
    near = [key for word in keys for key in _KINDS if did_you_mean(word, [key])]
    return next((_KINDS[key] for key in (*keys, *near) if key in _KINDS), None)


def _one_object(raw: object) -> object:
    """Refuses what is no object, and two requirements in one."""
    if isinstance(raw, Strict):
        return raw
    if not isinstance(raw, dict):
        raise ValueError(f"write a requirement as {_EXAMPLE}, not {shown(raw)}")
    keys = [key for key in cast("dict[str, object]", raw) if key in _KINDS]
    first = next((key for key in keys if _KINDS[key] != _KINDS[keys[0]]), None)
    if first:
        raise ValueError(f"{keys[0]} and {first} are two requirements: write each with a name of its own")
    return cast("object", raw)


def _listed(raw: object) -> object:
    if isinstance(raw, (list, tuple)) and raw:
        return cast("object", raw)
    raise ValueError(f"write a list of requirements, such as - {_EXAMPLE}, not {shown(cast('object', raw))}")


_EXAMPLE = "{name: small, memory: 4GB}"
Comparison = NotWorse | Equivalent | Better
OnAnswers = Comparison | LeastAccuracy | MostUnread
"""What only a statistical test of the answers can show."""
Requirement = OnAnswers | Costs
_Tagged = Annotated[
    Annotated[NotWorse, Tag("not_worse_than requirement")]
    | Annotated[Equivalent, Tag("equivalent_to requirement")]
    | Annotated[Better, Tag("better_than requirement")]
    | Annotated[LeastAccuracy, Tag("accuracy_at_least requirement")]
    | Annotated[MostUnread, Tag("unread_at_most requirement")]
    | Annotated[Costs, Tag("memory requirement")],
    Discriminator(
        _kind, custom_error_type="requirement", custom_error_message=f"needs one of {', '.join(_KINDS)}"
    ),
    BeforeValidator(_one_object),
]


class Policy(Strict):
    """A policy file's contents. `model` is a card's name, NAME/VARIANT, or the beginning of a run's id.

    `machine` is where costs count: `this`, or a machine's name or a part of it; "" where all runs of the
    model were made on one.
    """

    title: str = ""
    model: Text
    tasks: TaskWeights | None = None
    suite: str | None = None
    machine: str = ""
    requirements: Annotated[tuple[_Tagged, ...], BeforeValidator(_listed), Field(max_length=100)]

    @model_validator(mode="after")
    def _has_tasks(self) -> "Policy":
        if (self.tasks is None) == (self.suite is None):
            raise ValueError("needs either tasks, a list of names, or suite, the name of one")
        return self


def read_policy(path: Path) -> Policy:
    """Read a policy; raises a FileError with all its mistakes."""
    return read_yaml(path, Policy)


def reference_of(requirement: Requirement) -> tuple[str, str]:
    """The key that names another model, and the name; ("", "") where there is none."""
    match requirement:
        case NotWorse(not_worse_than=name):
            return "not_worse_than", name
        case Equivalent(equivalent_to=name):
            return "equivalent_to", name
        case Better(better_than=name) if name != GUESSING:
            return "better_than", name
        case _:
            return "", ""
