"""A small valid project that has a file of every kind that the program reads."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner
from safetensors.numpy import save_file

from conftest import ITEMS, TASK, TRAIN, write_lines

CARD: dict[str, Any] = {
    "name": "toy",
    "title": "Toy model",
    "family": "toy",
    "source": {"path": "weights"},
    "architecture": "decoder",
    "parameters": 1000,
    "context": 128,
    "license": "mit",
    "chat": False,
    "languages": ["en"],
    "released": "2026-01-01",
    "references": ["https://example.org/toy"],
    "note": "",
}
HUB_CARD = CARD | {"name": "hubtoy", "source": {"hub": "org/hubtoy", "revision": "main"}}
SWEEP = """\
title: A sweep
models: [chance, majority]
tasks: [anatomy]
variants:
- {}
- exemplars: 1
limit: 2
limit_order: file
seed: 3
jobs: 1
timeout: 60
"""
SUITE = "name: all\ntitle: All\ntasks: {anatomy: 1, quiz: 0.5}\n"
POLICY = """\
title: For the ward
model: chance
tasks: [anatomy]
requirements:
- {name: better than guessing, better_than: guessing}
- {name: read, unread_at_most: 1 %}
- {name: fits, memory: 2GB, latency: 500ms, license: permissive}
- {name: close, not_worse_than: majority, margin: 5 points}
"""
GENERATE = """\
name: quiz
version: 2
title: Quiz
description: Numbers.
notice: A notice.
license: MIT
data:
  files: {test: quiz.csv, exemplars: shots.jsonl}
  columns: {id: key, question: text, options: [a, b, c], answer: right, group: topic}
  where: {topic: [x, y]}
prompt: "{{ question }} {% for letter, option in options %}{{ letter }}) {{ option }} {% endfor %}"
system: "About {{ group }}."
exemplars: 1
scoring: {view: letter}
metrics: [accuracy, macro_f1]
generate:
  prompt: "{{ question }} Think."
  max_new_tokens: 16
  temperature: 0.5
  samples: 3
"""
CSV = """\
key,text,a,b,c,right,topic
1,One?,one,two,three,A,x
2,Two?,one,two,three,B,y
3,Three?,one,two,three,C,x
"""


def fill(project: Path) -> None:
    """Write the project's files; its runs are made by the program itself."""
    write_lines(project / "tasks" / "test.jsonl", _rows(ITEMS))
    write_lines(project / "tasks" / "train.jsonl", _rows(TRAIN))
    shot = {"key": "s1", "text": "Four?", "a": "four", "b": "two", "c": "three", "right": "A", "topic": "x"}
    other = {"key": "s2", "text": "Five?", "a": "four", "b": "two", "c": "five", "right": "C", "topic": "y"}
    write_lines(project / "tasks" / "shots.jsonl", _rows([shot, other]))
    texts = {
        "tasks/anatomy.yaml": TASK,
        "tasks/quiz.yaml": GENERATE,
        "tasks/quiz.csv": CSV,
        "suites/all.yaml": SUITE,
        "sweep.yaml": SWEEP,
        "policy.yaml": POLICY,
        "model_cards/toy.yaml": json.dumps(CARD),
        "model_cards/hubtoy.yaml": json.dumps(HUB_CARD),
    }
    for name, text in texts.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text, encoding="utf-8")
    _adapter(project / "adapter")
    _call("run", "--models", "chance,majority", "--tasks", "anatomy", "--offline")
    _call("run", "--models", "chance", "--tasks", "quiz", "--offline")
    (project / "results" / "board.yaml").write_text(
        "title: Ours\ntasks: {anatomy: 1, quiz: 0.5}\n", encoding="utf-8"
    )
    _journal(project / "results")
    _imports(project)


def _rows(rows: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    return [dict(row) for row in rows]


def _call(*words: str) -> None:
    from bench.cli import main

    result = CliRunner().invoke(main, list(words))
    if result.exit_code:
        raise RuntimeError(f"{words}: {result.output}") from result.exception


def _adapter(folder: Path) -> None:
    folder.mkdir()
    config = {
        "peft_type": "LORA",
        "r": 2,
        "lora_alpha": 4,
        "target_modules": ["q_proj"],
        "base_model_name_or_path": "x",
    }
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    save_file({"a.lora_A.weight": np.zeros((2, 4), np.float32)}, folder / "adapter_model.safetensors")


def _journal(results: Path) -> None:
    """An unfinished run with the facts and the records of a finished one."""
    from bench.results import journal
    from bench.results.store import read_run

    path = next((results / "anatomy" / "majority").rglob("result.json"))
    run = read_run(results, path)
    folder = results / "begun"
    folder.mkdir()
    batch = journal.Batch(records=run.records, batch_tokens=None, seconds=0.1, peak_memory_bytes=10**6)
    head = journal.Head(cell=run.result.cell, machine="here")  # type: ignore[union-attr]
    (folder / journal.NAME).write_text(
        f"{head.model_dump_json()}\n{batch.model_dump_json()}\n", encoding="utf-8"
    )


def _imports(project: Path) -> None:
    """An output of lm-evaluation-harness, by our own export."""
    _call("export", "lm-eval", "--out", "lm")
    for folder in sorted((project / "lm").iterdir()):
        if folder.is_dir() and folder.name != "chance":
            shutil.rmtree(folder)
    for path in (project / "lm").rglob("results_*.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        for config in content["configs"].values():
            config["metadata"].pop("made_by", None)
        path.write_text(
            json.dumps(content | {"config": content["config"] | {"model": "hf"}}), encoding="utf-8"
        )
