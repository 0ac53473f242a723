"""Parameters counted from a model's configuration: the model is built without memory for its weights."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from bench.inputs.model_card import Architecture


@dataclass(frozen=True, slots=True)
class Counts:
    """A card's numbers of parameters, None where unknown. `text` is of a model with other parts too.

    `active` are the parameters that a token uses, where the model has experts.
    """

    parameters: int | None
    text: int | None = None
    active: int | None = None


@dataclass(frozen=True, slots=True)
class _Built:
    """A decoder's parameters, tied ones counted once: all, those of its text part, and those a token uses.

    `total` is None for a model with parts that cannot be built here.
    """

    total: int | None
    text: int
    active: int | None


def in_text(config: Mapping[str, Any], key: str) -> Any:
    """A key of the configuration, or of its text part."""
    part: Mapping[str, Any] = config.get("text_config") or {}
    return config.get(key) or part.get(key)


def count_parameters(config: Mapping[str, Any], stored: int | None, architecture: Architecture) -> Counts:
    """Count what `config.json` describes; `stored` is how many numbers the files hold.

    Files may hold a tied output head a second time, and quantised ones hold packed weights and scales. Such
    models are counted from their configuration, and are unknown where transformers cannot build them.
    """
    packed = bool(in_text(config, "quantization_config"))
    built = _build(config) if architecture == "decoder" else None
    given = None if packed else stored
    if built is None:
        return Counts(given)
    by_config = given is None or in_text(config, "tie_word_embeddings")
    total = (built.total if by_config else None) or given
    return Counts(total, built.text if total is None or built.text < total else None, built.active)


def _build(config: Mapping[str, Any]) -> _Built | None:
    """None where transformers has no class for it. No code of a repository runs."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMultimodalLM

    rest = {key: value for key, value in config.items() if key not in ("model_type", "quantization_config")}
    describe: Any = AutoConfig.for_model
    causal: Any = AutoModelForCausalLM.from_config
    multimodal: Any = AutoModelForMultimodalLM.from_config
    described = _try(lambda: describe(str(config.get("model_type")), **_decoded(rest)))
    text = described and _try(described.get_text_config)
    if text is None:
        return None
    chosen = getattr(text, "num_experts_per_tok", None)
    if text is not described:
        text.tie_word_embeddings = getattr(described, "tie_word_embeddings", False)  # which the whole decides
        whole = _try(lambda: multimodal(described))
        if whole is not None:
            return _measure(whole, chosen)
    model = _try(lambda: causal(text))
    if model is None:
        return None
    alone = _measure(model, chosen)
    return alone if text is described else replace(alone, total=None)


def _try(make: Callable[[], Any]) -> Any:
    """What `make` gives, without memory for weights; None where the configuration is not one."""
    import torch
    from huggingface_hub.errors import StrictDataclassError

    try:
        with torch.device("meta"):
            return make()
    except (ValueError, TypeError, KeyError, AttributeError, ImportError, RuntimeError, StrictDataclassError):
        return None


def _decoded(value: Any) -> Any:
    """A value of `config.json`, where transformers writes infinity as {"__float__": "Infinity"}."""
    if isinstance(value, Mapping):
        values = cast("Mapping[str, Any]", value)
        if tuple(values) == ("__float__",):
            return float(values["__float__"])
        return {key: _decoded(one) for key, one in values.items()}
    if isinstance(value, list):
        return [_decoded(one) for one in cast("list[Any]", value)]
    return value


def _measure(model: Any, chosen: int | None) -> _Built:
    """Count the model's parameters; `chosen` is how many experts a token uses, None without experts.

    No text passes through what is beside the decoder, the embedding and the head.
    """
    total = sum(weight.numel() for weight in model.parameters())  # which names a tied one once
    parts = (model.get_decoder(), model.get_input_embeddings(), model.get_output_embeddings())
    text = {id(weight): weight for part in parts if part is not None for weight in part.parameters()}
    # The first dimension counts the experts.
    named: Any = model.named_parameters()
    experts = [weight for name, weight in named if ".experts." in name and weight.ndim == 3]
    idle = sum(weight.numel() // len(weight) * (len(weight) - chosen) for weight in experts) if chosen else 0
    used = sum(weight.numel() for weight in text.values())
    return _Built(total, used, used - idle if idle else None)
