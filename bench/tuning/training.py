"""One tuning: model, items and recipe -> an adapter folder. peft and transformers' Trainer do the work."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import psutil
from accelerate.utils.memory import should_reduce_batch_size
from transformers import set_seed
from transformers.trainer_utils import get_last_checkpoint

from bench.engines.loading import open_transformers
from bench.errors import BenchError
from bench.inputs.adapter import AdapterCard
from bench.inputs.weights import Weights
from bench.plain_files import read_bytes, read_text
from bench.tuning.adapter_folder import adapter_card, save_adapter, training_outcome
from bench.tuning.job import Job, PeakMemory, Prepared, Report
from bench.tuning.pace import Pace
from bench.tuning.trainer import bfloat16_inputs, build_trainer
from bench.tuning.training_data import TrainingData, training_data


def tune(job: Job, weights: Weights, report: Report, peak_memory: PeakMemory) -> AdapterCard:
    """Train, keep the best checkpoint, and write the adapter with its card to `job.out`, whole or not at all.

    A tuning that was interrupted resumes from its last checkpoint where the job is the same. Raises a
    BenchError where the budget is too small, memory runs out, or nothing was learnt.
    """
    # The budget counts from the start of the process, imports included.
    started = time.monotonic() - (time.time() - psutil.Process().create_time() if job.own_process else 0.0)
    set_seed(job.recipe.seed)
    engine = open_transformers(job.opening, weights)
    data = training_data(engine, job)
    work = _work_folder(job)
    checkpoint = _last_checkpoint(work)
    report(_prepared(data, checkpoint))
    pace = Pace(job.recipe, started, bool(data.held_out), report)
    trainer = build_trainer(engine, job, data, work, pace)
    _check_budget(job, pace)
    _train(trainer, checkpoint)
    _check_changed(trainer)
    card = adapter_card(job, data, training_outcome(trainer, pace, peak_memory()))
    final = work / "final"
    save_adapter(trainer, engine, job, card, final)
    if job.out.exists():
        shutil.rmtree(job.out)
    final.rename(job.out)
    shutil.rmtree(work)
    return card


def _work_folder(job: Job) -> Path:
    """A folder beside the adapter's, for checkpoints. What another job left in it is removed."""
    work = job.out.with_name(f".{job.out.name}.tuning")
    mark = work / "job"
    if not mark.is_file() or read_text(mark) != job.key:
        shutil.rmtree(work, ignore_errors=True)
    shutil.rmtree(work / "final", ignore_errors=True)
    try:
        work.mkdir(parents=True, exist_ok=True)
        mark.write_text(job.key, encoding="utf-8")
    except OSError as error:
        raise BenchError(f"nothing can be written to {work}: {error.strerror}") from error
    return work


def _last_checkpoint(work: Path) -> str | None:
    """The newest complete checkpoint. Incomplete ones are removed: a checkpoint's state is written last."""
    for folder in work.glob("checkpoint-*"):
        try:
            json.loads(read_bytes(folder / "trainer_state.json"))
        except (OSError, ValueError):
            shutil.rmtree(folder)
    return get_last_checkpoint(str(work))


def _prepared(data: TrainingData, checkpoint: str | None) -> Prepared:
    return Prepared(
        train=len(data.train),
        held_out=len(data.held_out),
        leaks=data.leaks,
        too_long=data.too_long,
        fewer_options=data.fewer_options,
        step=int(checkpoint.rpartition("-")[2]) if checkpoint else 0,
    )


def _check_budget(job: Job, pace: Pace) -> None:
    """Raises a BenchError where loading alone took nearly the whole budget of minutes."""
    minutes = job.recipe.minutes
    if minutes and pace.elapsed > 54 * minutes:
        spent = f"{pace.elapsed:.0f} s went into loading"
        raise BenchError(f"{minutes:g} minutes are too few: {spent} alone; give more")


def _train(trainer: Any, checkpoint: str | None) -> None:
    try:
        with bfloat16_inputs(trainer.model):
            trainer.train(resume_from_checkpoint=checkpoint)
    except RuntimeError as error:
        # The Trainer halves the batch itself; where one example is too much, it raises errors of its own.
        message = str(error)
        if should_reduce_batch_size(error) or "executable batch size" in message or "batch_size" in message:
            text = "out of memory, even with one example a batch; try --quantize nf4 or a smaller model"
            raise BenchError(text) from error
        raise


def _check_changed(trainer: Any) -> None:
    """LoRA's B matrices start at zero: where all of them still are, no step changed anything."""
    matrices = [weight for name, weight in trainer.model.named_parameters() if "lora_B" in name]
    if matrices and not any(weight.any() for weight in matrices):
        steps = trainer.state.global_step
        raise BenchError(f"nothing was learnt in {steps} steps; give a larger budget or --learning-rate")
