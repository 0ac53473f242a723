"""Add an adapter to a loaded model, and check that it is complete and changes the scores."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from bench.errors import BenchError, one_line
from bench.inputs.adapter import Adapter

PROBE = 64
"""Tokens of the text that shows whether scores change."""


def add_adapter(model: Any, adapter: Adapter) -> None:
    """Change `model` in place. Raises a BenchError where the adapter does not fit the model, is incomplete,
    or changes no score."""
    # Here, not at the top: most models have no adapter.
    from peft import PeftConfig, PeftModel, load_peft_weights, set_peft_model_state_dict

    try:
        read: Any = PeftConfig.from_pretrained
        config = read(str(adapter.path))
        config.inference_mode = True
        adapted = PeftModel(model, config)
        weights = load_peft_weights(str(adapter.path), device="cpu")
        loaded: Any = set_peft_model_state_dict(adapted, weights)
    except (ValueError, RuntimeError, KeyError, TypeError, OSError, SafetensorError) as error:
        raise _does_not_fit(adapter, one_line(error)) from error
    if loaded.unexpected_keys:
        raise _does_not_fit(adapter, f"it has no place for {loaded.unexpected_keys[0]}")
    missing = [key for key in loaded.missing_keys if adapted.prefix in key]
    if missing:
        raise _does_not_fit(adapter, f"the adapter lacks {missing[0]}")
    adapted.eval()
    with torch.inference_mode():
        with adapted.disable_adapter():
            before = _probe_logits(model)
        _merge(adapted, model)
        after = _probe_logits(model)
        if not after.isfinite().all():
            raise BenchError(f"the adapter {adapter.name} makes scores that are not finite numbers")
        if torch.equal(before, after):
            text = "changes no score: its weights are zero, or too small for this dtype"
            raise BenchError(f"the adapter {adapter.name} {text}")


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


def _merge(adapted: Any, model: Any) -> None:
    """Merge the adapter into the weights, so that it costs no time.

    Quantised weights would be rounded again: there the adapter stays apart, in the model's dtype.
    """
    if getattr(model, "is_quantized", False):
        for weight in adapted.parameters():
            if weight.dtype == torch.float32 != model.dtype and not weight.requires_grad:
                weight.data = weight.data.to(model.dtype)
    else:
        adapted.merge_and_unload()


def _does_not_fit(adapter: Adapter, why: str) -> BenchError:
    origin = f" (made for {adapter.base})" if adapter.base else ""
    return BenchError(f"the adapter {adapter.name}{origin} does not fit this model: {why}")


def _probe_logits(model: Any) -> Tensor:
    """The logits, (1, tokens, vocabulary), of a text whose ids are spread over the vocabulary."""
    vocabulary = int(model.get_input_embeddings().weight.shape[0])
    ids = torch.tensor([[(7 + 31 * at * at) % vocabulary for at in range(PROBE)]], device=model.device)
    decoder_input = {"decoder_input_ids": ids} if model.config.is_encoder_decoder else {}
    return model(input_ids=ids, use_cache=False, **decoder_input).logits
