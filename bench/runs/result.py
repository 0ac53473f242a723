"""`result.json`: the summary of a run, with everything that is needed to repeat it."""

from typing import Annotated, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from bench.config import Strict
from bench.inputs.model_card import ModelCard
from bench.inputs.task import Role
from bench.scoring.metrics import Metrics
from bench.types import Dtype, View

SCHEMA_VERSION = 1
"""Raised when a field changes meaning or name; readers upgrade older files step by step."""


class Variant(Strict):
    """How a model is run. `dtype` is None for a baseline."""

    dtype: Dtype | None
    exemplars: int
    seed: int

    @property
    def slug(self) -> str:
        shots = f"-{self.exemplars}shot" if self.exemplars else ""
        return f"{self.dtype or 'baseline'}{shots}"


class TaskFacts(Strict):
    """The task as it was: `sha256` covers all that can change a number."""

    name: str
    version: int
    sha256: str
    title: str
    description: str
    notice: str
    license: str
    view: View
    prompt: str


class SplitFacts(Strict):
    """`rows` items were there; `sha256` is over what they say."""

    split: str
    source: str
    rows: int
    sha256: str


class CellFacts(Strict):
    """What was asked. `limit` is the number of items of a partial run, None for a whole one."""

    id: str
    task: TaskFacts
    model: ModelCard
    weights: str | None
    variant: Variant
    data: dict[Role, SplitFacts]
    exemplar_ids: tuple[str, ...]
    limit: int | None
    engine_version: int
    command: str

    @model_validator(mode="after")
    def _has_the_data_it_was_made_from(self) -> Self:
        for role in ("test", self.model.learns_from):
            if role is not None and role not in self.data:
                raise ValueError(f"data: no {role} split")
        return self


class Cost(Strict):
    """Measured on the pass that scored. None is unknown or does not apply, never zero."""

    load_seconds: float
    scoring_seconds: float
    items_per_second: float | None
    prompt_tokens: int
    tokens_per_second: float | None
    peak_memory_bytes: int | None
    peak_device_memory_bytes: int | None
    weights_bytes: int | None


class Provenance(Strict):
    """When, with what and on what. `finished` is UTC, ISO 8601."""

    finished: str
    bench_version: str
    git: str | None
    python: str
    libraries: dict[str, str]
    system: str
    processor: str
    cores: int
    threads: int | None
    memory_bytes: int
    device: str


class DoneResult(Strict):
    schema_version: Literal[1] = SCHEMA_VERSION
    status: Literal["done"] = "done"
    cell: CellFacts
    metrics: Metrics
    cost: Cost
    provenance: Provenance
    records_sha256: str


class FailedResult(Strict):
    """A cell that did not finish: a row with its reason, never a zero."""

    schema_version: Literal[1] = SCHEMA_VERSION
    status: Literal["failed"] = "failed"
    cell: CellFacts
    reason: str
    traceback: str
    provenance: Provenance


Result = Annotated[DoneResult | FailedResult, Field(discriminator="status")]
RESULT: TypeAdapter[DoneResult | FailedResult] = TypeAdapter(Result)
