"""Measure models of many sizes for the test of estimates: python docs/estimate_models.py OUT.jsonl.

Models of real classes with random weights in 16 bits, from 2 MB to 1 GB, are run one after the other by
`bench run --latency` in a temporary folder, on 12 questions of `medqa_sample`. OUT gets a `result.json` a
line; models that it has already are left out. Takes about 10 minutes with OMP_NUM_THREADS=1, 3 GB of
memory and 1 GB of disk. Times are measured, so the machine must be quiet.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from tiny import bpe_tokenizer

PROJECT = Path(__file__).resolve().parent.parent
QUESTIONS = 12
WORDS = 8000
"""Tokens of the vocabulary, trained on the questions, so that prompts are about as long as real ones."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A model of the class `family` of transformers; `vocabulary` is the number of embeddings."""

    family: str
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    inner: int
    vocabulary: int = WORDS

    def config(self) -> Any:
        return getattr(transformers, f"{self.family}Config")(
            vocab_size=self.vocabulary,
            hidden_size=self.hidden,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.kv_heads,
            intermediate_size=self.inner,
            max_position_embeddings=2048,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
        )


SHAPES = (
    Shape("Llama", 64, 4, 4, 2, 192),
    Shape("Qwen3", 128, 4, 4, 2, 384),
    Shape("Qwen2", 192, 6, 6, 2, 512),
    Shape("Llama", 256, 8, 4, 4, 704),
    Shape("Mistral", 256, 12, 8, 2, 896),
    Shape("Qwen3", 384, 8, 6, 2, 1024, 16000),
    Shape("Olmo2", 384, 12, 6, 6, 1024),
    Shape("Phi3", 512, 8, 8, 8, 1408),
    Shape("Qwen2", 512, 12, 8, 2, 1536, 16000),
    Shape("Granite", 512, 16, 8, 4, 1408, 16000),
    Shape("Llama", 576, 20, 9, 3, 1536, 16000),
    Shape("SmolLM3", 640, 16, 10, 2, 1792, 16000),
    Shape("Qwen3", 640, 20, 10, 2, 1920, 16000),
    Shape("Mistral", 768, 16, 12, 4, 2048),
    Shape("Olmo2", 768, 16, 12, 12, 2304, 16000),
    Shape("Llama", 768, 24, 12, 4, 2048, 16000),
    Shape("Qwen2", 896, 20, 14, 2, 2816, 16000),
    Shape("Phi3", 896, 22, 14, 14, 2560),
    Shape("Granite", 1024, 20, 16, 4, 2816),
    Shape("Llama", 960, 28, 15, 5, 2560, 16000),
    Shape("Qwen3", 1024, 26, 16, 8, 3072, 16000),
    Shape("Mistral", 1280, 20, 20, 4, 3456, 16000),
    Shape("Qwen2", 1152, 28, 18, 2, 3584, 16000),
    Shape("Llama", 1408, 22, 22, 2, 3840, 16000),
)

TASK = """\
name: sizes
version: 1
title: Sizes
license: Apache-2.0
data: {files: {test: test.jsonl}}
prompt: |-
  Question: {{ question }}
  {% for letter, option in options %}{{ letter }}. {{ option }}
  {% endfor %}Answer:
scoring: {view: letter}
"""


def main(out: Path) -> None:
    lines = out.read_text(encoding="utf-8").splitlines(keepends=True) if out.exists() else []
    done = {json.loads(line)["cell"]["model"]["name"] for line in lines}
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        texts = _task(here)
        tokenizer = bpe_tokenizer(texts, size=WORDS)
        # Small and large ones in turn, so that another program that runs for a while does not favour a size.
        for number in (*range(0, len(SHAPES), 3), *range(1, len(SHAPES), 3), *range(2, len(SHAPES), 3)):
            shape = SHAPES[number]
            name = f"{shape.family.lower()}-{number:02d}"
            if name in done:
                continue
            _save(here, name, shape, tokenizer)
            lines.append(_measured(here, name))
            shutil.rmtree(here / "weights" / name)
            out.write_text("".join(lines), encoding="utf-8")


def _task(here: Path) -> list[str]:
    """Write the task and its questions; returns their texts."""
    source = PROJECT / "tasks" / "data" / "medqa_sample_test.jsonl"
    rows = source.read_text(encoding="utf-8").splitlines()[:QUESTIONS]
    for name in ("tasks", "model_cards", "weights"):
        (here / name).mkdir()
    (here / "tasks" / "test.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (here / "tasks" / "sizes.yaml").write_text(TASK, encoding="utf-8")
    return [f"Question: {row} Answer:" for row in source.read_text(encoding="utf-8").splitlines()]


def _save(here: Path, name: str, shape: Shape, tokenizer: Any) -> None:
    torch.manual_seed(7)
    folder = here / "weights" / name
    AutoModelForCausalLM.from_config(shape.config(), dtype=torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    card = {"name": name, "title": name, "family": "random", "architecture": "decoder", "license": "cc0-1.0"}
    source = {"path": f"../weights/{name}"}
    text = json.dumps(card | {"source": source, "context": 2048})
    (here / "model_cards" / f"{name}.yaml").write_text(text, encoding="utf-8")


def _measured(here: Path, name: str) -> str:
    words = [sys.executable, "-m", "bench", "run", "--models", name, "--tasks", "sizes", "--offline"]
    subprocess.run([*words, "--dtype", "bfloat16", "--latency", "--results", "results"], cwd=here, check=True)
    (path,) = (here / "results" / "sizes" / name).glob("*/result.json")
    return json.dumps(json.loads(path.read_bytes()), separators=(",", ":")) + "\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
