"""What files hold of the tensors that a model computes for itself: it must be what the model computed.

transformers leaves these out, so where they differ, the model is not the one that was saved.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from bench.engines.stored_tensors import StoredTensor, values_of
from bench.errors import BenchError

ROTARY = re.compile(r"\.rotary_emb\.(inv_freq|cos_cached|sin_cached)$")
POSITIONS = re.compile(r"(^|\.)position_ids$")
MASK = re.compile(r"\.(attn|attention|crossattention)\.(masked_)?bias$")
"""Causal masks that were saved with GPT-2's and GPT-NeoX's weights; a real bias has one dimension."""
TOLERANCE = 1e-4
"""Relative; that of a table of cosines is absolute, and ten times as large."""


def check_computed(model: Any, names: Iterable[str], stored: Mapping[str, StoredTensor]) -> None:
    """Raises a BenchError where one of the tensors `names`, for which the model has no place, is not what it
    computes from config.json."""
    frequencies = list(_frequencies(model))
    buffers: dict[str, Tensor] = dict(model.named_buffers())
    for name in names:
        if marked := ROTARY.search(name):
            right = _is_rotary(marked[1], values_of(stored[name], name), frequencies)
            key = "rope_parameters"
        elif POSITIONS.search(name):
            values = values_of(stored[name], name).flatten()
            right, key = torch.equal(values.long(), torch.arange(len(values))), "max_position_embeddings"
        elif MASK.search(name) and len(stored[name].shape) > 1:
            right, key = _is_causal(values_of(stored[name], name), buffers.get(name)), "model_type"
        else:
            continue
        if not right:
            text = f"is not what config.json makes of it: correct {key} in it, or copy the files again"
            raise BenchError(f"{name} {text}")


def _frequencies(model: Any) -> Iterator[Tensor]:
    """The frequencies of rotary positions: the model's, and those before they are scaled, which some programs
    save. Of layers of several kinds, the model has several."""
    config = model.config.get_text_config()
    parameters: dict[str, Any] = getattr(config, "rope_parameters", None) or {}
    kinds: list[dict[str, Any]] = [parameters, *filter(_is_table, parameters.values())]
    bases = {float(kind["rope_theta"]) for kind in kinds if kind.get("rope_theta")}
    for name, buffer in model.named_buffers():
        if name.endswith("inv_freq"):
            values = buffer.detach().float().cpu()
            yield values
            steps = torch.arange(len(values), dtype=torch.float32) / len(values)
            yield from (base**-steps for base in bases)


def _is_table(value: object) -> bool:
    return isinstance(value, dict)


def _is_rotary(kind: str, values: Tensor, frequencies: Iterable[Tensor]) -> bool:
    """Whether the values are frequencies, or the table of their cosines or sines, in any dtype."""
    numbers = values.float()
    if kind == "inv_freq":
        return any(_agree(numbers, each, TOLERANCE, 0) for each in frequencies)
    if numbers.ndim < 2 or numbers.shape[-2] < 2:
        return False
    second = numbers.reshape(-1, numbers.shape[-1])[1]  # position 1
    function = torch.cos if kind == "cos_cached" else torch.sin
    return any(_agree(second[: len(each)], function(each), TOLERANCE, 10 * TOLERANCE) for each in frequencies)


def _agree(values: Tensor, computed: Tensor, relative: float, absolute: float) -> bool:
    """Whether two vectors agree; `values` may have been in fewer bits once."""
    if values.shape != computed.shape:
        return False
    return any(
        torch.allclose(values, computed.to(dtype).float(), max(relative, rounding), absolute + smallest)
        for dtype, rounding, smallest in (
            (torch.float32, 0.0, 0.0),
            (torch.float16, 1e-3, 6e-8),
            (torch.bfloat16, 8e-3, 0.0),
        )
        if dtype == torch.float32 or torch.equal(values, values.to(dtype).float())
    )


def _is_causal(mask: Tensor, computed: Tensor | None) -> bool:
    """Whether a mask is the model's own, or lets each position see itself and all earlier ones alone."""
    if computed is not None and computed.shape == mask.shape:
        return torch.equal(mask.bool(), computed.bool().cpu())
    return mask.shape[-1] == mask.shape[-2] and torch.equal(mask.bool(), torch.ones_like(mask).bool().tril())
