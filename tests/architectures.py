"""Tiny models of the classes that small models have: real configurations, two to four layers, what is
special about each class kept.

The weights are random and scaled up. Without that a model hardly feels the order of its tokens, and a
mistake in a mask, a position or a state would not show.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers.processors import TemplateProcessing
from transformers import AutoModelForCausalLM, AutoModelForMultimodalLM, AutoModelForSeq2SeqLM

from bench.inputs.model_card import Architecture as Kind
from tiny import bpe_tokenizer

TOKENIZER = bpe_tokenizer(size=300)
VOCABULARY = len(TOKENIZER)
EMBEDDINGS = VOCABULARY + 8
"""Rows of the embedding. The last ones are for images and sound, and no text has them."""
IMAGE = VOCABULARY
LONGEST = 512
"""The context of every card; prompts are shorter."""
BORDER = 68
"""Positions from which LongRoPE takes other frequencies: some prompts are shorter, some longer."""
SHORT_WINDOW = 24
"""A sliding window that every prompt exceeds."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """A class of transformers, the models that have it, and a tiny configuration of it.

    `special` says what the tiny model keeps of the class. `config` makes the configuration: `wraps` is
    whether it is that of a wrapper, with a vision or audio tower beside the text part. `scale` multiplies
    the random weights.
    """

    name: str
    models: str
    special: str
    config: Callable[[], Any]
    wraps: bool = False
    kind: Kind = "decoder"
    scale: float = 10.0

    @property
    def auto(self) -> Any:
        """transformers' own auto class for the whole checkpoint."""
        if self.kind == "encoder-decoder":
            return AutoModelForSeq2SeqLM
        return AutoModelForMultimodalLM if self.wraps else AutoModelForCausalLM


def _config(name: str, **values: Any) -> Callable[[], Any]:
    return lambda: getattr(transformers, name)(**values)


SIZES: dict[str, Any] = {
    "vocab_size": EMBEDDINGS,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": LONGEST,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
HEADS: dict[str, Any] = SIZES | {"head_dim": 8}
ALTERNATING = {"layer_types": ["sliding_attention", "full_attention"]}
LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 500.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
YARN = {
    "rope_type": "yarn",
    "rope_theta": 500.0,
    "factor": 4.0,
    "original_max_position_embeddings": 64,
    "mscale": 1.0,
    "mscale_all_dim": 1.0,
    "beta_fast": 32.0,
    "beta_slow": 1.0,
    "llama_4_scaling_beta": 0.1,
}
LONGROPE = {
    "rope_type": "longrope",
    "rope_theta": 500.0,
    "short_factor": [1.0, 1.1, 1.2],
    "long_factor": [2.0, 3.0, 5.0],
    "original_max_position_embeddings": BORDER,
}
MAMBA: dict[str, Any] = {
    "mamba_n_heads": 4,
    "mamba_d_head": 16,
    "mamba_d_state": 8,
    "mamba_n_groups": 1,
    "mamba_chunk_size": 16,
}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
GRANITE = {
    "embedding_multiplier": 12.0,
    "logits_scaling": 4.0,
    "residual_multiplier": 0.22,
    "attention_multiplier": 0.3,
}
QWEN35_TEXT: dict[str, Any] = HEADS | {
    "layer_types": ["linear_attention", "full_attention"],
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "rope_parameters": {
        "rope_type": "default",
        "rope_theta": 500.0,
        "partial_rotary_factor": 0.5,
        "mrope_section": [1, 1, 0],
        "mrope_interleaved": True,
    },
}
QWEN3_VL_ROPE = {
    "rope_type": "default",
    "rope_theta": 500.0,
    "mrope_section": [2, 1, 1],
    "mrope_interleaved": True,
}
GEMMA3_TEXT: dict[str, Any] = HEADS | ALTERNATING | {"query_pre_attn_scalar": 8}
GEMMA4_TEXT: dict[str, Any] = HEADS | {
    "num_hidden_layers": 4,
    "layer_types": ["sliding_attention", "full_attention"] * 2,
    "num_kv_shared_layers": 2,
    "vocab_size_per_layer_input": EMBEDDINGS,
    "hidden_size_per_layer_input": 8,
    "final_logit_softcapping": 30.0,
    "use_double_wide_mlp": True,
    "sliding_window": SHORT_WINDOW,
}
SIGLIP = {
    "model_type": "siglip_vision_model",
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}
PIXTRAL = SIGLIP | {"model_type": "pixtral", "head_dim": 8}
GEMMA4_VISION = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "patch_size": 4,
    "position_embedding_size": 16,
}
GEMMA4_AUDIO = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "output_proj_dims": 16,
    "subsampling_conv_channels": [4, 2],
}
QWEN35_VISION = {
    "depth": 1,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_heads": 2,
    "out_hidden_size": 32,
    "num_position_embeddings": 16,
}
IMAGE_TOKENS = {
    "boi_token_index": IMAGE,
    "eoi_token_index": IMAGE + 1,
    "image_token_index": IMAGE + 2,
    "mm_tokens_per_image": 1,
}


