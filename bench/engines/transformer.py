"""The engine of a loaded transformers model, decoder-only or encoder-decoder."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from bench.engines import causal, chat, seq2seq, writing
from bench.engines.auto_class import tower_bytes
from bench.engines.fitting import check_tokens, rotary_positions, vocabulary_size
from bench.engines.keys_and_values import cache_shape
from bench.engines.long_rows import by_length, forget_lengths, frequency_border, to_write, within
from bench.engines.packing import Path
from bench.engines.quantizing import footprint, keep_unpacked
from bench.engines.tokenizing import encode_causal, encode_prompt, encode_seq2seq
from bench.types import (
    CacheShape,
    Encoded,
    GenerateRequest,
    Message,
    MoreScores,
    Reads,
    ScoredBatch,
    ScoreRequest,
    Tokens,
    WrittenBatch,
)

GENERATE_TOKENS = 8
"""A generating batch may have this many times the tokens: each step computes one a row."""


@dataclass(frozen=True, slots=True)
class TransformerEngine:
    """`window` is the longest row, in tokens, that the model takes (encoder-decoder: that the encoder takes).

    A scoring batch has about `batch_tokens` tokens.
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

    @property
    def positions(self) -> int | None:
        return rotary_positions(self.model)

    @property
    def cache_shape(self) -> CacheShape | None:
        return cache_shape(self.model)

    @property
    def tower_bytes(self) -> int | None:
        return tower_bytes(self.model)

    @property
    def accelerators(self) -> int | None:
        places = set(getattr(self.model, "hf_device_map", {}).values())
        count = len(places - {"cpu", "disk"})
        return count if count > 1 else None

    def encode(self, request: ScoreRequest) -> Encoded:
        encode = encode_causal if self._is_decoder else encode_seq2seq
        encoded = encode(self.tokenizer, request, self.window)
        tokens = chain(encoded.tree.stem, *(branch.tokens for branch in encoded.tree.flat))
        check_tokens(request.item.id, tokens, self.tokenizer, vocabulary_size(self.model))
        return encoded

    def score(self, requests: Sequence[Encoded], skip: frozenset[int] = frozenset()) -> Iterator[ScoredBatch]:
        if not self._is_decoder:
            return seq2seq.score(self.model, requests, self.batch_tokens, self.path, skip)
        return self._score_by_length(requests, skip)

    @property
    def joins_prompts(self) -> bool:
        return self._is_decoder

    def score_with_more(
        self,
        requests: Sequence[Encoded],
        more: Callable[[int], Sequence[Encoded]],
        skip: frozenset[int] = frozenset(),
    ) -> Iterator[ScoredBatch | MoreScores]:
        if self.path != "packed" or frequency_border(self.model) is not None or not self._is_decoder:
            yield from self.score(requests, skip)
            return
        for group in _by_beginning(requests, range(len(requests))):
            part, done = [requests[index] for index in group], within(skip, group)

            def further(at: int, group: Sequence[int] = group) -> Sequence[Encoded]:
                return more(group[at])

            for batch in causal.score_with_more(self.model, part, further, self.batch_tokens, done):
                yield _of_group(batch, group)

    def _score_by_length(self, requests: Sequence[Encoded], skip: frozenset[int]) -> Iterator[ScoredBatch]:
        """Where frequencies change with length, the rows of long requests run one by one.

        Short requests with the same beginning are scored together, so that it runs once for all of them.
        """
        short, long = by_length(requests, frequency_border(self.model))
        forget_lengths(self.model)

        def batches(group: list[int]) -> Iterator[ScoredBatch]:
            part, done = [requests[index] for index in group], within(skip, group)
            if group is long:
                return causal.score_alone(self.model, part, self.batch_tokens, done)
            return causal.score(self.model, part, self.batch_tokens, self.path, done)

        for group in (*_by_beginning(requests, short), long):
            for batch in batches(group):
                yield replace(batch, indices=tuple(group[at] for at in batch.indices))

    def render(self, messages: Sequence[Message], *, thinking: bool) -> str:
        return chat.render(self.tokenizer, messages, thinking=thinking)

    def encode_prompt(self, request: GenerateRequest) -> Tokens:
        encoder_decoder = not self._is_decoder
        ids = encode_prompt(self.tokenizer, request, self.window, encoder_decoder=encoder_decoder)
        check_tokens(request.item.id, ids, self.tokenizer, vocabulary_size(self.model))
        return ids

    def generate(
        self,
        requests: Sequence[GenerateRequest],
        prompts: Sequence[Tokens],
        skip: frozenset[int] = frozenset(),
    ) -> Iterator[WrittenBatch]:
        budget = GENERATE_TOKENS * self.batch_tokens
        keep_unpacked(self.model, unpacked=False)  # each step computes one token a row
        border = frequency_border(self.model) if self._is_decoder else None
        for group in to_write(prompts, [request.max_new_tokens for request in requests], border):
            forget_lengths(self.model)
            batches = writing.write(
                self.model,
                self.tokenizer,
                [requests[index] for index in group],
                [prompts[index] for index in group],
                budget,
                within(skip, group),
            )
            for batch in batches:
                yield replace(batch, indices=tuple(group[at] for at in batch.indices))

    def close(self) -> None:
        """There is nothing to close: the model's memory is freed with the process."""


def _by_beginning(requests: Sequence[Encoded], indices: Iterable[int]) -> list[list[int]]:
    """The indices in groups of requests that begin with the same exemplars."""
    groups: dict[str, list[int]] = {}
    for index in indices:
        groups.setdefault(requests[index].request.beginning, []).append(index)
    return list(groups.values())


def _of_group(batch: ScoredBatch | MoreScores, group: Sequence[int]) -> ScoredBatch | MoreScores:
    """The batch of a group's requests, with the indices that these have among all."""
    if isinstance(batch, MoreScores):
        return MoreScores({(group[at], number): one for (at, number), one in batch.replies.items()})
    return replace(batch, indices=tuple(group[at] for at in batch.indices))
