"""Tiny models of the real classes, built here: real tokenizers, real files, weights large enough to matter.

A freshly initialised model hardly feels order or position, so weights are scaled up: a mistake in
either then moves a score by far more than the tolerance.
"""

import io
import json
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    MixtralConfig,
    Phi3Config,
    PhiConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
    T5Config,
    T5ForConditionalGeneration,
)

from bench.engines.engine import Opening
from bench.engines.loading import open_transformers
from bench.engines.transformer import TransformerEngine
from bench.inputs.model_card import Architecture, ModelCard, PathSource
from bench.inputs.weights import Weights
from bench.types import Item

ITEM = Item("q", "?", ("x", "y"), 0)

SIZES = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}
CONFIGS: dict[str, Callable[[int], object]] = {
    "llama": lambda size: LlamaConfig(vocab_size=size, tie_word_embeddings=True, **SIZES),
    "qwen2": lambda size: Qwen2Config(vocab_size=size, **SIZES),
    "qwen3": lambda size: Qwen3Config(vocab_size=size, head_dim=16, **SIZES),
    "phi": lambda size: PhiConfig(vocab_size=size, **(SIZES | {"num_key_value_heads": 4})),
    "phi3": lambda size: Phi3Config(vocab_size=size, pad_token_id=0, **SIZES),
}
TEXTS = [
    (
        "Question: Which vitamin is missing in scurvy?\nA. Vitamin A\n"
        "B. Vitamin B12\nC. Vitamin C\nD. Vitamin D\nAnswer: C"
    ),
    "Question: Which organ makes insulin?\nA. Liver\nB. Pancreas\nC. Spleen\nD. Kidney\nAnswer: B",
    "A patient has a fever and a cough. The answer is the most likely diagnosis.",
]


def bpe_tokenizer(
    texts: Iterable[str] = TEXTS, *, size: int = 400, crosses_words: bool = False
) -> PreTrainedTokenizerFast:
    """Byte-level BPE as Qwen's and SmolLM2's, or one that merges across spaces when asked to."""
    tokenizer = Tokenizer(models.BPE(unk_token=None if not crosses_words else "<unk>"))
    if not crosses_words:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=["<unk>", "<s>", "</s>"],
        initial_alphabet=[] if crosses_words else pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="</s>")


def scaled(model: torch.nn.Module, factor: float = 3.0) -> torch.nn.Module:
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(factor)
    return model


def save_causal(folder: Path, family: str, tokenizer: PreTrainedTokenizerFast | None = None) -> Path:
    """A decoder-only model and its tokenizer, as `save_pretrained` writes them."""
    tokenizer = tokenizer or bpe_tokenizer()
    torch.manual_seed(7)
    model = scaled(AutoModelForCausalLM.from_config(CONFIGS[family](len(tokenizer))))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_shards(folder: Path) -> tuple[Path, Path]:
    """Split a saved model's weights into two files and an index."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    first, second = (folder / f"model-0000{at}-of-00002.safetensors" for at in (1, 2))
    places = {name: first if at < 9 else second for at, name in enumerate(sorted(tensors))}
    for file in (first, second):
        part = {name: tensors[name] for name, place in places.items() if place == file}
        save_file(part, file, metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": {name: file.name for name, file in places.items()}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    return first, second


def save_t5(folder: Path, factor: float = 3.0) -> Path:
    """A T5 1.1 as FLAN-T5 is: gated, an output head of its own, and a real sentencepiece vocabulary."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS * 40),
        model_writer=vocabulary,
        vocab_size=120,
        model_type="unigram",
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    (folder / "spiece.model").write_bytes(vocabulary.getvalue())
    (folder / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "T5Tokenizer", "extra_ids": 0, "eos_token": "</s>", "pad_token": "<pad>"}'
    )
    torch.manual_seed(7)
    config = T5Config(
        vocab_size=128, d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4,
        feed_forward_proj="gated-gelu", tie_word_embeddings=False, decoder_start_token_id=0,
        dropout_rate=0.0,
    )  # fmt: skip
    model = scaled(T5ForConditionalGeneration(config), factor)
    model.lm_head.weight = torch.nn.Parameter(torch.randn(128, 64) / 8)
    model.config.tie_word_embeddings = False
    model.save_pretrained(folder)
    return folder


def opened(
    folder: Path,
    architecture: Architecture = "decoder",
    context: int | None = 512,
    **how: Any,
) -> TransformerEngine:
    card = ModelCard(
        name="tiny", title="Tiny", family="tiny", source=PathSource(path="."), architecture=architecture,
        license="mit", context=context,
    )  # fmt: skip
    return open_transformers(Opening(card, "float32", **how), Weights(folder, "sha256:0", 0))


def prompts(count: int) -> list[str]:
    """Prompts of many lengths, made of the words the tokenizers know."""
    words = " ".join(TEXTS).split()
    rng = random.Random(3)
    return [" ".join(rng.choices(words, k=rng.randint(3, 40))) + "\nAnswer:" for _ in range(count)]


def tiny_card(weights: Path, **facts: object) -> ModelCard:
    values = {"name": "tiny", "title": "Tiny", "family": "tiny", "license": "mit", "context": 512}
    values |= {"architecture": "decoder", "source": {"path": str(weights)}}
    return ModelCard.model_validate(values | facts)


def add_card(project: Path, name: str, weights: Path) -> None:
    folder = project / "model_cards"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.yaml").write_text(
        f"name: {name}\ntitle: {name}\nfamily: mine\nsource: {{path: {weights}}}\n"
        "architecture: decoder\nlicense: mit\ncontext: 512\n",
        encoding="utf-8",
    )


def save_experts(folder: Path) -> Path:
    """A mixture of experts, whose experts transformers stacks when it loads them."""
    tokenizer = bpe_tokenizer()
    config = MixtralConfig(vocab_size=len(tokenizer), num_local_experts=2, num_experts_per_tok=1, **SIZES)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
