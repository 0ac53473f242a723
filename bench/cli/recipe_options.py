"""The options of `bench tune` that make the recipe."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from bench.cli import options
from bench.errors import UsageError

if TYPE_CHECKING:
    from bench.inputs.adapter import Method, Recipe
    from bench.results.variant import Variant

MINUTES = 10.0
EPOCHS = 3


@dataclass(frozen=True, slots=True)
class RecipeOptions:
    """The recipe as given: None leaves a value to its default."""

    minutes: float | None
    steps: int | None
    epochs: int | None
    method: "Method"
    rank: int
    target: str
    learning_rate: float | None
    batch: int
    held_out: float

    def check(self, quantize: str | None) -> None:
        """Raises a UsageError if options contradict each other."""
        if sum(budget is not None for budget in (self.minutes, self.steps, self.epochs)) > 1:
            raise UsageError("give only one of --minutes, --steps and --epochs")
        if self.method == "full" and quantize not in (None, "none"):
            raise UsageError("--method full trains the weights themselves; omit --quantize")

    def complete(self, variant: "Variant", seed: int) -> "Recipe":
        """The recipe with its defaults, for a model in this variant."""
        from bench.cells.adapted import LEARNING_RATE
        from bench.inputs.adapter import Recipe

        assert variant.dtype is not None
        if variant.dtype == "float16":
            raise UsageError("tuning in float16 overflows; use --dtype bfloat16 or float32")
        minutes, epochs = self.minutes, self.epochs
        if minutes is self.steps is epochs is None:
            minutes, epochs = (None, EPOCHS) if self.method == "full" else (MINUTES, None)
        return Recipe(
            method=self.method,
            minutes=minutes,
            steps=self.steps,
            epochs=epochs,
            rank=self.rank,
            target=self.target,
            learning_rate=self.learning_rate or LEARNING_RATE[self.method],
            batch=self.batch,
            held_out=self.held_out,
            seed=seed,
            quantize=variant.quantize,
            dtype=variant.dtype,
            prompt=variant.prompt,
        )


_OPTIONS = (
    click.option(
        "--minutes",
        type=click.FloatRange(0, min_open=True),
        metavar="MINUTES",
        help="Time to tune, in minutes. Default: 10, unless --steps, --epochs or --method full is given.",
    ),
    click.option(
        "--steps", type=click.IntRange(1), metavar="N", help="Training steps, instead of --minutes."
    ),
    click.option(
        "--epochs",
        type=click.IntRange(1),
        metavar="N",
        help="Passes over the training questions, instead of --minutes.",
    ),
    click.option(
        "--method",
        type=click.Choice(["lora", "full"]),
        default="lora",
        show_default=True,
        help="lora: train a LoRA adapter; full: train all weights, by default for 3 epochs.",
    ),
    click.option(
        "--rank",
        type=click.IntRange(1),
        default=8,
        show_default=True,
        metavar="N",
        help="Rank of the LoRA adapter.",
    ),
    click.option(
        "--target",
        default="all-linear",
        show_default=True,
        metavar="LAYERS",
        help="Layers that LoRA changes: all-linear, or names of layers; separate several with commas.",
    ),
    click.option(
        "--learning-rate",
        type=click.FloatRange(0, min_open=True),
        metavar="RATE",
        help="Constant learning rate. Default: 2e-4 for lora, 5e-5 for full.",
    ),
    click.option(
        "--batch",
        type=click.IntRange(1),
        default=8,
        show_default=True,
        metavar="N",
        help="Examples per training step.",
    ),
    click.option(
        "--held-out",
        type=click.FloatRange(0, 0.5),
        default=0.1,
        show_default=True,
        metavar="SHARE",
        help="Share of the training questions, at most 64 of them, that is held out to choose the best "
        "checkpoint and to stop early; 0 turns both off.",
    ),
)


def recipe_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options; the command gets them as one argument, `recipe`."""
    command = options.grouped("recipe", RecipeOptions)(command)
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