def _t5gemma2() -> Any:
    text = HEADS | ALTERNATING | {"sliding_window": SHORT_WINDOW, "query_pre_attn_scalar": 8}
    return transformers.T5Gemma2Config(
        encoder={"text_config": text, "vision_config": SIGLIP, **IMAGE_TOKENS},
        decoder=text,
        image_token_index=IMAGE + 2,
        eoi_token_index=IMAGE + 1,
    )


ARCHITECTURES = [
    Architecture("gpt2", "GPT-2", "learned positions, tied head",
        _config("GPT2Config", vocab_size=EMBEDDINGS, n_positions=LONGEST, n_embd=32, n_layer=2, n_head=4)),
    Architecture("gpt_neox", "Pythia", "parallel attention and MLP, partial rotary positions",
        _config("GPTNeoXConfig", **SIZES, rotary_pct=0.25)),
    Architecture("phi", "Phi-1.5, Phi-2", "parallel attention and MLP, partial rotary positions, biases",
        _config("PhiConfig", **SIZES | {"num_key_value_heads": 4}, partial_rotary_factor=0.5)),
    Architecture("phi3", "MediPhi", "fused projections", _config("Phi3Config", **SIZES)),
    Architecture("phi3-longrope", "Phi-3.5-mini, Phi-4-mini", "other rotary frequencies from a length on",
        _config("Phi3Config", **SIZES | {"num_hidden_layers": 3}, original_max_position_embeddings=BORDER,
            rope_parameters=LONGROPE | {"partial_rotary_factor": 0.75})),
    Architecture("qwen2", "Qwen2.5, DeepSeek-R1-Distill-Qwen-1.5B", "biases of the projections, tied head",
        _config("Qwen2Config", **SIZES, tie_word_embeddings=True)),
    Architecture("qwen3", "Qwen3, MedPsy", "norms of queries and keys", _config("Qwen3Config", **HEADS)),
    Architecture("qwen3_moe", "", "mixture of experts", _config("Qwen3MoeConfig", **HEADS, **EXPERTS)),
    Architecture("llama", "Llama 3.2, SmolLM2, MiniCPM5, TinyLlama", "rotary positions scaled as in Llama 3",
        _config("LlamaConfig", **SIZES, rope_parameters=LLAMA3_ROPE, tie_word_embeddings=True)),
    Architecture("smollm3", "SmolLM3", "layers without positions",
        _config("SmolLM3Config", **SIZES, no_rope_layers=[1, 0])),
    Architecture("granite", "Granite 4.1", "multipliers of embeddings, attention, residuals and logits",
        _config("GraniteConfig", **SIZES, **GRANITE), scale=40.0),
    Architecture("granitemoehybrid", "Granite 4.0 350M and 1B", "attention layers only, no experts",
        _config("GraniteMoeHybridConfig", **SIZES, **GRANITE, **MAMBA, num_local_experts=0,
            layer_types=["attention", "attention"], position_embedding_type="rope",
            shared_intermediate_size=48), scale=30.0),
    Architecture("granitemoehybrid-h", "Granite 4.0 H 350M and 1B", "Mamba-2 and attention without positions",
        _config("GraniteMoeHybridConfig", **SIZES, **GRANITE, **MAMBA, num_local_experts=0,
            layer_types=["mamba", "attention"], position_embedding_type="nope",
            shared_intermediate_size=48)),
    Architecture("granitemoehybrid-moe", "Granite 4.0 H Tiny", "Mamba-2, attention and experts",
        _config("GraniteMoeHybridConfig", **SIZES, **GRANITE, **MAMBA, num_local_experts=4,
            num_experts_per_tok=2, layer_types=["mamba", "attention"], position_embedding_type="nope",
            shared_intermediate_size=48)),
    Architecture("olmo2", "OLMo 2", "norms after attention and MLP", _config("Olmo2Config", **SIZES)),
    Architecture("mistral", "", "a sliding window in every layer",
        _config("MistralConfig", **HEADS, sliding_window=SHORT_WINDOW)),
    Architecture("ministral3", "", "rotary positions scaled by YaRN, queries scaled by position",
        _config("Ministral3Config", **HEADS, rope_parameters=YARN)),
    Architecture("mistral3", "Ministral 3 3B", "a Pixtral vision tower beside Ministral 3's text part",
        lambda: transformers.Mistral3Config(
            text_config=HEADS | {"model_type": "ministral3", "rope_parameters": YARN},
            vision_config=PIXTRAL, image_token_index=IMAGE + 2), wraps=True),
    Architecture("lfm2", "LFM2.5", "short convolutions and attention",
        _config("Lfm2Config", **SIZES, layer_types=["conv", "full_attention"], block_multiple_of=8)),
    Architecture("qwen3_5_text", "", "gated DeltaNet and attention",
        _config("Qwen3_5TextConfig", **QWEN35_TEXT)),
    Architecture("qwen3_5", "Qwen3.5", "gated DeltaNet and attention beside a vision tower",
        lambda: transformers.Qwen3_5Config(
            text_config=QWEN35_TEXT, vision_config=QWEN35_VISION, image_token_id=IMAGE + 2,
            video_token_id=IMAGE + 3, vision_start_token_id=IMAGE,
            vision_end_token_id=IMAGE + 1), wraps=True),
    Architecture("falcon_h1", "Falcon-H1", "attention and Mamba-2 side by side in each layer, multipliers",
        _config("FalconH1Config", **SIZES, **MAMBA, mamba_d_ssm=64, lm_head_multiplier=0.5,
            embedding_multiplier=2.0, key_multiplier=0.5, ssm_out_multiplier=0.5)),
    Architecture("nemotron_h", "Nemotron 3 Nano", "Mamba-2, MLP and attention layers, no positions",
        _config("NemotronHConfig",
            **{name: value for name, value in HEADS.items() if name != "num_hidden_layers"},
            layers_block_type=["mamba", "mlp", "attention"], mamba_num_heads=4, mamba_head_dim=16,
            ssm_state_size=8, n_groups=1, chunk_size=16)),
    Architecture("gemma2", "Gemma 2", "a sliding window, soft caps of attention and logits",
        _config("Gemma2Config", **HEADS, **ALTERNATING, sliding_window=SHORT_WINDOW,
            query_pre_attn_scalar=8)),
    Architecture("gemma2-long", "", "a sliding window as long as the context, soft caps",
        _config("Gemma2Config", **HEADS, **ALTERNATING, sliding_window=LONGEST, query_pre_attn_scalar=8)),
    Architecture("gemma3_text", "Gemma 3 270M and 1B", "a sliding window shorter than the prompt",
        _config("Gemma3TextConfig", **GEMMA3_TEXT, sliding_window=SHORT_WINDOW)),
    Architecture("gemma3_text-long", "", "a sliding window as long as the context",
        _config("Gemma3TextConfig", **GEMMA3_TEXT, sliding_window=LONGEST)),
    Architecture("gemma3", "Gemma 3 4B, MedGemma", "a SigLIP vision tower beside Gemma 3's text part",
        lambda: transformers.Gemma3Config(text_config=GEMMA3_TEXT | {"sliding_window": SHORT_WINDOW},
            vision_config=SIGLIP, **IMAGE_TOKENS), wraps=True),
    Architecture("gemma3n_text", "", "per-layer embeddings, shared keys and values, several residual streams",
        _config("Gemma3nTextConfig", **HEADS | {"num_hidden_layers": 4, "intermediate_size": [48] * 4},
            layer_types=["sliding_attention", "full_attention"] * 2, num_kv_shared_layers=2,
            sliding_window=SHORT_WINDOW, vocab_size_per_layer_input=EMBEDDINGS,
            hidden_size_per_layer_input=8, laurel_rank=4, activation_sparsity_pattern=[0.5, 0.0, 0.0, 0.0])),
    Architecture("gemma4_text", "", "per-layer embeddings, shared keys and values, a sliding window",
        _config("Gemma4TextConfig", **GEMMA4_TEXT)),
    Architecture("gemma4_text-long", "", "per-layer embeddings, a sliding window as long as the context",
        _config("Gemma4TextConfig", **GEMMA4_TEXT | {"sliding_window": LONGEST})),
    Architecture("gemma4", "Gemma 4 E2B", "vision and audio towers beside Gemma 4's text part",
        lambda: transformers.Gemma4Config(text_config=GEMMA4_TEXT, vision_config=GEMMA4_VISION,
            audio_config=GEMMA4_AUDIO, boi_token_id=IMAGE, eoi_token_id=IMAGE + 1, image_token_id=IMAGE + 2,
            video_token_id=IMAGE + 3, boa_token_id=IMAGE + 4, eoa_token_index=IMAGE + 5,
            audio_token_id=IMAGE + 6), wraps=True),
    Architecture("smolvlm", "SmolVLM", "a whole wrapper: SigLIP-like vision tower and Llama",
        lambda: transformers.SmolVLMConfig(
            text_config=SIZES | {"model_type": "llama"}, image_token_id=IMAGE + 2, scale_factor=2,
            pad_token_id=0, vision_config={name: SIGLIP[name] for name in SIGLIP if name != "model_type"}),
        wraps=True),
    Architecture("qwen3_vl", "Qwen3-VL", "a whole wrapper: positions in three dimensions",
        lambda: transformers.Qwen3VLConfig(
            text_config=HEADS | {"rope_parameters": QWEN3_VL_ROPE}, image_token_id=IMAGE + 2,
            vision_config=QWEN35_VISION | {"deepstack_visual_indexes": [0]}, video_token_id=IMAGE + 3,
            vision_start_token_id=IMAGE, vision_end_token_id=IMAGE + 1), wraps=True),
    Architecture("exaone4", "EXAONE 4.0 1.2B", "norms after attention and MLP, norms of queries and keys",
        _config("Exaone4Config", **SIZES, sliding_window=None, layer_types=["full_attention"] * 2)),
    Architecture("exaone4-sliding", "", "a sliding window, layers without positions",
        _config("Exaone4Config", **SIZES, **ALTERNATING, sliding_window=SHORT_WINDOW,
            sliding_window_pattern="LG")),
    Architecture("hunyuan_v1_dense", "Hunyuan 1.8B", "rotary positions by dynamic alpha, norms after them",
        _config("HunYuanDenseV1Config", **HEADS,
            rope_parameters={"rope_type": "dynamic", "rope_theta": 500.0, "factor": 1.0, "alpha": 1000.0})),
    Architecture("bitnet", "BitNet b1.58 2B 4T", "squared ReLU, norms in attention and MLP; here unquantised",
        _config("BitNetConfig", **SIZES)),
    Architecture("nemotron", "Nemotron Mini", "norms around 1, squared ReLU, partial rotary positions",
        _config("NemotronConfig", **HEADS)),
    Architecture("ernie4_5", "ERNIE 4.5 0.3B", "interleaved rotary positions",
        _config("Ernie4_5Config", **HEADS)),
    Architecture("arcee", "AFM 4.5B", "squared ReLU", _config("ArceeConfig", **HEADS)),
    Architecture("mamba", "", "recurrent layers only",
        _config("MambaConfig", vocab_size=EMBEDDINGS, hidden_size=32, state_size=4, num_hidden_layers=2),
        scale=3.0),
    Architecture("t5", "FLAN-T5", "biases by distance, a head of its own",
        _config("T5Config", vocab_size=EMBEDDINGS, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4,
            feed_forward_proj="gated-gelu", tie_word_embeddings=False, decoder_start_token_id=0,
            dropout_rate=0.0), kind="encoder-decoder", scale=2.0),
    Architecture("t5gemma", "T5Gemma 2B", "Gemma 2's layers in encoder and decoder, a sliding window",
        lambda: transformers.T5GemmaConfig(
            encoder=HEADS | ALTERNATING | {"sliding_window": SHORT_WINDOW, "query_pre_attn_scalar": 8},
            decoder=HEADS | ALTERNATING | {"sliding_window": SHORT_WINDOW, "query_pre_attn_scalar": 8},
            vocab_size=EMBEDDINGS), kind="encoder-decoder"),
    Architecture("t5gemma2", "T5Gemma 2 270M", "a vision tower in the encoder, a sliding window", _t5gemma2,
        kind="encoder-decoder"),
]  # fmt: skip
BY_NAME: Mapping[str, Architecture] = {one.name: one for one in ARCHITECTURES}


def save(one: Architecture, folder: Path) -> Path:
    """The tiny model and its tokenizer, as `save_pretrained` writes them."""
    torch.manual_seed(7)
    model = one.auto.from_config(one.config())
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(one.scale)
            else:
                parameter.add_(torch.randn_like(parameter) / 10)
        for module in model.modules():
            _remember(module)
    model.save_pretrained(folder)
    _tokenizer(one.kind).save_pretrained(folder)
    return folder


def _remember(module: Any) -> None:
    """Let a Mamba-2 layer speak from its state: as it is initialised, a token outweighs all before it."""
    if all(hasattr(module, name) for name in ("A_log", "D", "dt_bias")):
        module.A_log.fill_(-2)  # the state fades to 1/e in about ten tokens
        module.D.zero_()
        module.dt_bias.zero_()


def _tokenizer(kind: Kind) -> Any:
    tokenizer = bpe_tokenizer(size=VOCABULARY)
    if kind == "encoder-decoder":
        tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
            single="$A </s>", special_tokens=[("</s>", 2)]
        )
    return tokenizer
