"""The keys and values that a decoder-only model keeps, from its configuration."""

from collections import Counter
from typing import Any

from bench.types import CacheShape


def cache_shape(model: Any) -> CacheShape | None:
    """What the model keeps of a token.

    None for encoder-decoders, where layers share keys and values, and where the configuration does not say.
    """
    config = model.config.get_text_config()
    layers, heads = (getattr(config, name, None) for name in ("num_hidden_layers", "num_attention_heads"))
    shared = getattr(config, "num_kv_shared_layers", 0)
    if model.config.is_encoder_decoder or shared or not layers or not heads:
        return None
    window = getattr(config, "sliding_window", None) or 0
    usual = "sliding_attention" if window else "full_attention"
    kinds = Counter(getattr(config, "layer_types", None) or [usual] * layers)
    return CacheShape(
        layers=kinds["full_attention"],
        heads=getattr(config, "num_key_value_heads", None) or heads,
        head_size=getattr(config, "head_dim", None) or config.hidden_size // heads,
        windowed=kinds["sliding_attention"],
        window=window if kinds["sliding_attention"] else 0,
    )
