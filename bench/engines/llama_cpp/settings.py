"""What a card may set of the engine llama.cpp."""

from typing import Annotated, Literal

from pydantic import Field

from bench.config import Strict


class LlamaSettings(Strict):
    """`threads` is how many threads compute, by default as many as there are cores to use.

    `gpu_layers` is how many layers are computed on a GPU, by default all where the library's build has one.
    `cache` is the number format of the keys and values that are kept of tokens; f16 is llama.cpp's default.
    """

    threads: Annotated[int, Field(gt=0)] | None = None
    gpu_layers: Annotated[int, Field(ge=0)] | None = None
    cache: Literal["f32", "f16"] = "f16"
