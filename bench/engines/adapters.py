"""Add an adapter to a model, and check that it fits, is complete and changes the scores."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from bench.engines.check_weights import DROPPED
from bench.engines.fitting import vocabulary_size
from bench.errors import BenchError, one_line
from bench.inputs.adapter import CONFIG, LORA_WEIGHTS, Adapter

PROBE = 64
"""Tokens of the text that shows whether scores change."""
TOLERANCE = 1e-3
"""How far merging may move the logits of the probe, as a share of their size; more in 16 bits (`_agree`)."""
Weights = Mapping[str, Tensor]


def adapted_model(load: Callable[[], Any], adapter: Adapter) -> Any:
    """The model that `load` opens, with the adapter.

    The adapter is merged into the weights, so that it costs no time, where that changes nothing else. It
    stays apart where weights are quantised, which would round them again, where another layer uses the same
    weights (LoRA on an embedding that is also the output head), and where merging moves the logits of a
    probe. Raises a BenchError where the adapter does not fit the model, is incomplete, or changes no score.
    """
    model = load()
    rows = vocabulary_size(model)
    tokens = _indices(_settings(adapter))[:PROBE]
    with torch.inference_mode():
        before = _logits(model, [token for token in tokens if token < rows])
    adapted = _add(model, adapter)
    with torch.inference_mode():
        after = _logits(model, tokens)
        _check_effect(adapter, before if rows == vocabulary_size(model) else None, after)
        if not getattr(model, "is_quantized", False) and not _shares_weights(adapted):
            if _merges(adapted) and _agree(_logits(model, tokens), after):
                return model
            # Loaded again, because taking the adapter out would leave rounding errors in the weights.
            del model, adapted
            model = load()
            adapted = _add(model, adapter)
    _keep_apart(adapted, model.dtype)
    return model


def is_of_wrapper(adapter: Adapter) -> bool:
    """Whether the adapter was trained on a model with towers, by the names of its tensors."""
    names = [name for path in adapter.path.glob(LORA_WEIGHTS) for name, _ in _tensors(path)]
    return any(".language_model." in name or DROPPED.search(name) for name in names)


def _merges(adapted: Any) -> bool:
    """Merge the adapter, and say whether peft could: it cannot merge a bias into a layer without one."""
    try:
        adapted.merge_and_unload()
    except (RuntimeError, ValueError, TypeError, NotImplementedError):
        return False
    return True


def _settings(adapter: Adapter) -> Any:
    """The adapter's own configuration, as peft reads it."""
    # Here, not at the top: most models have no adapter.
    from peft import PeftConfig

    try:
        read: Any = PeftConfig.from_pretrained
        config: Any = read(str(adapter.path), inference_mode=True)
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise _does_not_fit(adapter, f"{CONFIG} cannot be read: {one_line(error)}") from error
    for key, is_so, why, remedy in _UNUSABLE:
        value: Any = getattr(config, key, None)
        if value and is_so(value):
            text = f"has {key}: {value} in its {CONFIG}: {why}"
            raise BenchError(f"the adapter {adapter.name} {text}; {remedy}")
    return config


_UNUSABLE: tuple[tuple[str, Callable[[Any], bool], str, str], ...] = (
    (
        "init_lora_weights", lambda value: str(value).startswith("pissa_niter_"),
        "it was trained on what a random decomposition left of the base's weights, which differs each time",
        "save it with path_initial_model_for_weight_conversion",
    ),
    (
        "alora_invocation_tokens", bool,
        "an activated LoRA (aLoRA) takes effect only after those tokens, which is not supported",
        "use a plain LoRA adapter",
    ),
    (
        "megatron_config", bool,
        "it was trained on layers of Megatron, which transformers' models do not have",
        "remove that key if it was converted",
    ),
)  # fmt: skip
"""What cannot be used: a key of the configuration, for which values, the reason and the remedy."""


