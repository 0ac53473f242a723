"""A request as one model's tokens, for people to look at."""

from dataclasses import dataclass
from typing import Any

from bench.engines import causal, seq2seq
from bench.engines.loading import load_tokenizer
from bench.inputs.model_card import ModelCard
from bench.inputs.weights import Weights
from bench.types import ScoreRequest


@dataclass(frozen=True, slots=True)
class TokenView:
    """`stem` is what the model is fed, `branches` the scored tokens of each continuation."""

    stem: tuple[str, ...]
    branches: tuple[tuple[str, ...], ...]
    bos: str | None
    starts_with_bos: bool


def token_view(card: ModelCard, weights: Weights, request: ScoreRequest) -> TokenView:
    tokenizer: Any = load_tokenizer(weights)
    encode = seq2seq.encode if card.architecture == "encoder-decoder" else causal.encode
    encoded = encode(tokenizer, request)
    return TokenView(
        stem=tuple(tokenizer.convert_ids_to_tokens(encoded.stem)),
        branches=tuple(tuple(tokenizer.convert_ids_to_tokens(branch)) for branch in encoded.branches),
        bos=tokenizer.bos_token,
        starts_with_bos=bool(encoded.stem) and encoded.stem[0] == tokenizer.bos_token_id,
    )
