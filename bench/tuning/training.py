"""One tuning: model, examples and recipe -> an adapter folder. peft and transformers' Trainer do the work."""

import json
import math
import os
import shutil
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import Any

import psutil
import torch
from accelerate.utils.memory import should_reduce_batch_size
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
    Trainer,
    TrainingArguments,
    set_seed,
)
from transformers.trainer_utils import get_last_checkpoint

import bench
from bench.engines.device import device_title
from bench.engines.loading import device_name, open_transformers
from bench.engines.memory import free_memory_bytes
from bench.engines.transformer import TransformerEngine
from bench.errors import BenchError, first_line
from bench.inputs.adapter import CARD, AdapterCard, Leak, Learnt, Outcome, Recipe, question_digest
from bench.inputs.model_card import HubSource
from bench.inputs.weights import Weights
from bench.tuning.collate import collate_causal, collate_seq2seq
from bench.tuning.examples import Example, examples, held_out, with_fewer_options
from bench.tuning.job import Job, Peaks, Prepared, Tell
from bench.tuning.leakage import leaks
from bench.tuning.pace import Pace
from bench.tuning.read_me import read_me
from bench.types import Item

MOST_HELD_OUT = 64
PATIENCE = 3
"""Checks of the held-out loss without a new best before tuning ends."""
ALL_LINEAR = "all-linear"
NO_STEPS = 10**9
"""Epochs or steps that no budget of minutes reaches: `Pace` stops it."""
ACTIVATIONS = 34
"""Bytes that a transformer layer keeps a token and hidden unit for the backward pass in 16 bits
(Korthikanti et al. 2022, without attention scores)."""
LIBRARIES = ("torch", "transformers", "peft", "accelerate", "bitsandbytes")


@dataclass(frozen=True, slots=True)
class _Data:
    items: list[Item]
    train: list[Example]
    held: list[Example]
    leaks: list[Leak]
    too_long: int
    fewer: int


def tune(job: Job, weights: Weights, tell: Tell, peaks: Peaks) -> AdapterCard:
    """Train, keep the best checkpoint, and write the adapter with its card to `job.out`, whole or not at all.

    A half-done folder of the same job is gone on with.
    """
    # A budget counts from when the process began, its imports included.
    started = time.monotonic() - (time.time() - psutil.Process().create_time() if job.own_process else 0.0)
    set_seed(job.recipe.seed)
    engine = open_transformers(job.opening, weights)
    data = _data(engine, job)
    work = _work_folder(job)
    checkpoint = _last_checkpoint(work)
    step = int(checkpoint.rpartition("-")[2]) if checkpoint else 0
    tell(Prepared(len(data.train), len(data.held), tuple(data.leaks), data.too_long, data.fewer, step))
    trainer, pace = _trainer(engine, job, data, work, started, tell)
    if job.recipe.minutes and pace.elapsed > 54 * job.recipe.minutes:
        spent = f"{pace.elapsed:.0f} s went into loading"
        raise BenchError(f"{job.recipe.minutes:g} minutes are too few: {spent} alone; give more")
    try:
        with _half_precision(trainer.model):
            trainer.train(resume_from_checkpoint=checkpoint)
    except RuntimeError as error:
        # The Trainer halves the batch on its own, and says in words of its own that one was too much.
        said = str(error)
        if should_reduce_batch_size(error) or "executable batch size" in said or "batch_size" in said:
            text = "out of memory, even with one example a batch; try --quantize nf4 or a smaller model"
            raise BenchError(text) from error
        raise
    _check_changed(trainer)
    outcome = _outcome(trainer, pace, peaks())
    final = work / "final"
    _save(trainer, engine, job, final)
    card = _card(job, data, outcome)
    (final / CARD).write_text(card.model_dump_json(indent=1) + "\n", encoding="utf-8")
    (final / "README.md").write_text(read_me(card, job.out.name), encoding="utf-8")
    if job.out.exists():
        shutil.rmtree(job.out)
    final.rename(job.out)
    shutil.rmtree(work)
    return card


