"""A task: a YAML file in `tasks/` with where the questions are and how they are asked and scored."""

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, field_validator, model_validator

from bench.config import Name, Strict, check_name, read_yaml
from bench.errors import did_you_mean, there_are
from bench.inputs.prompts import ExemplarChoice, Template, template_problems
from bench.stats.metrics import EVALUATE, METRICS
from bench.types import ViewName
from bench.views import VIEWS

Role = Literal["test", "train", "exemplars"]
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


class Columns(Strict):
    """The column of each part of an item. The defaults are the common form that `docs/data.md` describes."""

    id: str | None = None
    question: str = "question"
    options: str | tuple[str, ...] = "options"
    answer: str = "answer"
    group: str | None = None


class Splits(Strict):
    """Which split plays which role. Only the test split is scored."""

    test: str = "test"
    train: str | None = None
    exemplars: str | None = None

    @model_validator(mode="after")
    def _exemplars_are_not_tested(self) -> Self:
        if self.test in (self.train, self.exemplars):
            raise ValueError(f"exemplars and training items may not come from '{self.test}', the test split")
        return self

    def names(self) -> list[str]:
        """The names of the splits that have a role, sorted, without repeats."""
        return sorted({name for name in (self.test, self.train, self.exemplars) if name is not None})


class FilesData(Strict):
    """JSON Lines files, relative to the task file: `files: {test: my_test.jsonl}`."""

    files: dict[str, str]
    splits: Splits = Splits()
    columns: Columns = Columns()

    @model_validator(mode="after")
    def _splits_have_files(self) -> Self:
        for split in self.splits.names():
            if split not in self.files:
                raise ValueError(f"no file is given for split '{split}'{did_you_mean(split, self.files)}")
        return self


class HubData(Strict):
    """A data set on the hub. `mirror` maps splits to files in the common form that can stand in for them."""

    hub: Annotated[str, Field(pattern=r"^[\w./-]+$")]
    config: str | None = None
    revision: str = "main"
    splits: Splits = Splits()
    columns: Columns = Columns()
    mirror: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _mirrors_are_of_splits(self) -> Self:
        names = self.splits.names()
        for split in sorted(self.mirror.keys() - set(names)):
            raise ValueError(f"mirror: no split is named '{split}'{did_you_mean(split, names)}")
        return self


def _kind(raw: Any) -> str | None:
    if isinstance(raw, HubData) or (isinstance(raw, dict) and "hub" in raw):
        return "hub data"
    if isinstance(raw, FilesData) or (isinstance(raw, dict) and "files" in raw):
        return "files data"
    return None


Data = Annotated[
    Annotated[HubData, Tag("hub data")] | Annotated[FilesData, Tag("files data")],
    Discriminator(
        _kind,
        custom_error_type="data_source",
        custom_error_message="needs 'hub: ORG/NAME' or 'files: {test: FILE.jsonl}'",
    ),
]


class Scoring(Strict):
    """`view` is the one that ranks. Without `letters` the prompt shows no options and only texts are scored.

    `cue` is the prompt without the question whose scores `text_pmi` subtracts.
    """

    view: ViewName = "letter"
    letters: bool = True
    cue: Annotated[str, Field(min_length=1)] = "Answer:"

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


class Generate(Strict):
    """How the model is asked to reason and answer in words, and where generation stops.

    `temperature` 0 is greedy decoding. With `samples` above 1 the most common answer counts
    (self-consistency), which needs a temperature.
    """

    prompt: str
    system: str = ""
    max_new_tokens: NewTokens = 256
    stop: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    temperature: Temperature = 0.0
    samples: SampleCount = 1

    @field_validator("prompt")
    @classmethod
    def _prompt_is_a_template(cls, prompt: str) -> str:
        return _checked_template(prompt)

    @model_validator(mode="after")
    def _samples_differ(self) -> Self:
        if self.samples > 1 and not self.temperature:
            raise ValueError("samples above 1 need a temperature above 0: greedy samples are all the same")
        return self


def _checked_template(prompt: str) -> str:
    if problems := template_problems(prompt):
        raise ValueError("; ".join(problems))
    return prompt


class Task(Strict):
    """A task file's contents. A new `version` marks a change that moves scores."""

    name: Name
    version: Annotated[int, Field(ge=1)]
    title: str
    description: str = ""
    notice: str = ""
    license: str
    data: Data
    prompt: str
    system: str = ""
    scoring: Scoring = Scoring()
    generate: Generate | None = None
    exemplars: ExemplarCount = 0
    exemplar_choice: ExemplarChoice = "fixed"
    metrics: tuple[MetricName, ...] = ("accuracy", "macro_f1")

    @field_validator("prompt")
    @classmethod
    def _prompt_is_a_template(cls, prompt: str) -> str:
        return _checked_template(prompt)

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
        return Template(self.prompt, self.system, "letter" if self.scoring.letters else "option")


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
    """Read one task file; raises a FileError with all its mistakes."""
    task = read_yaml(path, Task)
    check_name(task.name, path)
    return TaskFile(task=task, path=path)
