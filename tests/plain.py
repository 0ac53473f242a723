"""Scores and texts by transformers alone: one row at a time, no padding, the whole vocabulary."""

from collections.abc import Sequence
from typing import Any

import torch

from bench.engines.engine import in_order
from bench.engines.transformer import TransformerEngine
from bench.types import ScoreRequest, Scores
from tiny import ITEM

LETTERS = (" A", " B", " C", " D")
OPTIONS = (" Vitamin A", " Vitamin B12", " kidney", " the pancreas, most likely", " C")


def request(prompt: str, *sets: tuple[str, ...]) -> ScoreRequest:
    return ScoreRequest(ITEM, prompt, sets or (LETTERS,))


def texts(one: ScoreRequest) -> list[str]:
    return [text for texts in one.continuations for text in texts]


def replies(engine: TransformerEngine, requests: Sequence[ScoreRequest]) -> list[Scores]:
    return in_order(engine.score([engine.encode(one) for one in requests]))


def score(engine: TransformerEngine, requests: Sequence[ScoreRequest]) -> list[tuple[float, ...]]:
    """Log-probabilities of all sets, one after the other."""
    return [sum(scores.logprobs, ()) for scores in replies(engine, requests)]


def plain_causal(model: Any, tokenizer: Any, prompt: str, continuation: str) -> float:
    start = tokenizer(prompt)["input_ids"]
    ids = tokenizer(prompt + continuation)["input_ids"]
    assert ids[: len(start)] == start
    with torch.no_grad():
        logprobs = torch.log_softmax(model(torch.tensor([ids])).logits[0].double(), dim=-1)
    return sum(float(logprobs[at - 1, ids[at]]) for at in range(len(start), len(ids)))


def plain_seq2seq(model: Any, tokenizer: Any, prompt: str, continuation: str) -> float:
    source = tokenizer(prompt, return_tensors="pt", return_token_type_ids=False)
    labels = torch.tensor([tokenizer(continuation, add_special_tokens=False)["input_ids"]])
    with torch.no_grad():
        logits = model(**source, labels=labels).logits.double()
    logprobs = torch.log_softmax(logits, dim=-1)
    return float(logprobs.gather(2, labels[..., None]).sum())


def plain_text(model: Any, tokenizer: Any, prompt: str, new_tokens: int) -> str:
    """What the model writes by itself, always the likeliest token."""
    source = tokenizer(prompt, return_tensors="pt", return_token_type_ids=False)
    written = model.generate(**source, max_new_tokens=new_tokens, do_sample=False)
    start = 1 if model.config.is_encoder_decoder else source["input_ids"].shape[1]
    return tokenizer.decode(written[0, start:], skip_special_tokens=True)
