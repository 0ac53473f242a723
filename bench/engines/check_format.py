"""The format that config.json names and what is in the weight files agree in every part, or the load fails.

transformers spreads a scale of another shape over the whole weight, and casts one of another type.
"""

from collections.abc import Iterable, Iterator, Mapping
from math import ceil, prod
from typing import Any

import torch
from torch import Tensor

from bench.engines.check_compressed import check_compressed
from bench.engines.check_scale import check_scale, check_scaled_is_quantised, check_type, grid
from bench.engines.check_weights import names_of
from bench.engines.stored_tensors import PLAIN, StoredTensor
from bench.errors import BenchError
from bench.inputs.stored_format import StoredFormat

ALWAYS_PACKED = frozenset({"bitsandbytes", "fp8", "mxfp4", "compressed-tensors"})
"""Methods whose quantised weights are never of a plain type."""
FP8_SCALES = (".weight_scale_inv", ".qscale_weight", ".scale")
"""How scales of 8-bit floats are named beside `.weight`."""
FP8_BLOCK = (128, 128)
"""Where config.json names none."""
FP4_BLOCK = (1, 32)
"""Of 4-bit floats among them, two to a number, as DeepSeek-V4's experts have."""
EXPONENTS = frozenset({"F8_E8M0", "U8"})
"""Types of scales that are powers of two."""


def check_format(named: StoredFormat | None, stored: Mapping[str, StoredTensor]) -> None:
    """Raises a BenchError where the files are not quantised as config.json says.

    transformers would fill quantised layers with plain numbers, or score plain ones under the format's name.
    """
    if named is None:
        return
    if named.method in ALWAYS_PACKED and all(tensor.plain for tensor in stored.values()):
        text = f"{named.file} says that they are quantised ({named.name}), and no tensor in them is"
        raise BenchError(
            f"{text}: remove quantization_config from it to score them as they are, or copy others"
        )
    if named.method == "bitsandbytes":
        _check_parts(stored)
    elif named.method == "fp8":
        _check_fp8(named.settings, stored)
    elif named.method == "compressed-tensors":
        check_compressed(named.settings, stored)


def _check_fp8(settings: Mapping[str, Any], stored: Mapping[str, StoredTensor]) -> None:
    block = settings.get("weight_block_size", FP8_BLOCK)
    for name, scale in stored.items():
        ending = next((ending for ending in FP8_SCALES if name.endswith(ending)), None)
        weight = f"{name.removesuffix(ending)}.weight" if ending else ""
        if weight not in stored:
            continue
        numbers = stored[weight]
        check_scaled_is_quantised(weight, numbers)
        check_type(name, scale, PLAIN | EXPONENTS)
        check_scale(name, scale, weight, _fp8_shapes(numbers, block, named="weight_block_size" in settings))


def _fp8_shapes(
    numbers: StoredTensor, block: Iterable[int] | None, *, named: bool
) -> Iterator[tuple[int, ...]]:
    """The shapes that the scales of 8-bit floats may have: one for all, or one a block."""
    shape = numbers.shape
    if numbers.dtype == "I8":
        yield grid((*shape[:-1], 2 * shape[-1]), FP4_BLOCK)
    elif block is not None and len(shape) > 1:
        yield grid(shape, block)
    if block is None or not named:
        yield from ((1,), (), (1, 1), (*shape[:1], 1))


def _check_parts(stored: Mapping[str, StoredTensor]) -> None:
    """Raises a BenchError where only some weights have a part that bitsandbytes saves, such as scales.

    transformers fills a missing part with what is in memory.
    """
    parts: dict[str, set[str]] = {
        name: set() for name, tensor in stored.items() if name.endswith(".weight") and not tensor.plain
    }
    for name in stored:
        head, inside, tail = name.partition(".weight.")
        module, _, last = name.rpartition(".")
        weight, part = (f"{head}.weight", tail) if inside else (f"{module}.weight", last)
        if weight in parts and part not in ("weight", "bias"):
            parts[weight].add(part)
    every = set[str]().union(*parts.values())
    for weight, own in sorted(parts.items()):
        if own != every:
            raise BenchError(f"{weight} lacks its {names_of(every - own)}, which the other weights have")


def check_bitsandbytes(model: Any, named: StoredFormat | None) -> None:
    """Raises a BenchError where a layer of bitsandbytes has other parts than its shape and format need.

    It multiplies all the same: what is missing is read from memory, what is one number is spread.
    """
    if named is None or named.method != "bitsandbytes":
        return
    for name, module in model.named_modules():
        if type(module).__module__.startswith("bitsandbytes."):
            shape = (module.out_features, module.in_features)
            state = getattr(module.weight, "quant_state", None)
            faults = _of_rows(module, shape) if state is None else _of_blocks(module.weight, shape)
            if state is not None and state.quant_type != named.name:
                text = f"its weights are {state.quant_type} in the files and {named.name} by {named.file}"
                raise BenchError(f"{text}: set bnb_4bit_quant_type in it to {state.quant_type}")
            if part := next((part for part, right in faults.items() if not right), None):
                raise BenchError(f"{name}.weight has a wrong {part} in them: copy the files again")


def _of_rows(module: Any, shape: tuple[int, int]) -> dict[str, bool]:
    """Each part of a weight in 8 bits, and whether it is as it must be: a scale a row."""
    scales = module.weight.SCB if module.state.SCB is None else module.state.SCB
    return {"SCB": _is_right(scales, shape[0])}


def _of_blocks(weight: Any, shape: tuple[int, int]) -> dict[str, bool]:
    """Each part of a weight in 4 bits, and whether it is as it must be: a scale a block, packed or not."""
    from bitsandbytes import functional

    untyped: Any = functional
    state, numbers = weight.quant_state, prod(shape)
    blocks = ceil(numbers / state.blocksize)
    outer = state.state2
    table = untyped.get_4bit_type(state.quant_type, device=state.code.device)
    faults = {
        "quant_state": tuple(state.shape) == shape and weight.numel() == ceil(numbers / 2),
        "quant_map": state.code.shape == table.shape and torch.allclose(state.code.float(), table, atol=1e-3),
        "absmax": _is_right(state.absmax, blocks, packed=outer is not None),
    }
    if outer:
        faults["nested_absmax"] = _is_right(outer.absmax, ceil(blocks / outer.blocksize))
        faults["nested_quant_map"] = _is_right(outer.code, 256)
    return faults


def _is_right(part: Tensor, numbers: int, *, packed: bool = False) -> bool:
    kind = part.dtype == torch.uint8 if packed else part.is_floating_point()
    return kind and part.numel() == numbers and bool(part.isfinite().all())
