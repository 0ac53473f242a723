"""A cell: one model x variant x task, ready to run, to be tuned first, or known to be unable to run."""

from dataclasses import dataclass
from pathlib import Path

from bench.engines.engine import Opening
from bench.inputs.task import Task
from bench.inputs.weights import RemoteWeights, Weights
from bench.results.identity import CANNOT_RUN, folder_of
from bench.results.result import CellFacts, Shard, SplitFacts
from bench.results.variant import Variant
from bench.scoring.asking import Asking
from bench.tuning.job import Job
from bench.types import Item


@dataclass(frozen=True, slots=True)
class Cell:
    """One model x variant x task, with everything that its process needs."""

    facts: CellFacts
    asking: Asking
    items: tuple[Item, ...]
    opening: Opening
    weights: Weights | RemoteWeights | None
    home: Path
    """The task file's folder, where relative paths of its metrics start."""
    shard: Shard | None = None
    """Where the items are those of a shard alone."""

    @property
    def task(self) -> Task:
        return self.asking.task

    @property
    def model_name(self) -> str:
        return self.facts.model.name

    @property
    def variant(self) -> Variant:
        return self.facts.variant

    @property
    def slug(self) -> str:
        """The variant in a few words that a folder can be named by."""
        return self.variant.slug

    @property
    def id(self) -> str:
        """The run's id, which begins with the shard in a part of a run: both can run at once."""
        shard = self.shard
        return f"{shard.index}-of-{shard.count}-{self.facts.id}" if shard else self.facts.id

    @property
    def folder(self) -> Path:
        """The folder of the run, or of its part, relative to the results folder."""
        return folder_of(self.facts, self.shard)

    @property
    def run_folder(self) -> Path:
        """The run's folder, relative to the results folder."""
        return folder_of(self.facts)


@dataclass(frozen=True, slots=True)
class NeedsTuning:
    """A cell whose adapter must be trained first, by `job`. Until then its identity is provisional."""

    cell: Cell
    job: Job

    @property
    def task(self) -> Task:
        return self.cell.task

    @property
    def model_name(self) -> str:
        return self.cell.model_name

    @property
    def variant(self) -> Variant:
        return self.cell.variant

    @property
    def id(self) -> str:
        return self.cell.id

    @property
    def folder(self) -> Path:
        return self.cell.folder


@dataclass(frozen=True, slots=True)
class CannotRun:
    """A model of which no variant can run on the task, for a reason known without trying.

    Its card is broken, or the path that it gives for its weights does not exist.
    """

    task: Task
    test: SplitFacts
    model_name: str
    model_title: str
    reason: str

    @property
    def id(self) -> str:
        return str(self.folder)

    @property
    def folder(self) -> Path:
        return Path(self.task.name) / self.model_name / CANNOT_RUN


Runnable = Cell | NeedsTuning
Planned = Runnable | CannotRun
