"""What a card may set of the engine llama.cpp."""

from typing import Literal

from bench.config import Strict
from bench.numbers import Count, Positive


class LlamaSettings(Strict):
    """`threads` is how many threads compute, by default as many as there are cores to use.

    `gpu_layers` is how many layers are computed on a GPU, by default all where the library's build has one.
    `cache` is the number format of the keys and values that are kept of tokens; f16 is llama.cpp's default.
    """

    threads: Positive | None = None
    gpu_layers: Count | None = None
    cache: Literal["f32", "f16"] = "f16"
