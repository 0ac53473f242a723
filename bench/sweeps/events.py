"""What a cell reports while it runs, and the terms it runs under: values that can be pickled."""

from dataclasses import dataclass

from bench.results.result import CannotRunResult, DoneResult, FailedResult
from bench.tuning.job import Prepared, Step


@dataclass(frozen=True, slots=True)
class Terms:
    """How cells are run; nothing of it is part of what a cell is.

    `fresh` runs again what is done, `timeout` is seconds a cell, `jobs` cells run side by side, and
    `latency` also asks questions one at a time.
    """

    fresh: bool = False
    timeout: float | None = None
    jobs: int = 1
    latency: bool = False


DEFAULT_TERMS = Terms()


@dataclass(frozen=True, slots=True)
class Loading:
    """The model is being opened; `done` of `total` questions were answered before the run was interrupted."""

    done: int
    total: int
    slug: str


@dataclass(frozen=True, slots=True)
class Progress:
    """`memory_bytes` is the most that the process held so far."""

    done: int
    total: int
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """The cell's process was killed, for `reason`; it is started once more."""

    reason: str
    smaller_batches: bool


@dataclass(frozen=True, slots=True)
class Skipped:
    """The same cell was finished before, with this result."""

    result: DoneResult


@dataclass(frozen=True, slots=True)
class Busy:
    """Another sweep works on this cell."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """The results folder cannot be written: the sweep ends. Sent by a cell's process, never by `run_cell`."""

    reason: str


Last = DoneResult | FailedResult | CannotRunResult | Skipped | Busy
"""A cell ends with one of these."""
Event = Loading | Progress | Retry | Prepared | Step | Last
RETRY_SECONDS = 1.0
"""The time between two looks at a cell that another sweep works on."""
