"""The `data` part of a task file: where the rows are, which of them count, and how a row becomes an item."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, cast

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from bench.config import Strict
from bench.errors import did_you_mean
from bench.inputs.odd_rows import OddKind, RowRules
from bench.inputs.prompts import VARIABLES
from bench.numbers import Count, Positive, Scalar
from bench.types import Role

ROLES: tuple[Role, ...] = ("test", "train", "exemplars")
AnswerForm = Literal["name", "index", "text"]
"""How an answer points at an option: by its name or letter, by its number, or by its text."""
Column = Annotated[str, Field(min_length=1)]
"""A column's name, or a path of names with dots between them, such as `context.contexts`."""


class ListOptions(Strict):
    """A column with a list of objects: `text` is the key of an option's text, `name` that of its name."""

    list: Column
    text: Column
    name: Column | None = None


class ParallelOptions(Strict):
    """Two columns with lists of the same length: the options' texts, and their names or letters."""

    text: Column
    name: Column | None = None


class FixedOptions(Strict):
    """The same options for every question: a list of texts, or an object {name: text}."""

    fixed: tuple[str, ...] | dict[str, str]


def _options_form(raw: Any) -> str | None:
    if isinstance(raw, str):
        return "one column"
    if isinstance(raw, (list, tuple)):
        return "several columns"
    fields: object = getattr(cast("object", raw), "__dict__", {})
    keys = cast("Mapping[str, Any]", raw if isinstance(raw, dict) else fields)
    if "fixed" in keys:
        return "fixed options"
    if "list" in keys:
        return "list options"
    return "parallel options" if "text" in keys else None


OptionsForm = Annotated[
    Annotated[Column, Tag("one column")]
    | Annotated[tuple[Column, ...], Tag("several columns")]
    | Annotated[FixedOptions, Tag("fixed options")]
    | Annotated[ListOptions, Tag("list options")]
    | Annotated[ParallelOptions, Tag("parallel options")],
    Discriminator(
        _options_form,
        custom_error_type="options_form",
        custom_error_message="needs a column, a list of columns, {list: COLUMN, text: KEY, name: KEY}, "
        "{text: COLUMN, name: COLUMN} or {fixed: [TEXT, TEXT]}",
    ),
]


class Columns(Strict):
    """The column of each part of an item. The defaults are the common form that `docs/data.md` describes.

    `question` may be several columns, whose texts are joined by line breaks. Questions with equal values in
    `cluster` share a case or a source, and are not independent. `extra` columns are further
    variables of the prompt, by name.
    """

    id: Column | None = None
    question: Column | Annotated[tuple[Column, ...], Field(min_length=1)] = "question"
    options: OptionsForm = "options"
    answer: Column = "answer"
    group: Column | None = None
    cluster: Column | None = None
    extra: dict[str, Column] = Field(default_factory=dict)

    @field_validator("extra")
    @classmethod
    def _names_are_variables(cls, extra: dict[str, str]) -> dict[str, str]:
        for name in extra:
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise ValueError(f"'{name}' is not a variable's name: use small letters, digits and '_'")
            if name in VARIABLES:
                raise ValueError(f"'{name}' is already a variable of the prompt; choose another name")
        return extra


class InFile(Strict):
    """Values from a file beside the task: one a line, a JSON list, or the keys of a JSON object."""

    file: Annotated[str, Field(min_length=1)]


def _condition(raw: Any) -> str | None:
    if isinstance(raw, (dict, InFile)):
        return "in a file"
    if isinstance(raw, (list, tuple)):
        return "several values"
    return "one value" if isinstance(raw, (str, int, float, bool)) else None


Condition = Annotated[
    Annotated[Scalar, Tag("one value")]
    | Annotated[tuple[Scalar, ...], Field(min_length=1), Tag("several values")]
    | Annotated[InFile, Tag("in a file")],
    Discriminator(
        _condition,
        custom_error_type="condition",
        custom_error_message="expected a text, a number, a list of them or {file: NAME}",
    ),
]
"""The values that a column may have: one, one of several, or one of those in a file."""


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


class Sample(Strict):
    """A draw of `items` test items by `seed`; the task is these items alone."""

    items: Positive
    seed: Count = 0