def _add(model: Any, adapter: Adapter) -> Any:
    """The model as a PeftModel with the adapter; `model` itself is changed too."""
    from peft import PeftModel, load_peft_weights, set_peft_model_state_dict

    config = _settings(adapter)
    try:
        weights: dict[str, Tensor] = load_peft_weights(str(adapter.path), device="cpu")
        _resize(model, weights, config)
        adapted = PeftModel(model, config)
        _check_replicated(model, config)
        loaded: Any = set_peft_model_state_dict(adapted, weights)
        _check_complete(adapted, loaded, weights)
        _check_patterns(adapted, config)
    except KeyError as error:
        raise _does_not_fit(adapter, f"the adapter lacks {error.args[0]}") from error
    except (
        ValueError, RuntimeError, TypeError, OSError, IndexError, AttributeError, SafetensorError
    ) as error:  # fmt: skip
        raise _does_not_fit(adapter, one_line(error)) from error
    return adapted.eval()


def _resize(model: Any, weights: Weights, config: Any) -> None:
    """Give the model as many embeddings as the adapter holds, which was trained with more tokens or fewer.

    Raises a ValueError where embeddings of added tokens are not in the adapter: they would be random.
    """
    ends = {"input": model.get_input_embeddings(), "output": model.get_output_embeddings()}
    names = {name: end for name, module in model.named_modules() for end in ends if module is ends[end]}
    sizes = {names[name]: len(tensor) for name in names for tensor in _embeddings(weights, name)}
    rows = vocabulary_size(model)
    if len(set(sizes.values())) > 1:
        raise ValueError(f"its embeddings have {' and '.join(map(str, sizes.values()))} rows")
    if sizes and (size := next(iter(sizes.values()))) != rows:
        tied = ends["output"] is None or ends["output"].weight is ends["input"].weight
        whole = len(sizes) == len(ends) or (tied and not config.modules_to_save)
        if size > rows and not whole:
            lacking = next(name for name, end in names.items() if end not in sizes)
            raise ValueError(f"it adds {size - rows} tokens, and lacks their rows of {lacking}; {_SAVE}")
        model.resize_token_embeddings(size, mean_resizing=False)
    elif (last := max(_indices(config), default=0)) >= rows:
        raise ValueError(f"it trained token {last}, and the model has embeddings of {rows} tokens; {_SAVE}")


_SAVE = "save it with save_embedding_layers=True"


def _embeddings(weights: Weights, module: str) -> Iterator[Tensor]:
    """The whole embedding matrices, (tokens, width), that the adapter holds for a module."""
    for name, tensor in weights.items():
        _, here, part = name.partition(f".{module}.")
        if here and part.endswith("weight") and "lora_" not in part:
            yield tensor


def _indices(config: Any) -> list[int]:
    """The ids of the tokens that were trained one by one (peft's `trainable_token_indices`)."""
    given: Any = getattr(config, "trainable_token_indices", None) or []
    lists: Any = given.values() if hasattr(given, "values") else [given]
    return sorted({int(index) for indices in lists for index in indices})


def _check_complete(adapted: Any, loaded: Any, weights: Weights) -> None:
    """Raises a ValueError where a tensor of the adapter has no place, is missing or was replaced."""
    from peft import get_peft_model_state_dict

    unexpected = set(loaded.unexpected_keys)
    used = [tensor for name, tensor in weights.items() if name not in unexpected]
    # With a changed vocabulary, peft also writes copies of matrices, and matrices that others replace.
    strays = sorted(name for name in unexpected if ".original_module." not in name)
    for name in strays:
        if name not in weights or not any(_equal(weights[name], tensor) for tensor in used):
            raise ValueError(f"it has no place for {name}")
    missing = [key for key in loaded.missing_keys if adapted.prefix in key]
    if missing:
        raise ValueError(f"the adapter lacks {missing[0]}")
    held = get_peft_model_state_dict(adapted, save_embedding_layers=True)
    for name in sorted(held.keys() & weights.keys()):
        if not _equal(held[name].cpu(), weights[name].to(held[name].dtype)):
            raise ValueError(f"the model does not hold {name} as the adapter has it")


def _check_replicated(model: Any, config: Any) -> None:
    """Raises a ValueError where layers were repeated and the model's class lists what each layer is."""
    part = model.config.get_text_config()
    kinds: Any = getattr(part, "layer_types", None)
    if config.layer_replication and kinds is not None and len(kinds) < part.num_hidden_layers:
        text = f"its layer_replication makes {part.num_hidden_layers} layers of {len(kinds)}"
        raise ValueError(
            f"{text}, which {type(model).__name__} cannot run; merge it into a model of that size"
        )


