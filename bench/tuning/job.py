"""A tuning as a value, and the events it reports while it runs. Nothing heavy is imported here."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.engines.engine import Opening
from bench.inputs.adapter import Leak, Recipe
from bench.inputs.weights import RemoteWeights, Weights
from bench.scoring.asking import Asking
from bench.types import Item


@dataclass(frozen=True, slots=True)
class Job:
    """A tuning, with all it needs to run in a process of its own. `out` is the adapter's folder.

    `source` and `sha256` name the training data. `key` identifies the job, so that only the same job
    resumes an interrupted tuning.
    """

    opening: Opening
    asking: Asking
    recipe: Recipe
    train: tuple[Item, ...]
    test: tuple[Item, ...]
    source: str
    sha256: str
    weights: Weights | RemoteWeights
    out: Path
    key: str
    tensorboard: Path | None = None
    fresh: bool = False
    """Whether to train again where `out` already holds an adapter."""
    own_process: bool = False
    """Whether the budget counts from the start of the process."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Reported before training starts: numbers of items; `leaks` were dropped.

    `too_long` do not fit the model, and `fewer_options` lost wrong options.
    """

    train: int
    held_out: int
    leaks: tuple[Leak, ...]
    too_long: int
    fewer_options: int
    step: int = 0
    """The step that an interrupted tuning resumes at."""


@dataclass(frozen=True, slots=True)
class Step:
    """Reported after a step, with `loss`, or a check, with `held_out_loss`.

    `share` of the budget is spent, in [0, 1]; `seconds_left` is an estimate, None before there is one.
    """

    step: int
    loss: float | None
    held_out_loss: float | None
    share: float
    seconds_left: float | None


Report = Callable[[Prepared | Step], None]
PeakMemory = Callable[[], tuple[int | None, int | None]]
"""() -> the most bytes used so far in (host memory, device memory); None where unknown."""
