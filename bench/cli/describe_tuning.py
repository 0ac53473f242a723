"""The progress and the outcome of a tuning, in words."""

from bench.inputs.adapter import Outcome
from bench.tuning.job import Prepared, Step


def describe_prepared(event: Prepared) -> str:
    """How many examples are trained on, and how many were dropped and why."""
    parts = [f"tuning on {event.train} examples, {event.held_out} held out"]
    parts += [f"{len(event.leaks)} dropped because they are test questions"] if event.leaks else []
    parts += [f"{event.too_long} dropped because they are too long for the model"] if event.too_long else []
    if event.fewer_options:
        parts += [f"{event.fewer_options} had more options than the task; extra wrong options dropped"]
    parts += [f"resuming from step {event.step}"] if event.step else []
    return "; ".join(parts)


def describe_step(event: Step) -> str:
    """The step, its losses, and the time left as minutes:seconds."""
    parts = [f"tuning, step {event.step}"]
    parts += [f"loss {event.loss:.3f}"] if event.loss is not None else []
    parts += [f"held-out loss {event.held_out_loss:.3f}"] if event.held_out_loss is not None else []
    parts += [f"{format_minutes(event.seconds_left)} left"] if event.seconds_left else []
    return ", ".join(parts)


def format_minutes(seconds: float) -> str:
    """95 -> "1:35"."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def describe_outcome(outcome: Outcome) -> str:
    """Steps, time and losses of a finished tuning, in one line."""
    steps = "1 step" if outcome.steps == 1 else f"{outcome.steps} steps"
    text = f"{steps} in {format_minutes(outcome.seconds)} min; "
    text += f"loss {outcome.train_loss_first:.3f} → {outcome.train_loss_last:.3f}"
    if outcome.held_out_losses:
        losses = dict(outcome.held_out_losses)
        first, kept = losses[min(losses)], losses.get(outcome.best_step)
        if kept is not None:
            text += f"; held-out loss {first:.3f} → {kept:.3f}"
            text += " (no improvement)" if kept >= first else ""
    return text
