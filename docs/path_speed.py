"""How much faster the packed and shared paths are than the plain one: python docs/path_speed.py [QUESTIONS].

Four models of one size with random weights: full attention, recurrent layers, convolutions and sliding
windows. Each scores the same questions with four options (letters and texts) on the plain path and on its
own, with and without a beginning that all prompts share. Times are those of the processor, after a first
pass that is not counted, so that other programs disturb them little.
"""

import random
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from transformers import AutoModelForCausalLM, Lfm2Config, MistralConfig, Qwen3_5TextConfig, Qwen3Config
from transformers.utils import logging

from bench.engines import causal
from bench.engines.choose_path import best_path
from bench.engines.loading import CPU_BATCH_TOKENS
from bench.types import Branch, Encoded, Item, ScoreRequest, Tokens, Tree

BEGINNING = 800
CONTEXT = 4096
SIZES: dict[str, Any] = {
    "vocab_size": 8000, "hidden_size": 512, "intermediate_size": 1536, "num_hidden_layers": 8,
    "num_attention_heads": 8, "num_key_value_heads": 2, "max_position_embeddings": CONTEXT,
}  # fmt: skip
KINDS: dict[str, Callable[[], Any]] = {
    "full attention (Qwen3)": lambda: Qwen3Config(**SIZES, head_dim=64),
    "recurrent hybrid (Qwen3.5)": lambda: Qwen3_5TextConfig(
        **SIZES, head_dim=64, linear_num_key_heads=4, linear_num_value_heads=4,
        linear_key_head_dim=64, linear_value_head_dim=64,
    ),
    "convolution hybrid (LFM2)": lambda: Lfm2Config(
        **SIZES, layer_types=["conv", "conv", "full_attention", "conv"] * 2
    ),
    "sliding window (Mistral)": lambda: MistralConfig(**SIZES, head_dim=64, sliding_window=512),
}  # fmt: skip


def questions(count: int, beginning: int) -> list[Encoded]:
    """Stems of 100 to 250 tokens, four letters, and four texts of 3 to 12 tokens, at random."""
    draw = random.Random(5)

    def tokens(length: int) -> Tokens:
        return tuple(draw.randrange(SIZES["vocab_size"]) for _ in range(length))

    common, letters = tokens(beginning), [Branch(tokens(1)) for _ in range(4)]
    request = ScoreRequest(Item("", "", (), 0), "", ())
    return [
        Encoded(
            request,
            Tree(stem, (tuple(letters), tuple(Branch(tokens(draw.randint(3, 12))) for _ in range(4)))),
        )
        for stem in [common + tokens(draw.randint(100, 250)) for _ in range(count)]
    ]


def seconds(model: Any, asked: list[Encoded], path: Any) -> float:
    """Processor time of one pass."""
    start = time.process_time()
    for _ in causal.score(model, asked, CPU_BATCH_TOKENS, path):
        pass
    return time.process_time() - start


def main(count: int) -> None:
    logging.set_verbosity_error()
    gains: dict[int, float] = {}
    print(
        f"{'model':28} {'beginning':>9} {'path':7} {'plain s':>8} {'own s':>7} {'gain':>6} {'of packed':>9}"
    )
    for name, config in KINDS.items():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config()).eval()
        path = best_path(model, CONTEXT)
        for beginning in (0, BEGINNING):
            asked = questions(count if not beginning else max(count // 4, 4), beginning)
            seconds(model, asked[:4], path)
            plain, own = seconds(model, asked, "plain"), seconds(model, asked, path)
            gain = plain / own
            share = gain / gains.setdefault(beginning, gain)
            print(
                f"{name:28} {beginning:9} {path:7} {plain:8.1f} {own:7.1f} {gain:6.2f} {share:9.0%}",
                flush=True,
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 24)
