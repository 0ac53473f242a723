"""Write a trained adapter: its weights, the card that says how they were made, and a README."""

import math
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import Any

import bench
from bench.engines.device import device_title
from bench.engines.transformer import TransformerEngine
from bench.errors import BenchError
from bench.inputs.adapter import CARD, AdapterCard, Learnt, Outcome, question_digest, tokenizer_digest
from bench.inputs.model_card import HubSource
from bench.tuning.job import Job
from bench.tuning.pace import Pace
from bench.tuning.readme import adapter_readme
from bench.tuning.training_data import TrainingData

LIBRARIES = ("torch", "transformers", "peft", "accelerate", "bitsandbytes")


def save_adapter(trainer: Any, engine: TransformerEngine, job: Job, card: AdapterCard, folder: Path) -> None:
    """Write all files of an adapter to `folder`: after a full tuning, those of a whole model."""
    if job.recipe.method == "full":
        trainer.model.save_pretrained(str(folder))
        engine.tokenizer.save_pretrained(str(folder))
        card = card.model_copy(update={"tokenizer": tokenizer_digest(folder)})
    else:
        # The base's public name, not the folder on this machine that it was loaded from.
        source = job.opening.card.source
        base = source.hub if isinstance(source, HubSource) else job.opening.card.name
        trainer.model.peft_config["default"].base_model_name_or_path = base
        # Otherwise peft asks the hub whether the vocabulary was changed.
        trainer.model.save_pretrained(str(folder), save_embedding_layers=False)
    (folder / CARD).write_text(card.model_dump_json(indent=1) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(adapter_readme(card, job.out.name), encoding="utf-8")


def training_outcome(trainer: Any, pace: Pace, peaks: tuple[int | None, int | None]) -> Outcome:
    """How the training went; `peaks` are the most bytes used in host and device memory.

    Raises a BenchError where a loss is not finite.
    """
    state = trainer.state
    losses = [entry["loss"] for entry in state.log_history if "loss" in entry]
    checks = {entry["step"]: entry["eval_loss"] for entry in state.log_history if "eval_loss" in entry}
    if not all(map(math.isfinite, [*losses, *checks.values()])):
        raise BenchError("the loss is not a number any more; try a smaller --learning-rate")
    best = state.best_global_step if checks else state.global_step
    spent = bool(pace.recipe.minutes) and pace.share(state) > 0.85
    over = spent or state.global_step >= state.max_steps
    return Outcome(
        steps=state.global_step,
        epochs=round(state.epoch or 0.0, 3),
        seconds=round(pace.elapsed, 3),
        best_step=best or state.global_step,
        train_loss_first=fmean(losses[:10]),
        train_loss_last=fmean(losses[-10:]),
        held_out_losses=tuple(sorted(checks.items())),
        trained_parameters=sum(
            weight.numel() for weight in trainer.model.parameters() if weight.requires_grad
        ),
        batch=trainer._train_batch_size,  # noqa: SLF001 (after any halving for lack of memory)
        gradient_checkpointing=trainer.args.activation_checkpointing,
        peak_memory_bytes=peaks[0],
        peak_device_memory_bytes=peaks[1],
        stopped="budget" if over else "no better",
    )


def adapter_card(job: Job, data: TrainingData, outcome: Outcome) -> AdapterCard:
    """Everything known about how the adapter was made."""
    task = job.asking.task
    return AdapterCard(
        bench_version=bench.__version__,
        base=job.opening.card.name,
        weights=job.weights.revision,
        recipe=job.recipe,
        learnt=Learnt(
            task=task.name,
            task_version=task.version,
            task_sha256=task.digest(),
            source=job.source,
            sha256=job.sha256,
            rows=len(data.train),
            held_out=len(data.held_out),
            leaks=data.leaks,
            too_long=data.too_long,
            fewer_options=data.fewer_options,
        ),
        outcome=outcome,
        libraries={name: version(name) for name in LIBRARIES},
        device=device_title(),
        questions=tuple(sorted({question_digest(item) for item in data.items})),
    )
