"""The choices that make a variant, each written once: a flag, a key of a sweep file and its help text.

Other packages add choices as entry points; the name of the entry point is the choice's:

    [project.entry-points."bench.choices"]
    window = "my_package:WINDOW"
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationInfo, create_model, field_validator
from pydantic.errors import PydanticUserError

from bench.config import Strict
from bench.errors import BenchError
from bench.inputs.prompts import ExemplarChoice
from bench.inputs.task_values import ExemplarCount, NewTokens, SampleCount, Temperature
from bench.numbers import PositiveReal
from bench.plugins import Registry
from bench.types import Dtype, PromptStyle, Quantization, Value

WORD = r"^[\w.+-]+$"
"""Values without a comma, so that a flag can take several."""


class NeedsGenerate(ValueError):
    """A choice about what the model writes, where it is not asked to write."""

    def __init__(self) -> None:
        super().__init__("needs generate: true")


class Choices(Strict):
    """How to run a model. None leaves a choice to the task, to the model card or to the device.

    The order of the fields is that of the flags in a command that repeats a run.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    dtype: Annotated[
        Literal["auto", Dtype] | None,
        Field(
            description="Number format of the computation. auto: bfloat16 if the device supports it "
            "natively, else float32. Default: auto."
        ),
    ] = None
    exemplars: Annotated[
        ExemplarCount | None,
        Field(description="Number of exemplars (solved items) in the prompt. Default: the task's."),
    ] = None
    prompt: Annotated[
        PromptStyle | None,
        Field(
            description="Prompt style: plain text or the model's chat template. Default: the model card's."
        ),
    ] = None
    quantize: Annotated[
        Quantization | None,
        Field(description="Weight format of the linear layers. Default: none."),
    ] = None
    exemplar_choice: Annotated[
        ExemplarChoice | None,
        Field(
            description="fixed: the same exemplars for all items, drawn by the seed. per_question: drawn "
            "for each. first: the first of the split. lm_eval: as lm-evaluation-harness draws them; "
            "lm_eval_spare: as it does for a task without a test split. Default: the task's."
        ),
    ] = None
    formats: Annotated[
        str | None,
        Field(
            pattern=WORD,
            description="Which of the task's prompts asks, by the name of its format. own: the task's own. "
            "all: that and every other. Default: own.",
        ),
    ] = None
    generate: Annotated[
        bool | None,
        Field(
            description="Generate a reply and read the answer from it, by the task's generate section. "
            "Default: no."
        ),
    ] = None
    samples: Annotated[
        SampleCount | None,
        Field(
            description="Replies per item; the most common answer counts. More than 1 needs a temperature. "
            "Default: the task's."
        ),
    ] = None
    temperature: Annotated[
        Temperature | None,
        Field(description="Sampling temperature of replies; 0 is greedy. Default: the task's."),
    ] = None
    max_new_tokens: Annotated[
        NewTokens | None, Field(description="Maximum length of a reply, in tokens. Default: the task's.")
    ] = None
    lora: Annotated[
        Literal["none", "quick"] | None,
        Field(
            description="quick: first tune a LoRA adapter on the task's train split, or reuse it. "
            "Default: none."
        ),
    ] = None
    lora_minutes: Annotated[
        PositiveReal | None,
        Field(description="Tuning time of --lora quick, in minutes. Default: 10."),
    ] = None
    adapter: Annotated[
        Annotated[str, Field(min_length=1)] | None,
        Field(
            description="Folder or hub id of an adapter; runs only the models that it was made for. "
            "Default: none."
        ),
    ] = None

    engine: Annotated[
        Annotated[str, Field(pattern=WORD)] | None,
        Field(
            description="What runs the model: transformers, llama.cpp or an engine of an installed package. "
            "Default: the model card's."
        ),
    ] = None
    gguf: Annotated[
        Annotated[str, Field(pattern=WORD)] | None,
        Field(
            description="Which GGUF file of the model card llama.cpp runs, such as Q4_K_M. "
            "Default: the card's first."
        ),
    ] = None

    @field_validator("samples", "temperature", "max_new_tokens")
    @classmethod
    def _generates(cls, value: float | None, info: ValidationInfo) -> float | None:
        if value is not None and not info.data.get("generate"):
            raise NeedsGenerate
        return value

    @field_validator("adapter")
    @classmethod
    def _is_the_only_adapter(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("lora") is not None:
            raise ValueError("lora and adapter are two variants: write each on its own")
        return value

    @property
    def made(self) -> dict[str, Value]:
        """Every choice that is not left open, in the order of the fields."""
        return self.model_dump(exclude_none=True)

    @property
    def outside(self) -> dict[str, Value]:
        """Those of the choices made that other packages add."""
        return {name: value for name, value in self.made.items() if name not in Choices.model_fields}


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice that another package adds.

    `type` is the annotation of its values: a Literal, bool, int, float or str, with bounds as in
    `Annotated[int, Field(ge=1)]`.
    """

    type: Any
    help: str


CHOICES = Registry("bench.choices", "choice", Choice)


def choices_model() -> type[Choices]:
    """Choices with a field for each choice of other packages; raises a BenchError where one is wrong."""
    rows = CHOICES.all()
    if not rows:
        return Choices
    for name in rows:
        if (
            not re.fullmatch("[a-z][a-z0-9_]*", name)
            or name in Choices.model_fields
            or hasattr(Choices, name)
        ):
            raise BenchError(f"{origin(name)}: its name is taken, or is not lower case with '_'")
    fields: dict[str, Any] = {  # an annotation is a value here, which no static type describes
        name: (Annotated[row.type | None, Field(description=row.help)], None) for name, row in rows.items()
    }
    try:
        return create_model("Choices", __base__=Choices, **fields)
    except (PydanticUserError, TypeError) as error:
        raise BenchError(f"{', '.join(map(origin, rows))}: a type is wrong: {error}") from error


def origin(name: str) -> str:
    """The choice and the package that adds it, for messages."""
    return f"the choice '{name}' of {CHOICES.package(name)}"


def flag(name: str) -> str:
    """ "max_new_tokens" -> "--max-new-tokens"."""
    return f"--{name.replace('_', '-')}"


def flags_of(made: Mapping[str, Value]) -> list[str]:
    """The words of a command that make these choices."""
    return [word for name, value in made.items() for word in _words(name, value)]


def _words(name: str, value: Value) -> list[str]:
    match value:
        case True:
            return [flag(name)]
        case False:
            return [flag(f"no_{name}")]
        case float() if value.is_integer():
            return [flag(name), f"{value:.0f}"]
        case _:
            return [flag(name), str(value)]
