"""A GGUF file loaded by llama.cpp, and what it says of itself."""

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.engines.llama_cpp.library import last_error, library
from bench.errors import BenchError
from bench.types import CacheShape

ALL_LAYERS = 999


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded model: `handle` and `vocabulary` are the library's pointers to it."""

    handle: Any
    vocabulary: Any

    def value(self, key: str) -> str | None:
        """A value of the file's header as text; None where it has none. `{arch}` is its architecture."""
        if "{arch}" in key:
            key = key.replace("{arch}", self.value("general.architecture") or "")
        buffer = ctypes.create_string_buffer(1 << 10)
        size = library().llama_model_meta_val_str(self.handle, key.encode(), buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace") if size >= 0 else None

    def number(self, key: str) -> int | None:
        """A whole number of the file's header; None where it has none, or one for each layer."""
        text = self.value(key)
        return int(text) if text is not None and text.isdecimal() else None

    @property
    def bytes(self) -> int:
        """The size of all tensors, in bytes."""
        return int(library().llama_model_size(self.handle))

    @property
    def context(self) -> int:
        """The tokens that the model was trained on at once."""
        return int(library().llama_model_n_ctx_train(self.handle))

    @property
    def is_special(self) -> bool:
        """Whether it keeps more than the keys and values of all tokens: a state, or those of a window."""
        llama = library()
        recurrent = llama.llama_model_is_recurrent(self.handle) or llama.llama_model_is_hybrid(self.handle)
        return bool(recurrent or llama.llama_model_n_swa(self.handle))

    @property
    def cache_shape(self) -> CacheShape | None:
        """The keys and values kept of a token; None where layers differ, or keep another kind of state."""
        llama = library()
        layers, heads = llama.llama_model_n_layer(self.handle), self.number("{arch}.attention.head_count_kv")
        size = self.number("{arch}.attention.key_length")
        if size is None:
            size = llama.llama_model_n_embd(self.handle) // max(1, llama.llama_model_n_head(self.handle))
        if self.is_special or heads is None:
            return None
        return CacheShape(layers=int(layers), heads=heads, head_size=int(size))

    def close(self) -> None:
        library().llama_model_free(self.handle)


def load(path: Path, *, gpu_layers: int | None) -> Model:
    """Load the model of a file, with `gpu_layers` of its layers on a GPU; None is all, where the build can.

    Raises a BenchError where the library does not take the file.
    """
    llama = library()
    params = llama.llama_model_default_params()
    offloads = bool(llama.llama_supports_gpu_offload())
    if gpu_layers and not offloads:
        raise BenchError(
            "this build of llama-cpp-python uses no GPU: set gpu_layers to 0, or install another"
        )
    params.n_gpu_layers = ALL_LAYERS if gpu_layers is None and offloads else gpu_layers or 0
    last_error()
    handle = llama.llama_model_load_from_file(str(path).encode(), params)
    if not handle:
        reason = last_error() or "the library gives no reason"
        raise BenchError(f"llama.cpp cannot load {path.name}: {reason}")
    if not llama.llama_model_has_decoder(handle) or llama.llama_model_has_encoder(handle):
        llama.llama_model_free(handle)
        raise BenchError(f"{path.name} holds no decoder-only model, and the engine llama.cpp runs only those")
    vocabulary = llama.llama_model_get_vocab(handle)
    if not llama.llama_vocab_type(vocabulary):
        llama.llama_model_free(handle)
        raise BenchError(f"{path.name} holds no tokenizer: convert the model again, with its tokenizer")
    return Model(handle, vocabulary)
