"""Dequantise a GGUF file, in a separate process: python -m bench.engines.convert GGUF FOLDER.

Separate, so that its time and memory are not counted as the model's.
"""

import shutil
import sys
from functools import cache
from pathlib import Path
from typing import Any

import gguf as gguf_library
import torch
from filelock import FileLock
from gguf import dequantize
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.integrations.gguf.utils import is_gguf_arch_supported
from transformers.modeling_gguf_pytorch_utils import (
    TENSOR_PROCESSORS,
    TensorProcessor,
    get_gguf_hf_weights_map,
)

from bench.engines.check_weights import check_loaded, names_of, whole_report
from bench.errors import BenchError

# transformers reads the file anew for configuration, tokenizer and tensors, and makes the same map of names
# anew for each module of a model: each takes seconds.
gguf_library.GGUFReader = cache(gguf_library.GGUFReader)
gguf_library.get_tensor_name_map = cache(gguf_library.get_tensor_name_map)

EXPERTS = "_exps."
"""In the names of tensors that hold all experts of a layer: transformers splits them before it names them."""


def convert(gguf: Path, folder: Path) -> None:
    """Write model and tokenizer to the folder, as float32 safetensors, unless it has them.

    This process takes the lock, not its caller: if the caller is stopped, the conversion still completes,
    and the next caller waits for it. Raises a BenchError where the model would lack a part of the file.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "config.json").is_file():
            _convert(gguf, folder)


def _convert(gguf: Path, folder: Path) -> None:
    source: dict[str, Any] = {"gguf_file": gguf.name, "local_files_only": True}
    load: Any = AutoModelForCausalLM.from_pretrained
    with whole_report() as reports:
        loaded = load(gguf.parent, dtype=torch.float32, ignore_mismatched_sizes=True, **source)
    check_loaded(loaded, reports[0], {})
    check_file(gguf_library.GGUFReader(str(gguf)), loaded, reports[0].unexpected_keys)
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


def check_file(file: Any, model: Any, without_place: set[str]) -> None:
    """Raises a BenchError where the GGUF `file` has a tensor or a scaling of positions that the model lacks.

    `without_place` are the tensors for which transformers says that it has no place; others it leaves out
    without a word.
    """
    architecture: str = file.fields["general.architecture"].contents()
    dropped = {name for name in without_place if not name.startswith("mtp.")}
    if not is_gguf_arch_supported(architecture):
        processor = TENSOR_PROCESSORS.get(architecture, TensorProcessor)
        known = get_gguf_hf_weights_map(model, processor(config={}))
        dropped |= {tensor.name for tensor in file.tensors if tensor.name not in known}
    dropped = {name for name in dropped if EXPERTS not in name and not _is_neutral(file, name)}
    text = "which transformers leaves out of this architecture: use the safetensors weights"
    if dropped:
        raise BenchError(f"it holds {names_of(dropped)}, {text}")
    scaling = file.fields.get(f"{architecture}.rope.scaling.type")
    rope = getattr(model.config.get_text_config(), "rope_parameters", None) or {}
    if scaling and scaling.contents() != "none" and rope.get("rope_type", "default") == "default":
        raise BenchError(f"its positions are scaled ({scaling.contents()}), {text}")


def _is_neutral(file: Any, name: str) -> bool:
    """Whether the tensor holds factors of one alone, as those of a context that is not extended."""
    if not name.startswith("rope_"):
        return False
    [tensor] = [tensor for tensor in file.tensors if tensor.name == name]
    return bool((dequantize(tensor.data, tensor.tensor_type) == 1).all())


if __name__ == "__main__":
    try:
        convert(Path(sys.argv[1]), Path(sys.argv[2]))
    except BenchError as error:
        sys.exit(str(error))
