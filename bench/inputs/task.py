"""A task: a YAML file in `tasks/` with where the questions are and how they are asked and scored."""

import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast

from pydantic import Field, ValidationInfo, field_validator, model_validator

from bench.config import Name, Strict, check_name, read_yaml
from bench.errors import Unavailable, there_are
from bench.inputs.formats import OWN, Format, FormatName, LetterForm
from bench.inputs.generate import Generate
from bench.inputs.prompts import LETTER, Template
from bench.inputs.task_data import Data
from bench.inputs.task_values import (
    ExemplarCount,
    MetricName,
    PromptTemplate,
    Shown,
    SystemText,
    checked_template,
)
from bench.numbers import Positive
from bench.types import ProbeName, ViewName
from bench.views import VIEWS


class Scoring(Strict):
    """`view` is the one that ranks. Without `letters` the prompt shows no options and only texts are scored.

    `cue` is the prompt without the question whose scores `text_pmi` subtracts. `letter` is how an answer's
    letter is written; where it is the letter alone, it is in no file and no id.
    """

    view: ViewName = "letter"
    letters: bool = True
    cue: Annotated[str, Field(min_length=1)] = "Answer:"
    letter: LetterForm = Field(default=LETTER, exclude_if=lambda form: form == LETTER)

    @field_validator("view")
    @classmethod
    def _view_is_known(cls, view: ViewName) -> ViewName:
        if view not in VIEWS.names():
            raise ValueError(f"no view is named '{view}'{there_are(view, VIEWS.names())}")
        return view

    @model_validator(mode="after")
    def _view_is_scored(self) -> Self:
        if VIEWS.get(self.view).needs_letters and not self.letters:
            raise ValueError(f"the view '{self.view}' needs letters: true; choose a text view")
        return self


def _extra_variables(info: ValidationInfo) -> Collection[str] | None:
    """The variables that the task adds; None where its data are not valid."""
    data = cast("Data | None", info.data.get("data"))
    return data.columns.extra if data else None


NOTA = "None of the other answers"
NotaText = Annotated[str, Field(max_length=200)]
"""What the probe `nota` puts in place of the right option, in the questions' language; "" for no probe."""


class Task(Strict):
    """A task file's contents. A new `version` marks a change that moves scores."""

    name: Name
    version: Positive
    title: str
    description: str = ""
    notice: str = ""
    license: str
    data: Data
    prompt: PromptTemplate
    system: SystemText = ""
    scoring: Scoring = Scoring()
    generate: Generate | None = None
    exemplars: ExemplarCount = 0
    exemplar_choice: Shown = "fixed"
    exemplars_within: Literal["group"] | None = None
    metrics: tuple[MetricName, ...] = ("accuracy", "macro_f1")
    probes: tuple[ProbeName, ...] = ()
    nota_text: NotaText = NOTA
    formats: dict[FormatName, Format] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _listed_exemplars_are_all_shown(cls, raw: Any) -> Any:
        match raw:
            case {"exemplar_choice": [*ids]} if "exemplars" not in raw and not raw.get("exemplars_within"):
                return raw | {"exemplars": len(ids)}
            case _:
                return raw

    @field_validator("prompt")
    @classmethod
    def _prompt_has_known_variables(cls, prompt: str, info: ValidationInfo) -> str:
        return checked_template(prompt, _extra_variables(info))

    @field_validator("formats")
    @classmethod
    def _formats_have_known_variables(
        cls, formats: dict[str, Format], info: ValidationInfo
    ) -> dict[str, Format]:
        for each in formats.values():
            if each.prompt is not None:
                checked_template(each.prompt, _extra_variables(info))
        return formats

    @field_validator("generate")
    @classmethod
    def _generate_has_known_variables(
        cls, generate: Generate | None, info: ValidationInfo
    ) -> Generate | None:
        if generate:
            checked_template(generate.prompt, _extra_variables(info))
        return generate

    @field_validator("exemplars_within")
    @classmethod
    def _questions_have_groups(cls, within: str | None, info: ValidationInfo) -> str | None:
        data = cast("Data | None", info.data.get("data"))
        if within and data and not data.columns.group and not getattr(data, "configs", ()):
            raise ValueError(
                "questions have no groups: name their column as data.columns.group, or leave it out"
            )
        return within

    @model_validator(mode="after")
    def _listed_exemplars_are_enough(self) -> Self:
        ids = self.exemplar_choice
        if not isinstance(ids, tuple):
            return self
        if twice := next((name for name in ids if ids.count(name) > 1), None):
            raise ValueError(f"exemplar_choice names '{twice}' twice; name each exemplar once")
        if self.exemplars > len(ids):
            raise ValueError(
                f"exemplars is {self.exemplars}, but exemplar_choice names {len(ids)}; name more, or lower it"
            )
        return self

    @model_validator(mode="after")
    def _exemplars_have_a_split(self) -> Self:
        if self.exemplars and not self.data.splits.exemplars:
            raise ValueError(f"exemplars is {self.exemplars}, but data.splits names no exemplars split")
        return self

    def digest(self) -> str:
        """SHA-256 over the task's own keys that can change a number: prompt, system text and scoring.

        Data are digested by split; exemplars and generation belong to the variant.
        """
        content = self.model_dump_json(include={"prompt", "system", "scoring"})
        return hashlib.sha256(content.encode()).hexdigest()

    @property
    def template(self) -> Template:
        """How a question is asked when its options are scored."""
        answers = "letter" if self.scoring.letters else "option"
        return Template(self.prompt, self.system, answers, letter=self.scoring.letter)

    def in_format(self, name: str) -> "Task":
        """The task with another of its prompts; raises Unavailable where it has none of that name.

        All else is the same, so that the two ask the same. `name` may be "own".
        """
        if name == OWN:
            return self
        if name not in self.formats:
            known = there_are(name, self.formats) if self.formats else "; it names none"
            raise Unavailable(f"task {self.name} has no format '{name}'{known}", "correct --formats")
        other = self.formats[name]
        scoring = self.scoring.model_copy(update={"letter": other.letter or self.scoring.letter})
        prompt = self.prompt if other.prompt is None else other.prompt
        system = self.system if other.system is None else other.system
        return self.model_copy(update={"prompt": prompt, "system": system, "scoring": scoring})


class TaskFile(Strict):
    """A task and its file; paths in the task are relative to that file's folder.

    `named` is the command line's name for a task that is not in a `tasks` folder, "" for all others.
    `included` tasks come from a folder given with `--include-path`.
    """

    task: Task
    path: Path
    named: str = ""
    included: bool = False


def read_task(path: Path) -> TaskFile:
    """Read one task file, with those that it includes; raises a FileError with all their mistakes."""
    task = read_yaml(path, Task, may_include=True)
    check_name(task.name, path)
    return TaskFile(task=task, path=path)
