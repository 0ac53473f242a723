"""What a running cell says on its way, and the terms it runs under."""

from dataclasses import dataclass

from bench.runs.result import CannotRunResult, DoneResult, FailedResult


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


USUAL = Terms()


@dataclass(frozen=True, slots=True)
class Loading:
    """The model is being opened; `done` of `total` questions were answered before the run was cut off."""

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
class Again:
    """The cell was killed, for `reason`; it goes on once more, with smaller batches if memory was short."""

    reason: str
    smaller: bool


@dataclass(frozen=True, slots=True)
class Skipped:
    """The same cell was finished before, with this result."""

    result: DoneResult


@dataclass(frozen=True, slots=True)
class Busy:
    """Another sweep works on this cell."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """The results folder takes no more."""

    reason: str


Event = Loading | Progress | Again | Skipped | Busy | DoneResult | FailedResult | CannotRunResult
LAST = (DoneResult, FailedResult, CannotRunResult, Skipped, Busy)
"""A cell ends with one of these."""
