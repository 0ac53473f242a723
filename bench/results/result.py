"""`result.json`: the summary of a run, with everything needed to repeat it."""

from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, TypeAdapter, model_validator

from bench.config import Name, Strict
from bench.errors import shown_line, shown_trace
from bench.inputs.model_card import ModelCard
from bench.inputs.odd_rows import OddKind, OddRows, odd_warnings
from bench.numbers import Count, Positive
from bench.results.cost import Cost, EngineFacts
from bench.results.probes import Probes
from bench.results.variant import Variant
from bench.scoring.metrics import Metrics
from bench.types import LimitOrder, Role, ServerFacts, Texts, ViewName

if TYPE_CHECKING:
    from bench.inputs.data import Split
    from bench.inputs.task import Task

SCHEMA_VERSION = 7
"""Raised when a field changes its meaning or name; `upgrade.py` reads older files."""


class TaskFacts(Strict):
    """The task when the cell was planned; `sha256` is its `Task.digest`."""

    name: Name
    version: Count
    sha256: str
    title: str
    description: str
    notice: str
    license: str
    view: ViewName
    prompt: str
    system: str = ""


def task_facts(task: "Task") -> TaskFacts:
    """The facts that a result records about its task."""
    keys = {"name", "version", "title", "description", "notice", "license", "prompt", "system"}
    return TaskFacts(sha256=task.digest(), view=task.scoring.view, **task.model_dump(include=keys))


class SplitFacts(Strict):
    """A split as it was read; `rows` is its number of items and `sha256` its `items_digest`.

    `odd` counts its odd rows by kind, and `notes` are other warnings; both are left out where there are none.
    """

    split: str
    source: str
    rows: Count
    sha256: str
    odd: dict[OddKind, OddRows] = Field(
        default_factory=dict[OddKind, OddRows], exclude_if=lambda odd: not odd
    )
    notes: tuple[str, ...] = Field(default=(), exclude_if=lambda notes: not notes)

    def warnings(self) -> list[str]:
        """What a reader of the numbers should know about these rows, a sentence each."""
        return [*odd_warnings(self.odd), *self.notes]


def split_facts(split: "Split") -> SplitFacts:
    """The facts that a result records about a split."""
    return SplitFacts(
        split=split.name,
        source=split.source,
        rows=len(split.items),
        sha256=split.sha256,
        odd=dict(split.odd),
        notes=split.notes,
    )


class CellFacts(Strict):
    """Everything that was asked of a model. `limit` is the number of items of a partial run, else None.

    `limit_order` is which items those are; older files, which do not say, asked the first of the file.
    `id` is the identity, `weights` their revision, and `command` repeats the run.
    """

    id: str
    task: TaskFacts
    model: ModelCard
    weights: str | None
    variant: Variant
    data: dict[Role, SplitFacts]
    exemplar_ids: tuple[str, ...]
    limit: Count | None
    limit_order: LimitOrder = Field(default="file", exclude_if=lambda order: order == "file")
    engine_version: Count
    engine_package: str = ""
    """Name and version of the package that adds the engine, "" for a built-in one."""
    command: str

    @model_validator(mode="before")
    @classmethod
    def _repeats_what_it_was(cls, raw: Any) -> Any:
        """The command of an older partial run asked for the first questions without saying so."""
        match raw:
            case {"limit": int(limit), "command": str(command)} if (
                command.startswith("bench run ") and "--limit-order" not in command
            ):
                if raw.get("limit_order", "file") == "file":
                    words = f"--limit {limit}"
                    return raw | {"command": command.replace(words, f"{words} --limit-order file", 1)}
            case _:
                pass
        return raw

    @property
    def part(self) -> str:
        """Which questions a partial run asked, in two words; "" for a whole run."""
        if self.limit is None:
            return ""
        return f"{self.limit} drawn" if self.limit_order == "drawn" else f"first {self.limit}"

    @model_validator(mode="after")
    def _has_the_data_it_was_made_from(self) -> Self:
        for role in ("test", self.model.learns_from):
            if role is not None and role not in self.data:
                raise ValueError(f"data: no {role} split")
        return self


def _date(text: str) -> str:
    if text:
        datetime.fromisoformat(text)
    return text


