"""A sweep file: a YAML that says which models, tasks and variants to run, as the flags of `bench run` do."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, create_model

from bench.config import Strict, read_yaml
from bench.inputs.choices import Choices, choices_model


class Sweep(Strict):
    """`models` and `tasks` are as on the command line; no tasks are all of the registry.

    Without variants, every model runs as the flags say.
    """

    title: str = ""
    models: Annotated[tuple[str, ...], Field(min_length=1)]
    tasks: tuple[str, ...] = ()
    variants: tuple[Choices, ...] = ()
    limit: Annotated[int, Field(ge=1)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    jobs: Annotated[int, Field(ge=1, le=64)] | None = None
    timeout: Annotated[float, Field(gt=0)] | None = None
    latency: bool | None = None


def read_sweep(path: Path) -> Sweep:
    """Raises a FileError with all the file's mistakes."""
    variants = tuple[choices_model(), ...]
    return read_yaml(path, create_model("Sweep", __base__=Sweep, variants=(variants, ())))
