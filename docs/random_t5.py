"""A T5 of FLAN-T5 Small's shape with random weights, to measure speed with.

    python docs/random_t5.py FOLDER TEXT.jsonl

FOLDER gets the weights and `model_cards/random-t5-small.yaml`; the vocabulary is learnt from the
questions of TEXT.jsonl.
"""

import io
import json
import sys
from pathlib import Path

import sentencepiece
import torch
import yaml
from transformers import T5Config, T5ForConditionalGeneration


def build(folder: Path, text: Path) -> None:
    weights = folder / "random-t5-small"
    weights.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in text.read_text(encoding="utf-8").splitlines()]
    vocabulary = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(row["question"] for row in rows),
        model_writer=vocabulary, vocab_size=8000, model_type="unigram", hard_vocab_limit=False,
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1, max_sentence_length=20000, minloglevel=2,
    )  # fmt: skip
    (weights / "spiece.model").write_bytes(vocabulary.getvalue())
    tokenizer = {"tokenizer_class": "T5Tokenizer", "extra_ids": 0, "eos_token": "</s>", "pad_token": "<pad>"}
    (weights / "tokenizer_config.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=32128, d_model=512, d_kv=64, d_ff=1024, num_layers=8, num_heads=6,
        feed_forward_proj="gated-gelu", tie_word_embeddings=False, decoder_start_token_id=0,
    )  # fmt: skip
    T5ForConditionalGeneration(config).save_pretrained(weights)
    card = {
        "name": "random-t5-small", "title": "Random T5 Small", "family": "random", "license": "none",
        "architecture": "encoder-decoder", "context": 2048, "source": {"path": "../random-t5-small"},
    }  # fmt: skip
    cards = folder / "model_cards"
    cards.mkdir(exist_ok=True)
    (cards / "random-t5-small.yaml").write_text(yaml.safe_dump(card), encoding="utf-8")


if __name__ == "__main__":
    build(Path(sys.argv[1]), Path(sys.argv[2]))
