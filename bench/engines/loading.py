"""Weights on disk -> a loaded engine. Only this module knows how transformers loads a model."""

import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, GenerationConfig
from transformers.utils import logging as transformers_logging

from bench.engines.adapter_tokenizer import adapter_tokenizer
from bench.engines.adapters import adapted_model, check_tuned, is_of_wrapper
from bench.engines.auto_class import choose_class, why_not
from bench.engines.check_format import check_bitsandbytes, check_format
from bench.engines.check_weights import check_folder, check_loaded, whole_report
from bench.engines.choose_path import best_path
from bench.engines.engine import Opening
from bench.engines.fitting import check_tokenizer, check_window
from bench.engines.memory import keep_few_kernels
from bench.engines.quantizing import (
    FOUR_BITS,
    checked_format,
    in_dtype,
    keep_as_written,
    keep_unpacked,
    quantization,
    torch_dtype,
    whole_blocks,
)
from bench.engines.stored_tensors import StoredTensor, stored_tensors
from bench.engines.tokenizing import without_dropout
from bench.engines.torch_device import device_name, placement
from bench.engines.transformer import TransformerEngine
from bench.errors import BenchError
from bench.folders import cache_folder
from bench.inputs.model_card import ModelCard
from bench.inputs.stored_format import StoredFormat
from bench.inputs.weight_files import weight_files
from bench.inputs.weights import NO_TRUST, Trust, Weights

CPU_BATCH_TOKENS = 1536
"""Tokens of a scoring batch, rows x longest row; below, the same on a GPU."""
CUDA_BATCH_TOKENS = 32768
CONVERSION = 2
"""Raised when conversions of GGUF files that were made before must not be used. 2: they are checked."""


def open_transformers(opening: Opening, weights: Weights) -> TransformerEngine:
    """Load model and tokenizer, in the opening's dtype and weight format, onto the device.

    Raises a BenchError where they cannot be loaded, or adapter, tokenizer or window do not fit.
    """
    quieten()
    adapter = opening.adapter
    tuned = adapter if adapter and adapter.method == "full" else None
    lora = None if tuned else adapter
    folder = tuned.path if tuned else readable_folder(weights)
    device = device_name()
    if device == "cpu":
        keep_few_kernels()

    def load() -> Any:
        return load_model(opening, folder, pickled=weights.pickled and not tuned).eval()

    model = adapted_model(load, lora) if lora else load()
    if tuned:
        check_tuned(tuned, readable_folder(weights))
    if device == "cpu":
        # With a mask, transformers repeats keys and values for each query head, which the CPU's kernel
        # does not need: without it, scoring after a prefix of 1,100 tokens is 1.7 times as fast.
        os.environ["TRANSFORMERS_SDPA_FORCE_GQA"] = "1"
    longest_row = window(opening.card, model.config)
    check_window(opening.card.name, longest_row, model)
    tokenizer = _tokenizer(folder, opening.trust)
    if lora:
        tokenizer = adapter_tokenizer(lora, tokenizer, model, opening.trust)
    check_tokenizer(model, tokenizer)
    return TransformerEngine(
        model=model,
        tokenizer=tokenizer,
        window=longest_row,
        batch_tokens=int(opening.batch * (CUDA_BATCH_TOKENS if device == "cuda" else CPU_BATCH_TOKENS)),
        path=best_path(model, longest_row),
    )


def quieten() -> None:
    """Silence progress bars and warnings of libraries."""
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it warns in each layer and pass
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    warnings.filterwarnings("ignore", module="peft")  # of tied embeddings, which we check ourselves


def load_model(opening: Opening, folder: Path, *, pickled: bool = False) -> Any:
    """The model, quantised as the opening says. Pickled weights are read only where `pickled` allows it.

    Weights that are quantised in their files are used in that format. Raises a BenchError where they cannot
    be loaded, or where what the model holds is not what is in the files.
    """
    stored, dtype = checked_format(folder, opening), torch_dtype(opening)
    keep_as_written(stored)
    in_format = "" if opening.quantize == "none" else f" in {opening.quantize}"
    try:
        tensors = stored_tensors(weight_files(folder, pickled=pickled))
        check_folder(folder, tensors)
        check_format(stored, tensors)
        whole = opening.adapter is not None and is_of_wrapper(opening.adapter)
        chosen = choose_class(folder, opening.card.architecture, opening.trust, whole=whole)
        with whole_report() as reports, whole_blocks():
            model = chosen.auto.from_pretrained(
                folder,
                dtype=dtype,
                local_files_only=True,
                use_safetensors=not pickled,
                ignore_mismatched_sizes=True,  # the check below names them
                trust_remote_code=opening.trust.code,  # None would make transformers ask at the terminal
                **placement(),
                **chosen.arguments | quantization(opening, stored, chosen.config),
            )
        if stored:
            in_dtype(model, dtype)
        _check(model, reports[0], tensors, stored)
    except MemoryError:
        raise
    except Exception as error:  # a wrong config.json makes the model's class raise anything
        raise BenchError(f"the weights cannot be loaded{in_format}: {why_not(error)}") from error
    if opening.quantize in FOUR_BITS or (stored and stored.name in FOUR_BITS):
        keep_unpacked(model)
    # Weights may come with penalties, forced tokens and sampling settings. All models use the request's.
    names = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")
    given: dict[str, Any] = model.generation_config.to_dict() if model.can_generate() else {}
    model.generation_config = GenerationConfig(**{name: given.get(name) for name in names})
    return model


def _check(model: Any, report: Any, tensors: Mapping[str, StoredTensor], stored: StoredFormat | None) -> None:
    check_loaded(model, report, tensors)
    check_bitsandbytes(model, stored)


def window(card: ModelCard, config: Any) -> int:
    """The longest prompt in tokens, from the card, else from the model's configuration.

    Raises a BenchError where neither has it.
    """
    limit = card.context or getattr(config, "max_position_embeddings", None)
    if limit is None:
        raise BenchError(f"give {card.name}'s card a context: its configuration names no longest prompt")
    return int(limit)


def load_tokenizer(weights: Weights) -> Any:
    """The tokenizer alone, to show prompts in tokens."""
    return _tokenizer(readable_folder(weights))


def _tokenizer(folder: Path, trust: Trust = NO_TRUST) -> Any:
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=trust.code
        )
    except Exception as error:  # the tokenizer libraries may raise anything on bad files
        raise BenchError(f"the tokenizer cannot be loaded: {why_not(error)}") from error
    return without_dropout(tokenizer)


def readable_folder(weights: Weights) -> Path:
    """A folder that transformers can load: the weights' own, or the cached conversion of a GGUF file.

    Raises a BenchError where the conversion fails.
    """
    if not weights.is_gguf:
        return weights.path
    folder = cache_folder() / f"{weights.revision.replace(':', '-')}-{CONVERSION}"
    if not (folder / "config.json").is_file():
        _convert(weights.path, folder)
    return folder


def _convert(gguf: Path, folder: Path) -> None:
    command = [sys.executable, "-m", "bench.engines.convert", str(gguf), str(folder)]
    quiet = os.environ | {"TQDM_DISABLE": "1"}
    done = subprocess.run(command, check=False, env=quiet, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise BenchError(f"{gguf.name} cannot be converted: {last}")
