"""The values of a task's keys that need more than a type: bounds, templates, names, exemplars."""

from collections.abc import Collection
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, ValidationInfo

from bench.errors import there_are
from bench.inputs.prompts import ExemplarChoice, system_problems, template_problems
from bench.stats.metrics import EVALUATE, METRICS

ExemplarCount = Annotated[int, Field(ge=0, le=100)]
SampleCount = Annotated[int, Field(ge=1, le=100)]
Temperature = Annotated[float, Field(ge=0, le=10)]
NewTokens = Annotated[int, Field(ge=1, le=32768)]


def _installed_metric(name: str) -> str:
    known = METRICS.names()
    if name in known or (name.startswith(EVALUATE) and name != EVALUATE):
        return name
    raise ValueError(f"no metric is named '{name}'{there_are(name, [*known, f'{EVALUATE}PATH'])}")


MetricName = Annotated[str, AfterValidator(_installed_metric)]
"""A name in `METRICS`, or `evaluate:` with a local path or an id of the evaluate library."""


def checked_template(prompt: str, extra: Collection[str] | None) -> str:
    """The template; raises a ValueError with its mistakes.

    `extra` are the task's own variables; None allows any.
    """
    if problems := template_problems(prompt, extra):
        raise ValueError("; ".join(problems))
    return prompt


CHECKED = "checked"
"""The context of a validation of values that were checked before: templates are not parsed again."""


def _checked_prompt(prompt: str, info: ValidationInfo) -> str:
    return prompt if info.context == CHECKED else checked_template(prompt, None)


def _checked_system(text: str, info: ValidationInfo) -> str:
    if info.context == CHECKED:
        return text
    if problems := system_problems(text):
        raise ValueError("; ".join(problems))
    return text


def _id(raw: Any) -> Any:
    """An id as it is in an item: a whole number is a text."""
    return str(raw) if isinstance(raw, int) and not isinstance(raw, bool) else raw


PromptTemplate = Annotated[str, AfterValidator(_checked_prompt)]
"""A template; its variables are checked with the task, which may add some."""
SystemText = Annotated[str, AfterValidator(_checked_system)]
"""A text, or a template of the group."""
ExemplarIds = Annotated[tuple[Annotated[str, BeforeValidator(_id)], ...], Field(min_length=1, max_length=100)]
Shown = Annotated[
    Annotated[ExemplarChoice, Tag("a word")] | Annotated[ExemplarIds, Tag("a list")],
    Discriminator(lambda raw: "a list" if isinstance(raw, list | tuple) else "a word"),
]
"""How exemplars are chosen, or the ids of those that are shown."""
