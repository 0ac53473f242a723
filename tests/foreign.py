"""lm-eval's own engine on a model of ours, and a small task of its form on local data."""

from pathlib import Path
from typing import Any

import yaml
from lm_eval import simple_evaluate
from lm_eval.loggers import EvaluationTracker
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from bench.inputs.model_card import Architecture
from conftest import write_lines

SUBJECTS = ["insulin", "bile", "urine", "tears", "sweat", "blood", "saliva"]
DOCS: list[dict[str, object]] = [
    {
        "question": f"Which {part} makes {subject}?",
        "choices": ["Liver", f"Pancreas and {subject}", "Spleen or Vitamin C", "Kidney"][: 4 - number % 2],
        "gold": (number + len(part)) % 3,
    }
    for part in ("organ", "part of a patient")
    for number, subject in enumerate(SUBJECTS)
]
SHOWN: list[dict[str, object]] = [
    {"question": f"Which organ is missing in {of}?", "choices": ["Spleen", "Vitamin A", "Liver"], "gold": 1}
    for of in ("scurvy", "fever", "cough")
]
OPENING = "The following are questions.\n\n"
METRICS = [{"metric": name, "aggregation": "mean", "higher_is_better": True} for name in ("acc", "acc_norm")]
LETTERS = {
    "doc_to_text": "Question: {{question}}\n{% for one in choices %}{{'ABCD'[loop.index0]}}. {{one}}\n"
    "{% endfor %}Answer:",
    "doc_to_choice": "{{['A', 'B', 'C', 'D'][:choices|length]}}",
}


def write_task(folder: Path, name: str = "organs", **changed: object) -> None:
    """A task of lm-eval's on local data; a key that is changed to None is left out."""
    data = folder / "data"
    if not data.is_dir():
        write_lines(data / "test.jsonl", DOCS)
        write_lines(data / "shown.jsonl", SHOWN)
        write_lines(data / "one.jsonl", SHOWN[:1])
    contents: dict[str, object] = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {
            "data_files": {split: str(data / f"{split}.jsonl") for split in ("test", "shown", "one")},
            "cache_dir": str(folder / "cache"),
        },
        "test_split": "test",
        "fewshot_split": "shown",
        "output_type": "multiple_choice",
        "doc_to_text": "Question: {{question}}\nAnswer:",
        "doc_to_choice": "choices",
        "doc_to_target": "gold",
        "metric_list": METRICS,
        "metadata": {"version": 2.0},
    }
    contents = {key: value for key, value in (contents | changed).items() if value is not None}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(contents), encoding="utf-8")


def reference(folder: Path, architecture: Architecture = "decoder", batch: int = 8) -> HFLM:
    """lm-eval's engine in float32, on a model that none of our code has loaded."""
    auto = AutoModelForSeq2SeqLM if architecture == "encoder-decoder" else AutoModelForCausalLM
    model = auto.from_pretrained(folder, dtype="float32")
    # HFLM ties weights again after loading, and transformers 5 says that every T5 is tied: the
    # reference would lose FLAN-T5's own output head and score with the embeddings instead.
    model.config.tie_word_embeddings = architecture == "decoder" and model.config.tie_word_embeddings
    return HFLM(pretrained=model, tokenizer=AutoTokenizer.from_pretrained(folder), batch_size=batch)


def run_lm_eval(
    folder: Path, model: Path, out: Path, *tasks: str, arguments: str = "", **options: Any
) -> None:
    """As lm-eval's own command line does with --output_path and --log_samples."""
    tracker = EvaluationTracker(output_path=str(out))
    evaluated = simple_evaluate(
        model="hf",
        model_args=f"pretrained={model},dtype=float32{arguments}",
        tasks=list(tasks),
        task_manager=TaskManager(include_path=folder, include_defaults=False),
        evaluation_tracker=tracker,
        batch_size=8,
        device="cpu",
        bootstrap_iters=0,
        **options,
    )
    assert evaluated is not None
    samples = evaluated.pop("samples")
    tracker.save_results_aggregated(results=evaluated, samples=samples)
    for name in evaluated["configs"]:
        tracker.save_results_samples(task_name=name, samples=samples[name])
