"""Whether a stored scale has the type and shape that its weight needs."""

from collections.abc import Iterable
from math import ceil

from bench.engines.check_weights import by
from bench.engines.stored_tensors import StoredTensor
from bench.errors import BenchError


def check_scale(name: str, scale: StoredTensor, weight: str, expected: Iterable[tuple[int, ...]]) -> None:
    """Raises a BenchError where a stored scale has none of the expected shapes."""
    shapes = list(expected)
    if scale.shape not in shapes:
        shape = by(scale.shape) or "one number"
        text = f"is {shape} in the files, and {weight} needs {by(shapes[0])} by config.json"
        raise BenchError(f"{name} {text}: copy config.json and the files again")


def check_type(name: str, tensor: StoredTensor, types: Iterable[str]) -> None:
    """Raises a BenchError where a stored tensor has none of the types."""
    allowed = sorted(types)
    if tensor.dtype not in allowed:
        text = f"is {tensor.dtype} in the files and {' or '.join(allowed)} in this format"
        raise BenchError(f"{name} {text}: copy config.json and the files again")


def grid(shape: tuple[int, ...], block: Iterable[int]) -> tuple[int, ...]:
    """How many blocks cover a weight; the last may be cut."""
    rows, columns = block
    return (*shape[:-2], ceil(shape[-2] / rows), ceil(shape[-1] / columns))


def check_scaled_is_quantised(weight: str, tensor: StoredTensor) -> None:
    """Raises a BenchError where a weight with a scale is whole: it would be multiplied once more."""
    if tensor.plain:
        raise BenchError(f"{weight} has a scale in them and is not quantised: copy the files again")