def _data(engine: TransformerEngine, job: Job) -> _Data:
    most = max(len(item.options) for item in job.test)
    items, fewer = with_fewer_options(job.train, most, job.recipe.seed)
    found = leaks(items, job.test)
    dropped = {leak.train_id for leak in found}
    items = [item for item in items if item.id not in dropped]
    kept, held = held_out(items, job.recipe.held_out, MOST_HELD_OUT, job.recipe.seed)
    train = examples(engine, job.asking, kept)
    check = sorted(examples(engine, job.asking, held), key=lambda one: len(one.prompt))  # little padding
    if not train:
        raise BenchError("no training example is left: all were dropped or too long for the model")
    too_long = len(items) - len(train) - len(check)
    return _Data(items, train, check, found, too_long, fewer)


def _work_folder(job: Job) -> Path:
    """Beside the adapter's folder; one that another job left is begun anew."""
    work = job.out.with_name(f".{job.out.name}.tuning")
    mark = work / "job"
    if not mark.is_file() or mark.read_text(encoding="utf-8") != job.key:
        shutil.rmtree(work, ignore_errors=True)
    shutil.rmtree(work / "final", ignore_errors=True)
    try:
        work.mkdir(parents=True, exist_ok=True)
        mark.write_text(job.key, encoding="utf-8")
    except OSError as error:
        raise BenchError(f"nothing can be written to {work}: {error.strerror}") from error
    return work


def _last_checkpoint(work: Path) -> str | None:
    """The newest checkpoint that is whole; one that a kill tore is removed. Its state is written last."""
    for folder in work.glob("checkpoint-*"):
        try:
            json.loads((folder / "trainer_state.json").read_bytes())
        except (OSError, ValueError):
            shutil.rmtree(folder)
    return get_last_checkpoint(str(work))


def _trainer(
    engine: TransformerEngine, job: Job, data: _Data, work: Path, started: float, tell: Tell
) -> tuple[Any, Pace]:
    seq2seq = engine.model.config.is_encoder_decoder
    checkpointing = _needs_checkpointing(engine.model, data.train, job.recipe.batch)
    settings, trainer = (
        (Seq2SeqTrainingArguments, Seq2SeqTrainer) if seq2seq else (TrainingArguments, Trainer)
    )
    if job.tensorboard:
        os.environ["TENSORBOARD_LOGGING_DIR"] = str(job.tensorboard)
    model = _trainable(engine, job.recipe)
    pace = Pace(job.recipe, started, bool(data.held), tell)
    found = trainer(
        model=model,
        args=settings(**_settings(job, work, checks=bool(data.held), checkpointing=checkpointing)),
        train_dataset=_rows(data.train),
        eval_dataset=_rows(data.held) or None,
        data_collator=collate_seq2seq if seq2seq else partial(collate_causal, engine.model),
        callbacks=[pace, *([EarlyStoppingCallback(PATIENCE)] if data.held else [])],
    )
    found.remove_callback(PrinterCallback)
    return found, pace


def _rows(found: Sequence[Example]) -> Any:
    """A list is a dataset to the Trainer; it groups rows of like length by `input_ids`."""
    return [{"input_ids": one.prompt, "answer": one.answer} for one in found]


def _settings(job: Job, work: Path, *, checks: bool, checkpointing: bool) -> dict[str, Any]:
    recipe = job.recipe
    when = "steps" if checks else "no"
    return {
        "output_dir": str(work),
        "per_device_train_batch_size": recipe.batch,
        "per_device_eval_batch_size": min(2, recipe.batch),  # never reduced when memory runs out
        "auto_find_batch_size": True,
        "learning_rate": recipe.learning_rate,
        "lr_scheduler_type": "constant",
        "max_steps": recipe.steps or -1,
        "num_train_epochs": recipe.epochs or NO_STEPS // 1000,
        "weight_decay": 0.01,
        "bf16": recipe.dtype == "bfloat16",
        "activation_checkpointing": checkpointing,
        "activation_checkpointing_kwargs": {"use_reentrant": False},
        "train_sampling_strategy": "group_by_length",
        "remove_unused_columns": False,
        "label_names": ["labels"],
        "prediction_loss_only": True,
        # `Pace` says when; these only name the kind of strategy that the best checkpoint needs.
        "eval_strategy": when,
        "eval_steps": NO_STEPS,
        "eval_on_start": checks,
        "save_strategy": "steps",
        "save_steps": NO_STEPS,
        "save_total_limit": 2,
        "load_best_model_at_end": checks,
        "metric_for_best_model": "eval_loss" if checks else None,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "report_to": ["tensorboard"] if job.tensorboard else "none",
        "disable_tqdm": True,
        "seed": recipe.seed,
        "use_cpu": device_name() == "cpu",
        "dataloader_pin_memory": False,
    }


