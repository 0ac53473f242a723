"""`result.json`: the summary of a run, with everything that is needed to repeat it."""

import re
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, TypeAdapter, model_validator

from bench.config import Name, Strict
from bench.inputs.adapter import AdapterFacts
from bench.inputs.model_card import ModelCard
from bench.inputs.prompts import ExemplarChoice
from bench.inputs.task import Generate, Role, Task
from bench.scoring.metrics import Metrics
from bench.types import Dtype, PromptStyle, Quantization, Texts, Value, ViewName

SCHEMA_VERSION = 6
"""Raised when a field changes meaning or name; readers upgrade older files step by step."""


class Variant(Strict):
    """How a model is run. `dtype` is None for a baseline, `generate` where options are scored.

    `program` is the one that ran it, "" where that was this one; it need not tell its dtype.
    `engine` is the one that ran it where that takes no dtype, "" for a baseline and for any other.
    `more` holds the choices that other packages add, by name; where there are none, neither a file nor
    an identity mentions them.
    """

    dtype: Dtype | None
    exemplars: int
    seed: int
    prompt: PromptStyle = "plain"
    exemplar_choice: ExemplarChoice = "fixed"
    generate: Generate | None = None
    quantize: Quantization = "none"
    adapter: AdapterFacts | None = None
    program: str = ""
    engine: str = Field(default="", exclude_if=lambda engine: not engine)
    more: dict[str, Value] = Field(default_factory=dict[str, Value], exclude_if=lambda more: not more)

    @property
    def precision(self) -> str | None:
        """The dtype, and what the weights are held in where that is less; None for a baseline."""
        held = self.quantize if self.quantize != "none" else None
        return ", ".join(filter(None, [held, self.dtype])) or None

    @property
    def slug(self) -> str:
        ran = self.program or self.engine
        words: list[str] = [ran] if ran else []
        words += [self.dtype] if self.dtype else [] if ran else ["baseline"]
        words += [self.quantize] if self.quantize != "none" else []
        words += [self.adapter.method] if self.adapter else []
        words += ["chat"] if self.prompt == "chat" else []
        words += [f"{self.exemplars}shot"] if self.exemplars else []
        words += ["each"] if self.exemplar_choice == "per_question" else []
        words += ["generate"] if self.generate else []
        words += [f"{self.generate.samples}samples"] if self.generate and self.generate.samples > 1 else []
        words += [f"{name}={_safe(value)}" for name, value in self.more.items()]
        return "-".join(words)


def _safe(value: Value) -> str:
    """The value as part of a folder's name."""
    return re.sub(r"[^\w.-]", "_", str(value), flags=re.ASCII)[:32]


class TaskFacts(Strict):
    """The task as it was: `sha256` covers all that can change a number."""

    name: Name
    version: int
    sha256: str
    title: str
    description: str
    notice: str
    license: str
    view: ViewName
    prompt: str
    system: str = ""


def task_facts(task: Task) -> TaskFacts:
    words = {"name", "version", "title", "description", "notice", "license", "prompt", "system"}
    return TaskFacts(sha256=task.digest(), view=task.scoring.view, **task.model_dump(include=words))


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
    engine_package: str = ""
    """Name and version of the package that the engine came from, "" for this one."""
    command: str

    @model_validator(mode="after")
    def _has_the_data_it_was_made_from(self) -> Self:
        for role in ("test", self.model.learns_from):
            if role is not None and role not in self.data:
                raise ValueError(f"data: no {role} split")
        return self


class Latency(Strict):
    """Seconds a question takes: the middle, and what 95 of 100 stay below, of so many questions."""

    questions: int
    p50: float
    p95: float


class Cost(Strict):
    """Measured on the pass that scored. None is unknown or does not apply, never zero.

    Of a run that was cut off and went on: the time of all its parts, the highest of their peaks.
    """

    load_seconds: float | None
    scoring_seconds: float | None
    items_per_second: float | None
    prompt_tokens: int | None
    tokens_per_second: float | None
    new_tokens: int | None = None
    peak_memory_bytes: int | None
    peak_device_memory_bytes: int | None
    weights_bytes: int | None
    """On disk."""
    model_bytes: int | None = None
    """In memory, as they are held: quantised ones with their scales."""
    batched: Latency | None = None
    """A question's share of its batch."""
    alone: Latency | None = None
    """Questions one at a time, after the pass; None where `--latency` did not ask."""
    joules: float | None = None
    joules_note: str = ""
    """Which counters that is from, or why there is none."""


class EngineFacts(Strict):
    """How the forward passes were made: `packed` or `plain`, and in batches of how many tokens at last.

    `pickle` and `code` say that the weights came as pickles, or ran code of their own.
    """

    path: str
    batch_tokens: int | None
    pickle: bool = False
    code: bool = False


def _date(text: str) -> str:
    if text:
        datetime.fromisoformat(text)
    return text


class Provenance(Strict):
    """When, with what and on what. `finished` is UTC, ISO 8601. None and "" are unknown."""

    finished: Annotated[str, AfterValidator(_date)]
    bench_version: str
    git: str | None
    python: str
    libraries: dict[str, str]
    system: str
    processor: str
    cores: int | None
    threads: int | None
    memory_bytes: int | None
    device: str
    driver: str | None = None
    """The accelerator's."""
    jobs: int = 1
    """Cells that ran side by side at the time, this one among them: each slows the others."""
    stops: int = 0
    """How often the run was cut off before it was finished."""

    @property
    def machine(self) -> str:
        """The processor and its cores, as far as they are known."""
        cores = f"{self.cores} cores" if self.cores is not None else ""
        return ", ".join(filter(None, [self.processor, cores])) or "unknown"


class DoneResult(Strict):
    schema_version: Literal[6] = SCHEMA_VERSION
    status: Literal["done"] = "done"
    cell: CellFacts
    metrics: Metrics
    cost: Cost
    engine: EngineFacts
    provenance: Provenance
    records_sha256: str
    texts: Texts = "full"
    imported: str = ""
    """The program that made it and its version, where it was not this one."""

    @property
    def task(self) -> TaskFacts:
        return self.cell.task

    @property
    def test(self) -> SplitFacts:
        return self.cell.data["test"]

    @property
    def model_name(self) -> str:
        return self.cell.model.name

    @property
    def model_title(self) -> str:
        return self.cell.model.title

    @property
    def origin(self) -> str:
        """The same in words, "" where it was this one."""
        return f"imported from {self.imported}" if self.imported else ""


class FailedResult(Strict):
    """A cell that did not finish: a row with its reason, never a zero."""

    schema_version: Literal[6] = SCHEMA_VERSION
    status: Literal["failed"] = "failed"
    cell: CellFacts
    reason: str
    traceback: str
    provenance: Provenance

    @property
    def task(self) -> TaskFacts:
        return self.cell.task

    @property
    def test(self) -> SplitFacts:
        return self.cell.data["test"]

    @property
    def model_name(self) -> str:
        return self.cell.model.name

    @property
    def model_title(self) -> str:
        return self.cell.model.title


class CannotRunResult(Strict):
    """A model of which no variant can run on the task: its card is broken, or its weights are not there."""

    schema_version: Literal[6] = SCHEMA_VERSION
    status: Literal["cannot-run"] = "cannot-run"
    task: TaskFacts
    test: SplitFacts
    model_name: Name
    model_title: str
    reason: str
    provenance: Provenance


Result = DoneResult | FailedResult | CannotRunResult
Unsuccessful = FailedResult | CannotRunResult
RESULT: TypeAdapter[Result] = TypeAdapter(Annotated[Result, Field(discriminator="status")])