def _check_patterns(adapted: Any, config: Any) -> None:
    """Raises a ValueError where a rank or scale is given for layers that the adapter does not have."""
    for setting in ("rank_pattern", "alpha_pattern"):
        for pattern in getattr(config, setting, None) or ():
            # As peft's get_pattern_key matches.
            layer = re.compile(rf"(.*\.)?({pattern})$")
            base = adapted.base_model
            targets: list[str] = [*base.targeted_module_names, *base.targeted_parameter_names]
            if not any(map(layer.match, targets)):
                raise ValueError(f"{setting} of {CONFIG} names no layer of it: {pattern}")


def check_tuned(adapter: Adapter, base: Path) -> None:
    """Raises a BenchError where the weights of a full tuning equal those in the folder `base`."""
    before, after = (
        {name: file for path in sorted(folder.glob("*.safetensors")) for name, file in _tensors(path)}
        for folder in (base, adapter.path)
    )
    names = sorted(before.keys() & after.keys())
    if all(_equal(before[name].get_tensor(name), after[name].get_tensor(name)) for name in names):
        raise BenchError(f"the adapter {adapter.name} changes no score: its weights are the model's own")


def _tensors(path: Path) -> Iterator[tuple[str, Any]]:
    """(name, open file) of each tensor in a file, so that tensors can be read one at a time."""
    opened: Any = safe_open
    file = opened(path, framework="pt")
    yield from ((name, file) for name in file.keys())  # noqa: SIM118 (not a mapping)


def _equal(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.equal(a.to(torch.float32), b.to(torch.float32))


def _shares_weights(adapted: Any) -> bool:
    """Whether LoRA changes weights that another layer uses too: merging would change both layers."""
    from peft.tuners.lora import LoraLayer

    modules: list[Any] = list(adapted.modules())
    weights: list[Any] = [weight for module in modules for weight in module.parameters(recurse=False)]
    users = Counter(map(id, weights))
    layers: list[Any] = [module.get_base_layer() for module in modules if isinstance(module, LoraLayer)]
    matrices = (weight for layer in layers for weight in layer.parameters(recurse=False) if weight.ndim > 1)
    return any(users[id(weight)] > 1 for weight in matrices)


def _keep_apart(adapted: Any, dtype: torch.dtype) -> None:
    """Bring an adapter that stays beside the weights into the model's dtype, which peft widens."""
    for name, weight in adapted.named_parameters():
        if adapted.prefix in name and weight.dtype == torch.float32:
            weight.data = weight.data.to(dtype)


def _does_not_fit(adapter: Adapter, why: str) -> BenchError:
    origin = f" (made for {adapter.base})" if adapter.base else ""
    return BenchError(f"the adapter {adapter.name}{origin} does not fit this model: {why}")


def _check_effect(adapter: Adapter, before: Tensor | None, after: Tensor) -> None:
    """`before` is None where tokens were added or removed, so that the probe is not the same."""
    if not after.isfinite().all():
        raise BenchError(f"the adapter {adapter.name} makes scores that are not finite numbers")
    if before is not None and torch.equal(before, after):
        text = "changes no score: its weights are zero, or too small for this dtype"
        raise BenchError(f"the adapter {adapter.name} {text}")


def _agree(merged: Tensor, apart: Tensor) -> bool:
    """Whether merging moved the logits by no more than rounding does. NaN does not agree.

    Merged and apart, LoRA on all linear layers of SmolLM2 135M differed by 3e-6 in float32, 0.4 % in float16
    and 3.5 % in bfloat16.
    """
    tolerance = max(TOLERANCE, 16 * torch.finfo(apart.dtype).eps)
    expected = _centred(apart)
    moved = _centred(merged) - expected
    return float(moved.square().sum()) <= tolerance**2 * float(expected.square().sum())


def _centred(logits: Tensor) -> Tensor:
    return logits.float() - logits.float().mean(-1, keepdim=True)


def _logits(model: Any, tokens: list[int]) -> Tensor:
    """The logits, (1, tokens, vocabulary), of ids that are spread over the vocabulary, and of `tokens`."""
    vocabulary = vocabulary_size(model)
    spread = [(7 + 31 * at * at) % vocabulary for at in range(PROBE)]
    ids = torch.tensor([[*spread, *tokens]], device=model.device)
    decoder_input = {"decoder_input_ids": ids} if model.config.is_encoder_decoder else {}
    return model(input_ids=ids, use_cache=False, **decoder_input).logits
