"""A tuning as a value, and what is said while it runs. Nothing heavy is imported here."""

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

    `source` and `sha256` name the training data; `key` says which job a half-done folder belongs to.
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
    """Whether an adapter that is there is made again."""
    own_process: bool = False
    """Whether the budget counts from the start of the process."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is said before training starts."""

    train: int
    held_out: int
    leaks: tuple[Leak, ...]
    too_long: int
    fewer_options: int
    step: int = 0
    """Where a tuning that was stopped goes on."""


@dataclass(frozen=True, slots=True)
class Step:
    """`share` of the budget is spent; `seconds_left` is an estimate, None before there is one."""

    step: int
    loss: float | None
    held_out_loss: float | None
    share: float
    seconds_left: float | None


Tell = Callable[[Prepared | Step], None]
Peaks = Callable[[], tuple[int | None, int | None]]
"""Most memory of the process and of the device so far, in bytes."""
