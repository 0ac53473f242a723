"""The device that torch runs models on. Of the libraries, this imports torch alone."""

from typing import Any

import torch

from bench.engines.device import ROOM
from bench.types import Dtype


def best_dtype() -> Dtype:
    """bfloat16 where the device multiplies it natively, else float32.

    Where bfloat16 is emulated it saves memory, but is slower than float32.
    """
    if torch.cuda.is_available():
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    supports = torch.cpu.get_capabilities()
    return (
        "bfloat16"
        if supports.get("avx512_bf16") or supports.get("amx_bf16") or supports.get("bf16")
        else "float32"
    )


def device_name() -> str:
    """torch's name of the device that models run on: "cuda" or "cpu"."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def placement() -> dict[str, Any]:
    """The arguments of `from_pretrained` that say where the weights go.

    Of several accelerators, the first that have room are filled in their order, so a small model is on one.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count < 2:
        return {"device_map": {"": device_name()}}
    free = {number: int(ROOM * torch.cuda.mem_get_info(number)[0]) for number in range(count)}
    return {"device_map": "sequential", "max_memory": free}
