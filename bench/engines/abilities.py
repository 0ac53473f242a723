"""What this machine's torch and bitsandbytes can do, by trying."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from bench.engines.device import device_title
from bench.engines.loading import best_dtype, device_name, quieten
from bench.engines.memory import free_memory_bytes
from bench.errors import first_line
from bench.types import Quantization


@dataclass(frozen=True, slots=True)
class Abilities:
    """`device_bytes` is the accelerator's free memory; `bits` says why a kind cannot run, "" where it can."""

    device: str
    device_bytes: int | None
    dtype: str
    cuda_build: bool
    bits: dict[Quantization, str]


def abilities() -> Abilities:
    """Takes a few seconds: it imports torch and bitsandbytes, and quantises a small layer."""
    quieten()
    return Abilities(
        device=device_title(),
        device_bytes=free_memory_bytes() if device_name() == "cuda" else None,
        dtype=best_dtype(),
        cuda_build=torch.backends.cuda.is_built(),
        bits=dict(_bits()),
    )


def _bits() -> Iterator[tuple[Quantization, str]]:
    """Each kind with why a layer of it does not give about what the whole layer gives."""
    torch.manual_seed(0)
    whole = torch.nn.Linear(64, 64, bias=False)
    inputs = torch.randn(2, 64)
    wanted = whole(inputs).detach()
    for kind in ("int8", "nf4", "fp4"):
        try:
            given = _layer(kind, whole).to(device_name())(inputs.to(device_name())).float().cpu()
            error = float((given - wanted).norm() / wanted.norm())
            yield kind, "" if error < 0.5 else f"wrong by {error:.0%}"
        except Exception as error:  # noqa: BLE001 (whatever the library or the driver raises)
            yield kind, first_line(error)


def _layer(kind: Quantization, whole: Any) -> Any:
    from bitsandbytes.nn.modules import Linear4bit, Linear8bitLt

    if kind == "int8":
        layer: Any = Linear8bitLt(64, 64, bias=False, has_fp16_weights=False)
    else:
        layer = Linear4bit(64, 64, bias=False, quant_type=kind, compute_dtype=torch.float32)
    layer.load_state_dict(whole.state_dict())
    return layer
