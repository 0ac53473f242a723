"""The device that torch runs models on. Of the libraries, this imports torch alone."""

import torch

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
