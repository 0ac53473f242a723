"""Formats of a task: other prompts that ask the same, to see how much the wording matters."""

from typing import Annotated, Self

from pydantic import AfterValidator, StringConstraints, model_validator

from bench.config import Strict
from bench.inputs.prompts import LETTER
from bench.inputs.task_values import PromptTemplate, SystemText

OWN = "own"
"""The name of the task's own prompt among its formats."""
ALL = "all"


def _form(text: str) -> str:
    if text.count(LETTER) != 1:
        raise ValueError(f"write {LETTER} once, where the letter stands, such as '({LETTER})'")
    return text


LetterForm = Annotated[str, AfterValidator(_form)]
"""How an answer's letter is written, in exemplars and where it is scored."""


def _free(name: str) -> str:
    if name in (OWN, ALL):
        raise ValueError(f"'{name}' has a meaning of its own; choose another name")
    return name


FormatName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=40), AfterValidator(_free)
]


class Format(Strict):
    """What another prompt has in place of the task's own; what is left out is the task's."""

    prompt: PromptTemplate | None = None
    system: SystemText | None = None
    letter: LetterForm | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.prompt is None and self.system is None and self.letter is None:
            raise ValueError("it changes nothing: give prompt, system or letter")
        return self
