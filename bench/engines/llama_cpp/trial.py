"""Decode one token with a tiny made-up model: python -m bench.engines.llama_cpp.trial

In a process of its own, because a build for another processor ends its process by a signal. Prints the
instruction sets of the build.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.engines.llama_cpp.cache import FEW, Cache, Part
from bench.engines.llama_cpp.library import instruction_sets, library
from bench.engines.llama_cpp.model import Model
from bench.engines.llama_cpp.settings import LlamaSettings

WIDTH, WORDS = 256, 32


def write_model(file: Path) -> None:
    """A llama of one layer with weights in 4 and 8 bits, whose kernels depend most on the build."""
    import gguf

    writer: Any = gguf.GGUFWriter(file, "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(WIDTH)
    writer.add_head_count(4)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(WORDS)
    writer.add_tokenizer_model("no_vocab")
    four, eight = gguf.GGMLQuantizationType.Q4_0, gguf.GGMLQuantizationType.Q8_0
    weights = np.random.default_rng(0)
    for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        values = weights.standard_normal((WIDTH, WIDTH)).astype(np.float32)
        writer.add_tensor(f"blk.0.{name}.weight", gguf.quantize(values, four), raw_dtype=four)
    embedding = weights.standard_normal((WORDS, WIDTH)).astype(np.float32)
    writer.add_tensor("token_embd.weight", gguf.quantize(embedding, eight), raw_dtype=eight)
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(WIDTH, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main() -> None:
    llama = library()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trial.gguf"
        write_model(file)
        handle = llama.llama_model_load_from_file(str(file).encode(), llama.llama_model_default_params())
        model = Model(handle, llama.llama_model_get_vocab(handle))
        [logits] = Cache(model, LlamaSettings(), 64, FEW).decode([Part(0, 0, (1, 2, 3), (2,))])
    if not np.isfinite(logits).all():
        sys.exit("it computes numbers that are not finite")
    sys.stdout.write(f"{instruction_sets()}\n")


if __name__ == "__main__":
    main()