class Reading(Strict):
    """How rows become items, wherever they come from.

    `where` keeps the rows whose columns have these values. `answer_from` is the number of the first option
    where answers are numbers, and `answer_form` settles what an answer means that could mean several things.
    `empty_options` are texts that mean "no option", besides null and "". `question_until` is where a
    question ends in its column.
    """

    splits: Splits = Splits()
    columns: Columns = Columns()
    where: dict[Column, Condition] = Field(default_factory=dict)
    answer_from: Literal[0, 1] | None = None
    answer_form: AnswerForm | None = None
    empty_options: tuple[str, ...] = ()
    question_until: Annotated[str, Field(min_length=1)] | None = None
    rows: RowRules = RowRules()
    sample: Sample | None = None


class FilesData(Reading):
    """Files, relative to the task file: `files: {test: my_test.jsonl}`.

    Without `splits`, the files named test, train and exemplars play these roles, and exemplars come from the
    train file where there is no other.

    Files of `bench bundle` have only the rows that counted. `odd_rows` says by split how many odd rows there
    were before, and `warnings` what else there was to say about them.
    """

    files: dict[str, str]
    encoding: Annotated[str, Field(min_length=1)] = "utf-8"
    odd_rows: dict[str, dict[OddKind, Positive]] = Field(default_factory=dict)
    warnings: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _files_play_roles(cls, raw: Any) -> Any:
        files = raw.get("files") if isinstance(raw, Mapping) else None
        if not isinstance(files, Mapping) or "splits" in raw:
            return raw
        roles = {role: role for role in ROLES if role in files}
        if "train" in roles:
            roles.setdefault("exemplars", "train")
        return {**raw, "splits": roles} if roles else raw

    @field_validator("encoding")
    @classmethod
    def _encoding_is_known(cls, name: str) -> str:
        try:
            "".encode(name)
        except LookupError as error:
            text = f"no encoding is named '{name}'; use utf-8, utf-16, latin-1 or cp1252"
            raise ValueError(text) from error
        return name

    @model_validator(mode="after")
    def _splits_have_files(self) -> Self:
        for split in self.splits.names():
            if split not in self.files:
                known = ", ".join(sorted(self.files))
                near = did_you_mean(split, self.files)
                raise ValueError(f"no file is given for split '{split}'; there are files for {known}{near}")
        return self

    @model_validator(mode="after")
    def _counts_are_of_rows_that_pass(self) -> Self:
        for key, splits in (("odd_rows", self.odd_rows), ("warnings", self.warnings)):
            for split in sorted(splits.keys() - set(self.splits.names())):
                near = did_you_mean(split, self.splits.names())
                raise ValueError(f"{key}: no split is named '{split}'{near}")
        for counts in self.odd_rows.values():
            for kind in counts:
                if self.rows.of(kind) == "refuse":
                    raise ValueError(f"odd_rows: {kind} rows are refused by data.rows, so there can be none")
        return self


class HubData(Reading):
    """A data set on the hub. `mirror` maps splits to files that can stand in for them.

    Several `configs` are read as one, and a question's group is its configuration, unless a column is named.
    """

    hub: Annotated[str, Field(pattern=r"^[\w./-]+$")]
    config: str | None = None
    configs: tuple[str, ...] = ()
    revision: str = "main"
    mirror: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _mirrors_are_of_splits(self) -> Self:
        names = self.splits.names()
        for split in sorted(self.mirror.keys() - set(names)):
            raise ValueError(f"mirror: no split is named '{split}'{did_you_mean(split, names)}")
        return self

    @model_validator(mode="after")
    def _mirrors_name_configurations(self) -> Self:
        for split, file in self.mirror.items():
            places = re.findall(r"\{[^}]*\}", file)
            if unknown := [place for place in places if place != "{config}"]:
                raise ValueError(f"mirror.{split}: {unknown[0]} is not replaced; only {{config}} is")
            if self.configs and not places:
                raise ValueError(
                    f"mirror.{split}: write {{config}} in the name, for a file for each of configs"
                )
            if places and not (self.configs or self.config):
                raise ValueError(f"mirror.{split}: {{config}} needs the key config or configs")
        return self

    @model_validator(mode="after")
    def _one_key_names_configurations(self) -> Self:
        if self.config is not None and self.configs:
            raise ValueError("give either config or configs")
        if len(set(self.configs)) < len(self.configs):
            raise ValueError("configs: one is given twice")
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
