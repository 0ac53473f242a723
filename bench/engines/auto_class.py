"""Which class of transformers loads a folder, and how: a wrapper's text part alone where that is enough.

Models that also take images or sound are wrappers: a text model, and towers beside it. No text passes
through a tower, so the text part alone gives the same scores with less memory.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import transformers
from torch import Tensor
from torch.nn import Module
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForMultimodalLM,
    AutoModelForSeq2SeqLM,
    PreTrainedConfig,
)

from bench.errors import BenchError, one_line
from bench.inputs.model_card import Architecture
from bench.inputs.weights import Trust

TEXT_ALONE = {
    "gemma3": "gemma3_text",
    "gemma3n": "gemma3n_text",
    "gemma4": "gemma4_text",
    "mistral3": "ministral3",
    "qwen3_5": "qwen3_5_text",
}
"""Wrappers whose text part alone scores as the whole does, and what their text part is.

tests/engines/test_wrappers.py compares both; for Gemma 3n, whose tower needs another library, only the text
part's loading. A wrapper can treat text otherwise than its text part does
(PaliGemma lets all tokens of a prompt see each other), so one that is not named here is loaded whole.
"""
TEXT_NAMES = {
    r"^language_model\.model\.": "model.",
    r"^language_model\.lm_head\.": "lm_head.",
    r"^model\.language_model\.": "model.",
}
"""How tensors of the text part are named in a wrapper's files, and in the text model."""


@dataclass(frozen=True, slots=True)
class Loading:
    """A class of transformers, the configuration of the model that it makes, and the arguments of its
    `from_pretrained` that choose a wrapper's text part."""

    auto: Any
    config: Any
    arguments: dict[str, Any] = field(default_factory=dict[str, Any])


def choose_class(folder: Path, architecture: Architecture, trust: Trust, *, whole: bool = False) -> Loading:
    """How transformers loads the model in `folder`. `whole` leaves a wrapper's towers where they are.

    Raises what transformers raises where config.json cannot be read: an OSError or a ValueError. Raises a
    BenchError where it names the class of another model.
    """
    read: Any = AutoConfig.from_pretrained
    config = read(folder, local_files_only=True, trust_remote_code=trust.code)
    _check_architectures(config)
    if architecture == "encoder-decoder":
        return Loading(AutoModelForSeq2SeqLM, config)
    text = config.get_text_config()
    if text is config or _brings_code(config):
        return Loading(AutoModelForCausalLM, config)
    if whole:
        return Loading(AutoModelForMultimodalLM, config)
    if TEXT_ALONE.get(config.model_type) == text.model_type:
        chosen = _text_config(config)
        return Loading(AutoModelForCausalLM, chosen, {"config": chosen, "key_mapping": TEXT_NAMES})
    causal: Any = AutoModelForCausalLM
    is_causal = type(config) in causal._model_mapping  # noqa: SLF001 (there is no public way to ask)
    return Loading(AutoModelForCausalLM if is_causal else AutoModelForMultimodalLM, config)


def _check_architectures(config: PreTrainedConfig) -> None:
    """Raises a BenchError where config.json names a class that transformers makes of another model_type.

    It goes by model_type alone, and many models have tensors of the same names and shapes.
    """
    kinds = {type(config), type(config.get_text_config())}
    if not type(config).__module__.startswith("transformers."):  # the class comes with the model
        return
    for name in config.architectures or ():
        own = getattr(getattr(transformers, name, None), "config_class", None)
        if own is not None and own not in kinds and name not in _classes(kinds):
            text = f"config.json names {name} in architectures and {config.model_type} in model_type"
            raise BenchError(f"{text}, which are two models: copy config.json again")


def _classes(kinds: Iterable[type]) -> set[str]:
    """The names of the classes that transformers makes of configurations of these kinds."""
    autos: tuple[Any, ...] = (AutoModelForCausalLM, AutoModelForMultimodalLM, AutoModelForSeq2SeqLM)
    names: set[str] = set()
    for mapping in (auto._model_mapping for auto in autos):  # noqa: SLF001 (there is no public way to ask)
        for kind in kinds:
            made: Any = mapping.get(kind, ())
            names |= {each.__name__ for each in (made if isinstance(made, tuple) else (made,))}
    return names


def why_not(error: Exception) -> str:
    """Why transformers cannot load something, in one line, with our flag where it names an argument."""
    if "trust_remote_code=True" not in str(error):
        return one_line(error)
    how = "read its *.py files and, if you trust them, give bench run --trust-remote-code"
    return f"it needs Python code that comes with it, which is not run: {how}, or choose another model"


def _brings_code(config: PreTrainedConfig) -> bool:
    return "AutoModelForCausalLM" in (getattr(config, "auto_map", None) or {})


def _text_config(config: PreTrainedConfig) -> PreTrainedConfig:
    """The text part's configuration, with what the wrapper decides for it.

    That is whether the output head is the embedding, and how weights are quantised.
    """
    text = config.get_text_config()
    text.tie_word_embeddings = config.tie_word_embeddings
    quantized = getattr(config, "quantization_config", None)
    if quantized is not None:
        text.quantization_config = quantized
    return text


def tower_bytes(model: Any) -> int | None:
    """The size in memory of what no text passes through, in bytes; None for a model without such parts.

    That is everything beside the decoder, the text part of the encoder, the embedding and the head.
    """
    parts = [model.get_decoder(), model.get_input_embeddings(), model.get_output_embeddings()]
    if model.config.is_encoder_decoder:
        encoder = model.get_encoder()
        parts.append(getattr(encoder, "text_model", encoder))
    text = {id(weight) for part in parts for weight in _tensors(part)}
    towers = [weight for weight in _tensors(model) if id(weight) not in text]
    return sum(weight.numel() * weight.element_size() for weight in towers) or None


def _tensors(module: Module) -> Iterator[Tensor]:
    yield from module.parameters()
    yield from module.buffers()