class Provenance(Strict):
    """When a run was made, with which versions, on which machine. None and "" are unknown.

    `finished` is UTC in ISO 8601; `threads` are those that the engine computes with.
    """

    finished: Annotated[str, AfterValidator(_date)]
    bench_version: str
    git: str | None
    python: str
    libraries: dict[str, str]
    system: str
    processor: str
    cores: Count | None
    threads: Count | None
    memory_bytes: Count | None
    device: str
    driver: str | None = None
    """The version of the accelerator's driver."""
    jobs: Count = 1
    """How many cells ran side by side, this one included; they slow each other down."""
    stops: Count = 0
    """How often the run was interrupted."""
    server: ServerFacts | None = Field(default=None, exclude_if=lambda server: server is None)
    """The server that answered. Where it does not run here, the machine is unknown."""

    @property
    def machine(self) -> str:
        """The processor and its cores, "unknown" where neither is known."""
        cores = f"{self.cores} cores" if self.cores is not None else ""
        return ", ".join(filter(None, [self.processor, cores])) or "unknown"


class Shard(Strict):
    """Which questions a part of a run has: those at `positions` of the run's, from 0 on, ascending.

    It is shard `index`, from 1 on, of `count`.
    """

    index: Positive
    count: Positive
    positions: Annotated[tuple[Count, ...], Field(min_length=1)]

    @property
    def name(self) -> str:
        """As `--shard` names it, such as "2/3"."""
        return f"{self.index}/{self.count}"

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if self.index > self.count:
            raise ValueError("index: above count")
        if any(later <= earlier for earlier, later in pairwise(self.positions)):
            raise ValueError("positions: not ascending")
        return self


class Machines(Strict):
    """Machines of one class that answered parts of a run: how many `shards`, and their `questions`."""

    machine: str
    shards: Count
    questions: Count


class _OfCell:
    """What the results of a planned cell know from it. No pydantic model, so it adds no stored field."""

    if TYPE_CHECKING:
        cell: CellFacts

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


class DoneResult(_OfCell, Strict):
    """A finished run; `records_sha256` is the digest of its `records.jsonl`."""

    schema_version: Literal[7] = SCHEMA_VERSION
    status: Literal["done"] = "done"
    cell: CellFacts
    metrics: Metrics
    cost: Cost
    engine: EngineFacts
    provenance: Provenance
    records_sha256: str
    probes: Probes | None = Field(default=None, exclude_if=lambda probes: probes is None)
    """What changed prompts showed; where none were asked, it is not in the file."""
    texts: Texts = "full"
    shard: Shard | None = Field(default=None, exclude_if=lambda shard: shard is None)
    """Of a part of a run, which is stored as `part.json`; None, and not in the file, in a whole run."""
    merged: tuple[Machines, ...] = Field(default=(), exclude_if=lambda merged: not merged)
    """The machines that answered the parts of a run that was merged from several; the class whose costs are
    given is the first."""
    imported: str = ""
    """The other program that made the run, and its version; "" for SLM Bench."""

    @property
    def measured_questions(self) -> int:
        """How many questions its costs are of: all, unless its parts come from unlike machines."""
        return self.cost.measured.questions if self.cost.measured else self.metrics.accuracy.total

    @property
    def origin(self) -> str:
        """Where an imported run is from, for people; "" for a run of SLM Bench."""
        return f"imported from {self.imported}" if self.imported else ""


Reason = Annotated[str, AfterValidator(shown_line)]
"""Why a run failed, in one line of a stated length, whoever wrote it."""


class FailedResult(_OfCell, Strict):
    """A cell that failed; shown with its reason, never as zero."""

    schema_version: Literal[7] = SCHEMA_VERSION
    status: Literal["failed"] = "failed"
    cell: CellFacts
    reason: Reason
    public_reason: Reason = Field(default="", exclude_if=lambda reason: not reason)
    """The same without ids and texts of questions; "" where it is not known that the reason has none."""
    traceback: Annotated[str, AfterValidator(shown_trace)]
    provenance: Provenance


class CannotRunResult(Strict):
    """A model of which no variant can run on the task: its card is broken, or its weights are missing."""

    schema_version: Literal[7] = SCHEMA_VERSION
    status: Literal["cannot-run"] = "cannot-run"
    task: TaskFacts
    test: SplitFacts
    model_name: Name
    model_title: str
    reason: Reason
    provenance: Provenance


Result = DoneResult | FailedResult | CannotRunResult
Unsuccessful = FailedResult | CannotRunResult
RESULT: TypeAdapter[Result] = TypeAdapter(Annotated[Result, Field(discriminator="status")])
