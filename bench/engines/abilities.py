"""What torch and bitsandbytes can do on this machine, tested by running them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from bench.engines.device import device_title
from bench.engines.loading import quieten
from bench.engines.memory import free_memory_bytes
from bench.engines.torch_device import best_dtype, device_name
from bench.errors import one_line
from bench.types import Quantization
from bench.wording import percent


@dataclass(frozen=True, slots=True)
class Abilities:
    """`device_bytes` is the accelerator's free memory, None without one.

    `quantizations` has for each weight format the reason why it does not run here, "" where it does.
    """

    device: str
    device_bytes: int | None
    dtype: str
    cuda_build: bool
    quantizations: dict[Quantization, str]


def abilities() -> Abilities:
    """Test this machine. Takes a few seconds: it imports torch and bitsandbytes, and quantises a layer."""
    quieten()
    return Abilities(
        device=device_title(),
        device_bytes=free_memory_bytes() if device_name() == "cuda" else None,
        dtype=best_dtype(),
        cuda_build=torch.backends.cuda.is_built(),
        quantizations=dict(_quantizations()),
    )


def _quantizations() -> Iterator[tuple[Quantization, str]]:
    """Each weight format, with the reason why a layer in it fails or is far off the unquantised layer."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(64, 64, bias=False)
    inputs = torch.randn(2, 64)
    expected = layer(inputs).detach()
    for kind in ("int8", "nf4", "fp4"):
        try:
            quantized = _quantize(layer, kind).to(device_name())
            outputs = quantized(inputs.to(device_name())).float().cpu()
            error = float((outputs - expected).norm() / expected.norm())
            yield kind, "" if error < 0.5 else f"wrong by {percent(error, 0)}"
        except Exception as error:  # noqa: BLE001 (whatever the library or the driver raises)
            yield kind, one_line(error)


def _quantize(layer: Any, kind: Quantization) -> Any:
    from bitsandbytes.nn.modules import Linear4bit, Linear8bitLt

    if kind == "int8":
        quantized: Any = Linear8bitLt(64, 64, bias=False, has_fp16_weights=False)
    else:
        quantized = Linear4bit(64, 64, bias=False, quant_type=kind, compute_dtype=torch.float32)
    quantized.load_state_dict(layer.state_dict())
    return quantized
