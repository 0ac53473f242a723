"""The learning rate over time, when the held-out loss is computed, and when the budget is spent."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from bench.errors import BenchError
from bench.inputs.adapter import Recipe
from bench.tuning.job import Step

CHECKS = 10
"""Checks of the held-out loss within a budget of minutes or steps; a budget of epochs has one an epoch."""
CHECKING = 0.15
"""Share of a budget of minutes that checks may take, with the checkpoints they save."""
WARM_UP = 0.05
"""Share of the budget over which the learning rate rises."""
ELAPSED = "elapsed.json"
"""Beside the checkpoints: seconds spent so far."""
SAVE_EVERY_SECONDS = 60.0


class Pace(TrainerCallback):
    """Keeps to the budget: the learning rate warms up, then falls linearly to 0 as the budget is spent.

    `started` is when the work began, in seconds of `clock`: a budget of minutes covers all of it,
    loading and checks included. A tuning that resumes counts the time it spent before the interruption.
    """

    def __init__(
        self,
        recipe: Recipe,
        started: float,
        checks: bool,
        report: Callable[[Step], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.recipe = recipe
        self.started = started
        self.report = report
        self.clock = clock
        self.has_checks = checks
        self.checks = recipe.epochs or CHECKS
        self.resumed = False
        self.checked = 0
        self.check_seconds = 0.0
        self.save_seconds = 1.0
        self.step_seconds = 0.0
        self.stepped = self.clock()
        self.saved = self.ended = self.clock()

    @property
    def elapsed(self) -> float:
        """Seconds since the work began."""
        return self.clock() - self.started

    def share(self, state: TrainerState) -> float:
        """The share of the budget that is spent, in [0, 1]."""
        if self.recipe.minutes:
            return min(1.0, self.elapsed / (60 * self.recipe.minutes))
        return state.global_step / max(1, state.max_steps)

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        metrics: dict[str, float] = kwargs["metrics"]
        self.check_seconds = metrics["eval_runtime"]
        if self.recipe.minutes and not state.global_step:
            self._check_budget(60 * self.recipe.minutes)
        if self.recipe.minutes and self.check_seconds:
            each = self.check_seconds + self.save_seconds
            affordable = int(CHECKING * 60 * self.recipe.minutes / each)
            self.checks = max(1, min(CHECKS, affordable))
        self._report(state, None, metrics["eval_loss"])

    def _check_budget(self, budget: float) -> None:
        """Raises a BenchError where the first check of the held-out loss leaves no time for a step."""
        if self.elapsed + self.check_seconds + self.save_seconds > budget:
            spent = f"{self.elapsed:.0f} s went into loading and a first check of the held-out loss"
            remedy = "give more, or hold out fewer with --held-out"
            raise BenchError(f"{self.recipe.minutes:g} minutes are too few: {spent}; {remedy}")

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        # An attempt that ran out of memory begins again: count the time before the interruption once.
        if state.global_step and not self.resumed:
            self.resumed = True
            spent = Path(args.output_dir or ".") / ELAPSED
            self.started -= float(json.loads(spent.read_text(encoding="utf-8"))) if spent.is_file() else 0.0
            self.checked = int(self.share(state) * self.checks)

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.stepped = self.clock()
        share = self.share(state)
        factor = min(1.0, (share + 1e-3) / WARM_UP) * (1 - share)
        for group in kwargs["optimizer"].param_groups:
            group["lr"] = self.recipe.learning_rate * factor

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.step_seconds = self.clock() - self.stepped
        self.ended = self.clock()
        share, over = self.share(state), self._is_spent(state)
        if over or int(share * self.checks) > self.checked:
            self.checked = int(share * self.checks)
            control.should_evaluate = self.has_checks
            control.should_save = True
        if self.recipe.method == "lora" and self.clock() - self.saved > SAVE_EVERY_SECONDS:
            control.should_save = True  # it is small, and a killed tuning then loses a minute at most
        control.should_training_stop |= over

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.saved = self.clock()
        spent = self.saved - self.ended - (self.check_seconds if control.should_evaluate else 0.0)
        self.save_seconds = max(0.0, spent)
        path = Path(args.output_dir or ".") / ELAPSED
        path.write_text(json.dumps(self.elapsed), encoding="utf-8")

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        logs: dict[str, float] = kwargs["logs"]
        if "loss" in logs:
            self._report(state, logs["loss"], None)

    def _is_spent(self, state: TrainerState) -> bool:
        if not self.recipe.minutes:
            return state.global_step >= state.max_steps
        reserve = 1.2 * self.step_seconds + 1.2 * self.check_seconds + 2.5 * self.save_seconds
        return self.elapsed + reserve >= 60 * self.recipe.minutes

    def _report(self, state: TrainerState, loss: float | None, held_out: float | None) -> None:
        share = self.share(state)
        left = self.elapsed * (1 - share) / share if share else None
        self.report(Step(state.global_step, loss, held_out, share, left))
