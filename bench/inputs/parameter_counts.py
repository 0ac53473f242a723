"""Parameters counted from a model's configuration: the model is built without memory for its weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from bench.inputs.model_card import Architecture

if TYPE_CHECKING:
    import torch

_OTHER_PARTS = ("vision_config", "audio_config")


@dataclass(frozen=True, slots=True)
class Counts:
    """A card's numbers of parameters, None where unknown. `text` is of a model with other parts too.

    `active` are the parameters that a token uses, where the model has experts.
    """

    parameters: int | None
    text: int | None = None
    active: int | None = None


@dataclass(frozen=True, slots=True)
class _Text:
    """The parameters of a decoder's text part, tied ones counted once, and those that a token uses."""

    total: int
    active: int | None


def in_text(config: Mapping[str, Any], key: str) -> Any:
    """A key of the configuration, or of its text part."""
    part: Mapping[str, Any] = config.get("text_config") or {}
    return config.get(key) or part.get(key)


def count_parameters(config: Mapping[str, Any], stored: int | None, architecture: Architecture) -> Counts:
    """Count what `config.json` describes; `stored` is how many numbers the files hold.

    Files may hold a tied output head a second time, so a tied model is counted from its configuration.
    """
    text = _count_text(config) if architecture == "decoder" else None
    if text is None:
        return Counts(stored)
    if any(config.get(part) for part in _OTHER_PARTS):
        return Counts(stored, text.total if stored and text.total < stored else None, text.active)
    by_config = stored is None or in_text(config, "tie_word_embeddings")
    return Counts(text.total if by_config else stored, active=text.active)


def _count_text(config: Mapping[str, Any]) -> _Text | None:
    """None where transformers has no class for it. No code of a repository runs."""
    import torch
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoConfig, AutoModelForCausalLM

    wrong = (ValueError, TypeError, KeyError, AttributeError, ImportError, RuntimeError, StrictDataclassError)
    rest = {key: value for key, value in config.items() if key not in ("model_type", "quantization_config")}
    try:
        described = AutoConfig.for_model(str(config.get("model_type")), **rest).get_text_config(decoder=True)
        with torch.device("meta"):
            model = cast("torch.nn.Module", AutoModelForCausalLM.from_config(described))
    except wrong:
        return None
    return _measure(model, getattr(described, "num_experts_per_tok", None))


def _measure(model: "torch.nn.Module", chosen: int | None) -> _Text:
    """Count the model's parameters; `chosen` is how many experts a token uses, None without experts."""
    weights = dict(model.named_parameters())  # a tied one has one name
    total = sum(weight.numel() for weight in weights.values())
    # The first dimension counts the experts.
    experts = [weight for name, weight in weights.items() if ".experts." in name and weight.ndim == 3]
    idle = sum(weight.numel() // len(weight) * (len(weight) - chosen) for weight in experts) if chosen else 0
    return _Text(total, total - idle if idle else None)
