"""Put an adapter's weights into a loaded model, and make sure that they are there and do something."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from bench.errors import BenchError, first_line
from bench.inputs.adapter import Adapter

PROBE = 64


def add_adapter(model: Any, adapter: Adapter) -> None:
    """Change `model` in place. Raises a BenchError where the adapter is for another model, is not loaded
    whole, or changes no score."""
    # Here, not at the top: most models are run without.
    from peft import PeftConfig, PeftModel, load_peft_weights, set_peft_model_state_dict

    try:
        read: Any = PeftConfig.from_pretrained
        config = read(str(adapter.path))
        config.inference_mode = True
        changed = PeftModel(model, config)
        weights = load_peft_weights(str(adapter.path), device="cpu")
        loaded: Any = set_peft_model_state_dict(changed, weights)
    except (ValueError, RuntimeError, KeyError, TypeError, OSError, SafetensorError) as error:
        raise _foreign(adapter, first_line(error)) from error
    if loaded.unexpected_keys:
        raise _foreign(adapter, f"it has no place for {loaded.unexpected_keys[0]}")
    lacking = [key for key in loaded.missing_keys if changed.prefix in key]
    if lacking:
        raise _foreign(adapter, f"the adapter lacks {lacking[0]}")
    changed.eval()
    with torch.inference_mode():
        with changed.disable_adapter():
            before = _probe(model)
        _settle(changed, model)
        after = _probe(model)
        if not after.isfinite().all():
            raise BenchError(f"the adapter {adapter.name} makes scores that are not numbers")
        if torch.equal(before, after):
            text = "changes no score: its weights are zero, or too small for this dtype"
            raise BenchError(f"the adapter {adapter.name} {text}")


def check_tuned(adapter: Adapter, base: Path) -> None:
    """Raises a BenchError where a full tuning's weights are the base's own."""
    before, after = (
        {name: file for path in sorted(folder.glob("*.safetensors")) for name, file in _tensors(path)}
        for folder in (base, adapter.path)
    )
    names = sorted(before.keys() & after.keys())
    if all(_equal(before[name].get_tensor(name), after[name].get_tensor(name)) for name in names):
        raise BenchError(f"the adapter {adapter.name} changes no score: its weights are the model's own")


def _tensors(path: Path) -> Iterator[tuple[str, Any]]:
    """The names of a file's tensors, each with the open file: they are read one at a time."""
    opened: Any = safe_open
    file = opened(path, framework="pt")
    yield from ((name, file) for name in file.keys())  # noqa: SIM118 (not a mapping)


def _equal(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.equal(one.to(torch.float32), other.to(torch.float32))


def _settle(changed: Any, model: Any) -> None:
    """Add the adapter to the weights, so that it costs nothing; quantised weights would be rounded again."""
    if getattr(model, "is_quantized", False):
        for weight in changed.parameters():
            if weight.dtype == torch.float32 != model.dtype and not weight.requires_grad:
                weight.data = weight.data.to(model.dtype)
    else:
        changed.merge_and_unload()


def _foreign(adapter: Adapter, why: str) -> BenchError:
    made = f" (made for {adapter.base})" if adapter.base else ""
    return BenchError(f"the adapter {adapter.name}{made} does not fit this model: {why}")


def _probe(model: Any) -> Tensor:
    """The logits of a text of ids from all over the vocabulary."""
    vocabulary = int(model.get_input_embeddings().weight.shape[0])
    ids = torch.tensor([[(7 + 31 * at * at) % vocabulary for at in range(PROBE)]], device=model.device)
    more = {"decoder_input_ids": ids} if model.config.is_encoder_decoder else {}
    return model(input_ids=ids, use_cache=False, **more).logits