def _trainable(engine: TransformerEngine, recipe: Recipe) -> Any:
    # Here, not at the top: it imports bitsandbytes, which warns on its own until a model was opened.
    from peft import LoraConfig, TaskType, get_peft_model

    model = engine.model
    if recipe.method == "full":
        return model.requires_grad_(True)
    model.requires_grad_(False)
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=2 * recipe.rank,
        lora_dropout=0.0,  # on a CPU it takes as long as the rest of the forward pass
        target_modules=recipe.target if recipe.target == ALL_LINEAR else _layers(model, recipe.target),
        task_type=TaskType.SEQ_2_SEQ_LM if model.config.is_encoder_decoder else TaskType.CAUSAL_LM,
    )
    try:
        return get_peft_model(model, config)
    except ValueError as error:
        raise BenchError(f"--target {recipe.target} does not fit this model: {first_line(error)}") from error


def _layers(model: Any, target: str) -> list[str]:
    """The named layers, each of which the model must have."""
    names = [name.strip() for name in target.split(",")]
    known = {name.rsplit(".", 1)[-1] for name, _ in model.named_modules()}
    if missing := [name for name in names if name not in known]:
        raise BenchError(f"--target {missing[0]} does not fit this model: it has no such layer")
    return names


def _half_precision(model: Any) -> AbstractContextManager[object]:
    """LoRA's float32 weights are cast to bfloat16 for a product, not its inputs to float32: half the time."""
    from peft import PeftModel
    from peft.helpers import disable_input_dtype_casting

    return disable_input_dtype_casting(model) if isinstance(model, PeftModel) else nullcontext()


def _needs_checkpointing(model: Any, train: Sequence[Example], batch: int) -> bool:
    """Whether keeping all activations of a batch would take more than half of the free memory."""
    config = model.config.get_text_config()
    longest = max(len(one.prompt) + len(one.answer) for one in train)
    needed = config.num_hidden_layers * batch * longest * config.hidden_size * ACTIVATIONS
    needed *= 2 if model.dtype == torch.float32 else 1
    return needed > free_memory_bytes() / 2


def _check_changed(trainer: Any) -> None:
    """LoRA starts from nothing: where its second halves are all zero, no step has counted."""
    halves = [weight for name, weight in trainer.model.named_parameters() if "lora_B" in name]
    if halves and not any(weight.any() for weight in halves):
        steps = trainer.state.global_step
        raise BenchError(f"nothing was learnt in {steps} steps; give a larger budget or --learning-rate")


def _save(trainer: Any, engine: TransformerEngine, job: Job, folder: Path) -> None:
    if job.recipe.method == "full":
        trainer.model.save_pretrained(str(folder))
        engine.tokenizer.save_pretrained(str(folder))
        return
    # The base's own name, not the folder on this machine that it was loaded from.
    source = job.opening.card.source
    base = source.hub if isinstance(source, HubSource) else job.opening.card.name
    trainer.model.peft_config["default"].base_model_name_or_path = base
    # Otherwise peft asks the hub whether the vocabulary was changed.
    trainer.model.save_pretrained(str(folder), save_embedding_layers=False)


def _outcome(trainer: Any, pace: Pace, peaks: tuple[int | None, int | None]) -> Outcome:
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
        batch=trainer._train_batch_size,  # noqa: SLF001 (what it came down to)
        gradient_checkpointing=trainer.args.activation_checkpointing,
        peak_memory_bytes=peaks[0],
        peak_device_memory_bytes=peaks[1],
        stopped="budget" if over else "no better",
    )


def _card(job: Job, data: _Data, outcome: Outcome) -> AdapterCard:
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
            held_out=len(data.held),
            leaks=tuple(data.leaks),
            too_long=data.too_long,
            fewer_options=data.fewer,
        ),
        outcome=outcome,
        libraries={name: version(name) for name in LIBRARIES},
        device=device_title(),
        questions=tuple(sorted({question_digest(item) for item in data.items})),
    )
