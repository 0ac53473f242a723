"""Set up a training run: the trainable parameters, and transformers' Trainer with our settings and pace."""

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
    Trainer,
    TrainingArguments,
)

from bench.engines.memory import free_memory_bytes
from bench.engines.torch_device import device_name
from bench.engines.transformer import TransformerEngine
from bench.errors import BenchError, one_line
from bench.inputs.adapter import Recipe
from bench.tuning.collate import collate_causal, collate_seq2seq
from bench.tuning.examples import Example
from bench.tuning.job import Job
from bench.tuning.pace import Pace
from bench.tuning.training_data import TrainingData

PATIENCE = 3
"""Checks of the held-out loss without a new best before tuning ends."""
ALL_LINEAR = "all-linear"
NO_STEPS = 10**9
"""Epochs or steps that no budget of minutes reaches: `Pace` stops the training."""
ACTIVATIONS = 34
"""Bytes that a transformer layer keeps per token and hidden unit for the backward pass in 16 bits
(Korthikanti et al. 2022, without attention scores)."""


def build_trainer(engine: TransformerEngine, job: Job, data: TrainingData, work: Path, pace: Pace) -> Any:
    """A Trainer that is ready to train. It keeps its checkpoints in the folder `work`.

    Raises a BenchError where the recipe's target layers are not in the model.
    """
    seq2seq = engine.model.config.is_encoder_decoder
    checkpointing = _needs_checkpointing(engine.model, data.train, job.recipe.batch)
    settings, trainer_class = (
        (Seq2SeqTrainingArguments, Seq2SeqTrainer) if seq2seq else (TrainingArguments, Trainer)
    )
    if job.tensorboard:
        os.environ["TENSORBOARD_LOGGING_DIR"] = str(job.tensorboard)
    trainer = trainer_class(
        model=_trainable_model(engine, job.recipe),
        args=settings(**_settings(job, work, checks=bool(data.held_out), checkpointing=checkpointing)),
        train_dataset=_rows(data.train),
        eval_dataset=_rows(data.held_out) or None,
        data_collator=collate_seq2seq if seq2seq else partial(collate_causal, engine.model),
        callbacks=[pace, *([EarlyStoppingCallback(PATIENCE)] if data.held_out else [])],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _rows(examples: Sequence[Example]) -> Any:
    """A list is a dataset to the Trainer; it groups rows of similar length by `input_ids`."""
    return [{"input_ids": example.prompt, "answer": example.answer} for example in examples]


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
        # `Pace` decides when; these only name the kind of strategy that the best checkpoint needs.
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


def _trainable_model(engine: TransformerEngine, recipe: Recipe) -> Any:
    # Here, not at the top: it imports bitsandbytes, which prints warnings until a model was opened.
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
        raise BenchError(f"--target {recipe.target} does not fit this model: {one_line(error)}") from error


def _layers(model: Any, target: str) -> list[str]:
    """The layer names in `target`, comma-separated. Raises a BenchError where the model lacks one."""
    names = [name.strip() for name in target.split(",")]
    known = {name.rsplit(".", 1)[-1] for name, _ in model.named_modules()}
    if missing := [name for name in names if name not in known]:
        raise BenchError(f"--target {missing[0]} does not fit this model: it has no such layer")
    return names


def bfloat16_inputs(model: Any) -> AbstractContextManager[object]:
    """Within, LoRA's float32 weights are cast to bfloat16 for a product, instead of its inputs to float32.

    This halves the time of a step.
    """
    from peft import PeftModel
    from peft.helpers import disable_input_dtype_casting

    return disable_input_dtype_casting(model) if isinstance(model, PeftModel) else nullcontext()


def _needs_checkpointing(model: Any, train: Sequence[Example], batch: int) -> bool:
    """Whether keeping all activations of a batch would take more than half of the free memory."""
    config = model.config.get_text_config()
    longest = max(len(example.prompt) + len(example.answer) for example in train)
    needed = config.num_hidden_layers * batch * longest * config.hidden_size * ACTIVATIONS
    needed *= 2 if model.dtype == torch.float32 else 1
    return needed > free_memory_bytes() / 2
