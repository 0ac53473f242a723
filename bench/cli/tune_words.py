"""How a tuning reads, in words."""

from bench.inputs.adapter import Outcome
from bench.tuning.job import Prepared, Step


def prepared(event: Prepared) -> str:
    """What is trained on, and what was left out and why."""
    words = [f"tuning on {event.train} examples, {event.held_out} held out"]
    words += [f"{len(event.leaks)} dropped for being tested too"] if event.leaks else []
    words += [f"{event.too_long} too long for the model"] if event.too_long else []
    if event.fewer_options:
        words += [f"{event.fewer_options} had more options than the task's, and lost wrong ones"]
    words += [f"going on from step {event.step}"] if event.step else []
    return "; ".join(words)


def step(event: Step) -> str:
    words = [f"tuning, step {event.step}"]
    words += [f"loss {event.loss:.3f}"] if event.loss is not None else []
    words += [f"held-out loss {event.held_out_loss:.3f}"] if event.held_out_loss is not None else []
    words += [f"{left(event.seconds_left)} left"] if event.seconds_left else []
    return ", ".join(words)


def left(seconds: float) -> str:
    """95 -> "1:35"."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def outcome(found: Outcome) -> str:
    """What a tuning came to, in a line."""
    steps = "1 step" if found.steps == 1 else f"{found.steps} steps"
    text = f"{steps} in {left(found.seconds)} min; "
    text += f"loss {found.train_loss_first:.3f} → {found.train_loss_last:.3f}"
    if found.held_out_losses:
        losses = dict(found.held_out_losses)
        first, kept = losses[min(losses)], losses.get(found.best_step)
        if kept is not None:
            text += f"; held-out loss {first:.3f} → {kept:.3f}"
            text += ": it did not help" if kept >= first else ""
    return text
