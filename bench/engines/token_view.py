"""A request in the tokens of a model, for display."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.engines.chat import render
from bench.engines.loading import load_tokenizer
from bench.engines.tokenizing import encode_causal, encode_seq2seq
from bench.inputs.model_card import ModelCard
from bench.inputs.weights import Weights
from bench.types import Message, ScoreRequest


@dataclass(frozen=True, slots=True)
class TokenView:
    """`stem` is the model's input before the continuations, and `branches` has the tokens of each of them."""

    stem: tuple[str, ...]
    branches: tuple[tuple[str, ...], ...]
    bos: str | None
    starts_with_bos: bool


def request_tokens(
    card: ModelCard,
    weights: Weights,
    ask: Callable[[Callable[[Sequence[Message]], str]], ScoreRequest],
) -> tuple[ScoreRequest, TokenView]:
    """The request that `ask` makes with the model's chat template, which it gets as a function, in tokens."""
    tokenizer: Any = load_tokenizer(weights)
    request = ask(partial(render, tokenizer, thinking=False))
    encode = encode_seq2seq if card.architecture == "encoder-decoder" else encode_causal
    tree = encode(tokenizer, request).tree
    return request, TokenView(
        stem=tuple(tokenizer.convert_ids_to_tokens(tree.stem)),
        branches=tuple(tuple(tokenizer.convert_ids_to_tokens(branch.tokens)) for branch in tree.flat),
        bos=tokenizer.bos_token,
        starts_with_bos=bool(tree.stem) and tree.stem[0] == tokenizer.bos_token_id,
    )
