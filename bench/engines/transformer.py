"""A loaded transformers model as an engine, decoder-only or encoder-decoder."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bench.engines import causal, chat, seq2seq, writing
from bench.engines.packing import Path
from bench.engines.quantizing import footprint, keep_unpacked
from bench.engines.tokenizing import encode_causal, encode_seq2seq
from bench.errors import PromptTooLong
from bench.types import (
    Encoded,
    GenerateRequest,
    Message,
    Reads,
    ScoredBatch,
    ScoreRequest,
    Tokens,
    WrittenBatch,
)

WRITING = 8
"""A batch that writes may hold this many times the tokens: all but one a row lie in the cache."""


@dataclass(frozen=True, slots=True)
class TransformerEngine:
    """`window` is the longest row, in tokens, that the model takes (encoder-decoder: the encoder's).

    A scoring batch is about `batch_tokens`.
    """

    model: Any
    tokenizer: Any
    window: int
    batch_tokens: int
    path: Path
    reads: Reads = "prompt"

    @property
    def _is_decoder(self) -> bool:
        return not self.model.config.is_encoder_decoder

    @property
    def model_bytes(self) -> int:
        return footprint(self.model)

    def encode(self, request: ScoreRequest) -> Encoded:
        encode = encode_causal if self._is_decoder else encode_seq2seq
        return encode(self.tokenizer, request, self.window)

    def score(self, requests: Sequence[Encoded], skip: frozenset[int] = frozenset()) -> Iterator[ScoredBatch]:
        score = causal.score if self._is_decoder else seq2seq.score
        return score(self.model, requests, self.batch_tokens, self.path, skip)

    def render(self, messages: Sequence[Message], *, thinking: bool) -> str:
        return chat.render(self.tokenizer, messages, thinking=thinking)

    def encode_prompt(self, request: GenerateRequest) -> Tokens:
        ids = self.tokenizer(request.prompt, add_special_tokens=not request.templated)["input_ids"]
        new = request.max_new_tokens if self._is_decoder else 0
        if len(ids) + new > self.window:
            raise PromptTooLong(len(ids), self.window, new)
        return tuple(ids)

    def generate(
        self,
        requests: Sequence[GenerateRequest],
        prompts: Sequence[Tokens],
        skip: frozenset[int] = frozenset(),
    ) -> Iterator[WrittenBatch]:
        budget = WRITING * self.batch_tokens
        keep_unpacked(self.model, unpacked=False)  # a row writes one token at a time
        return writing.write(self.model, self.tokenizer, requests, prompts, budget, skip)

    def close(self) -> None:
        """Nothing is held beyond the model, which goes with the process."""
