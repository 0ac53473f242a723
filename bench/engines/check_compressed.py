"""What llm-compressor and its like save: each weight with the scales that its scheme in config.json needs."""

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

from transformers import CompressedTensorsConfig
from transformers.integrations.compressed_tensors import get_dense_scheme, get_experts_scheme

from bench.engines.check_scale import check_scale, check_scaled_is_quantised, check_type, grid
from bench.engines.stored_tensors import PLAIN, StoredTensor, values_of
from bench.errors import BenchError

SCALE = ".weight_scale"
NUMBERS = {
    "int-quantized": "I8",
    "float-quantized": "F8_E4M3",
    "pack-quantized": "I32",
    "nvfp4-pack-quantized": "U8",
    "mxfp4-pack-quantized": "U8",
    "mxfp8-quantized": "F8_E4M3",
}
"""The type of the numbers in each form; a form that is not named here has that of its scheme."""
PACKED_IN_BYTES = frozenset({"nvfp4-pack-quantized", "mxfp4-pack-quantized"})
"""Two numbers of 4 bits to a byte."""
SCALES = {
    "nvfp4-pack-quantized": frozenset({"F8_E4M3"}),
    "mxfp4-pack-quantized": frozenset({"U8"}),
    "mxfp8-quantized": frozenset({"U8"}),
}
"""The type of the scales, where it is not a plain one."""


def check_compressed(settings: Mapping[str, Any], stored: Mapping[str, StoredTensor]) -> None:
    """Raises a BenchError where a weight is not stored as config.json says, or is meant to be turned.

    The scheme is the one that transformers takes: of several, it has one for experts and one for the rest.
    """
    if settings.get("transform_config"):
        text = "its transform_config turns weights and activations, which is left out"
        raise BenchError(f"{text}: use the unquantised weights, or others without it")
    config: Any = CompressedTensorsConfig(**settings).quantization_config
    for name, scale in stored.items():
        if not name.endswith(SCALE):
            continue
        module = name.removesuffix(SCALE)
        numbers = f"{module}.weight_packed" if f"{module}.weight_packed" in stored else f"{module}.weight"
        if numbers in stored:
            check_scaled_is_quantised(numbers, stored[numbers])
            choose: Any = get_experts_scheme if ".experts." in name else get_dense_scheme
            scheme: Any = choose(config)
            form = str(getattr(scheme.format or config.format, "value", scheme.format or config.format))
            check_type(name, scale, SCALES.get(form, PLAIN))
            if form in NUMBERS:
                check_type(numbers, stored[numbers], {NUMBERS[form]})
            shape = _shape(numbers, stored, form, scheme.weights.num_bits)
            check_scale(name, scale, numbers, _shapes(shape, scheme.weights))
            _check_zero_point(module, stored, form, scheme.weights)


def _shape(numbers: str, stored: Mapping[str, StoredTensor], form: str, bits: int) -> tuple[int, ...]:
    """The shape of the unpacked weight."""
    packed = stored[numbers].shape
    if form in PACKED_IN_BYTES:
        return (*packed[:-1], 2 * packed[-1])
    if form != "pack-quantized":
        return packed
    name = f"{numbers.removesuffix('_packed')}_shape"
    if name not in stored:
        raise BenchError(f"{name} is not in them")
    shape = tuple(int(size) for size in values_of(stored[name], name))
    check_scale(numbers, stored[numbers], name, [(*shape[:-1], ceil(shape[-1] * bits / 32))])
    return shape


def _shapes(shape: tuple[int, ...], weights: Any) -> Iterator[tuple[int, ...]]:
    """The shapes that the scales of a weight may have."""
    strategy = str(getattr(weights.strategy, "value", weights.strategy))
    if strategy == "block":
        yield grid(shape, weights.block_structure)
    elif strategy in ("group", "tensor_group") and weights.group_size and weights.group_size > 0:
        yield grid(shape, (1, weights.group_size))
    elif strategy == "tensor":
        yield from ((1,), (), (1, 1))
    else:
        yield (*shape[:-1], 1)


def _check_zero_point(module: str, stored: Mapping[str, StoredTensor], form: str, weights: Any) -> None:
    """Raises a BenchError where a zero point is missing, unasked for, or of another shape than the scales."""
    name = f"{module}.weight_zero_point"
    scales = stored[f"{module}{SCALE}"].shape
    if weights.symmetric:
        if name in stored and values_of(stored[name], name).count_nonzero():
            raise BenchError(f"{name} is not zero in the files, and config.json says symmetric")
        return
    if name not in stored:
        raise BenchError(f"{name} is not in them, and config.json says that the format is not symmetric")
    packed = form == "pack-quantized"
    expected = (ceil(scales[0] * weights.num_bits / 32), *scales[1:]) if packed else scales
    check_scale(name, stored[name], module, [expected])
