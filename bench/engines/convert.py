"""Dequantise a GGUF file, in a separate process: python -m bench.engines.convert GGUF FOLDER.

Separate, so that its time and memory are not counted as the model's.
"""

import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer


def convert(gguf: Path, folder: Path) -> None:
    """Write model and tokenizer to the folder, as float32 safetensors, unless it has them.

    This process takes the lock, not its caller: if the caller is stopped, the conversion still completes,
    and the next caller waits for it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "config.json").is_file():
            _convert(gguf, folder)


def _convert(gguf: Path, folder: Path) -> None:
    source: dict[str, Any] = {"gguf_file": gguf.name, "local_files_only": True}
    loaded = AutoModelForCausalLM.from_pretrained(gguf.parent, dtype=torch.float32, **source)
    # The configuration that transformers makes from a GGUF says that it is quantised, and a model saved
    # with it cannot be loaded: build the model again from a configuration that does not.
    values = loaded.config.to_dict()
    for key in ("quantization_config", "_name_or_path"):
        values.pop(key, None)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**values), dtype=torch.float32)
    model.load_state_dict(loaded.state_dict())
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    model.save_pretrained(unfinished)
    AutoTokenizer.from_pretrained(gguf.parent, **source).save_pretrained(unfinished)
    unfinished.rename(folder)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
