"""A sweep file: the models, tasks and variants to run, in YAML instead of flags of `bench run`."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, create_model

from bench.config import Strict, line_of, read_yaml
from bench.errors import Mistake
from bench.folders import display
from bench.inputs.choices import Choices, choices_model
from bench.numbers import Positive, PositiveReal
from bench.types import LimitOrder, ProbeName
from bench.yaml_text import Location


class Sweep(Strict):
    """`models`, `tasks` and `suite` are as on the command line; without tasks and suite every task runs.

    Without `variants`, every model runs as the flags say. `timeout` is in seconds for each cell.
    """

    title: str = ""
    models: Annotated[tuple[str, ...], Field(min_length=1)]
    tasks: tuple[str, ...] = ()
    suite: str | None = None
    variants: tuple[Choices, ...] = ()
    limit: Positive | None = None
    limit_order: LimitOrder | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    jobs: Annotated[int, Field(ge=1, le=64)] | None = None
    timeout: PositiveReal | None = None
    latency: bool | None = None
    probes: tuple[ProbeName, ...] | None = None


def mistake_in(path: Path, key: Location, text: str) -> Mistake:
    """A mistake in the value of a sweep file's key."""
    return Mistake(display(path), line_of(path, key), ".".join(map(str, key)), text)


def read_sweep(path: Path) -> Sweep:
    """Read a sweep file; raises a FileError with all its mistakes."""
    variants = tuple[choices_model(), ...]
    return read_yaml(path, create_model("Sweep", __base__=Sweep, variants=(variants, ())))
