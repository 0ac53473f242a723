"""A sweep file: a YAML that says which models, tasks and variants to run, as the flags of `bench run` do."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from bench.config import Strict, read_yaml
from bench.inputs.prompts import ExemplarChoice
from bench.types import Dtype, PromptStyle, Quantization


class SweepVariant(Strict):
    """One way to run every model; what is left out is as the flags say, else the task's or the card's.

    Paths start where the command runs, as on the command line.
    """

    dtype: Dtype | None = None
    quantize: Quantization | None = None
    lora: Literal["none", "quick"] | None = None
    lora_minutes: Annotated[float, Field(gt=0)] | None = None
    adapter: str | None = None
    exemplars: Annotated[int, Field(ge=0, le=100)] | None = None
    exemplar_choice: ExemplarChoice | None = None
    prompt: PromptStyle | None = None
    generate: bool | None = None
    samples: Annotated[int, Field(ge=1, le=100)] | None = None
    temperature: Annotated[float, Field(ge=0, le=10)] | None = None
    max_new_tokens: Annotated[int, Field(ge=1)] | None = None


class Sweep(Strict):
    """`models` and `tasks` are as on the command line; no tasks are all of the registry.

    Without variants, every model runs as the flags say.
    """

    title: str = ""
    models: Annotated[tuple[str, ...], Field(min_length=1)]
    tasks: tuple[str, ...] = ()
    variants: tuple[SweepVariant, ...] = ()
    limit: Annotated[int, Field(ge=1)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    jobs: Annotated[int, Field(ge=1, le=64)] | None = None
    timeout: Annotated[float, Field(gt=0)] | None = None
    latency: bool | None = None


def read_sweep(path: Path) -> Sweep:
    """Raises a FileError with all the file's mistakes."""
    return read_yaml(path, Sweep)
