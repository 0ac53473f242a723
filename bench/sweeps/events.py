"""The events that a cell sends while it runs, and the terms it runs under. All can be pickled."""

from dataclasses import dataclass

from bench.results.result import CannotRunResult, DoneResult, FailedResult
from bench.tuning.job import Prepared, Step
from bench.types import ProbeName


@dataclass(frozen=True, slots=True)
class Placement:
    """How an executor places cells on a cluster, at `address`; None leaves it to the executor.

    `cpus` and `gpus` are those of a worker, and `shard_items` the most questions of a shard.
    """

    address: str = "auto"
    cpus_per_cell: int | None = None
    gpus_per_cell: float | None = None
    shard_items: int | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """How cells are run; no term changes a cell's identity.

    `fresh` runs finished cells again, `timeout` is in seconds for each cell, `jobs` is how many cells
    run side by side, `latency` also asks questions one at a time, and `probes` also asks changed ones.
    `placement` is for executors of clusters, and `devices` are the accelerators that a cell has to itself,
    without any where it may use all.
    """

    fresh: bool = False
    timeout: float | None = None
    jobs: int = 1
    latency: bool = False
    probes: tuple[ProbeName, ...] = ()
    placement: Placement = Placement()
    devices: tuple[str, ...] = ()


DEFAULT_TERMS = Terms()


@dataclass(frozen=True, slots=True)
class Loading:
    """The model is being loaded; a run that resumes has `done` of its `total` questions already."""

    done: int
    total: int
    slug: str


@dataclass(frozen=True, slots=True)
class BeyondPositions:
    """The longest prompt has `tokens` tokens, and the model was made for `positions`; it is scored."""

    tokens: int
    positions: int


@dataclass(frozen=True, slots=True)
class Note:
    """`text` says what a reader of the numbers should know; the questions are scored."""

    text: str


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` questions are answered; `memory_bytes` is the peak of the process so far."""

    done: int
    total: int
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """The cell's process was killed, for `reason`, and is started once more."""

    reason: str
    smaller_batches: bool


@dataclass(frozen=True, slots=True)
class Skipped:
    """The cell was finished earlier, with this result."""

    result: DoneResult


@dataclass(frozen=True, slots=True)
class Busy:
    """Another sweep works on the cell."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """The results folder cannot be written, which ends the sweep.

    Sent by a cell's process; `run_cell` raises a StoreError instead.
    """

    reason: str


Last = DoneResult | FailedResult | CannotRunResult | Skipped | Busy
"""The last event of a cell."""
Event = Loading | BeyondPositions | Note | Progress | Retry | Prepared | Step | Last
RETRY_SECONDS = 1.0
"""How often to check whether another sweep has finished with a cell."""
