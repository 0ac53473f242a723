"""Generate text with llama.cpp: the sequences of a batch are continued together, token by token."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.engines.batching import in_batches
from bench.engines.draws import seed_of
from bench.engines.llama_cpp.cache import Cache, Caches, Logits, Part
from bench.engines.llama_cpp.scoring import is_cache_full
from bench.engines.llama_cpp.tokenizer import Tokenizer
from bench.engines.replies import stop_at
from bench.types import Completion, GenerateRequest, Tokens, WrittenBatch


@dataclass(slots=True)
class _Row:
    """One completion that is being written, in sequence `sequence` of the cache."""

    request: GenerateRequest
    prompt: Tokens
    draws: np.random.Generator
    sequence: int = 0
    tokens: list[int] = field(default_factory=list[int])
    text: str = ""
    finished: bool = False

    @property
    def is_done(self) -> bool:
        return self.finished or len(self.tokens) >= self.request.max_new_tokens

    def add(self, token: int, tokenizer: Tokenizer) -> None:
        """Take the next token; the row is finished at an end token or a stop text."""
        if tokenizer.is_end(token):
            self.finished = True
            return
        self.tokens.append(token)
        self.text = tokenizer.decode(self.tokens)
        cut = stop_at(self.text, self.request.stop)
        if cut is not None:
            self.text, self.finished = self.text[:cut], True

    def choose(self, logits: Logits) -> int:
        """The likeliest token, or a draw by the Gumbel-max trick: both depend on this row alone."""
        if not self.request.temperature:
            return int(logits.argmax())
        return int((logits / self.request.temperature + self.draws.gumbel(size=logits.size)).argmax())


def write(
    caches: Caches,
    tokenizer: Tokenizer,
    requests: Sequence[GenerateRequest],
    prompts: Sequence[Tokens],
    budget: int,
    skip: frozenset[int],
) -> Iterator[WrittenBatch]:
    """Completions, batch by batch, each of about `budget` cells of the cache."""
    sizes = [
        len(ids) + request.samples * request.max_new_tokens
        for request, ids in zip(requests, prompts, strict=True)
    ]
    shapes = [
        (1, max(size, -(-request.samples * budget // (caches.room.sequences - 1))))
        for size, request in zip(sizes, requests, strict=True)
    ]

    def run(indices: Sequence[int]) -> list[tuple[Completion, ...]]:
        rows = _rows([requests[index] for index in indices], [prompts[index] for index in indices])
        cells, most = sum(sizes[index] for index in indices), caches.room.sequences - 1
        # Only the samples of a single request may be more than the cache has sequences.
        fits = sum(map(len, rows)) <= most
        groups = [rows] if fits else [[rows[0][at : at + most]] for at in range(0, len(rows[0]), most)]
        for group in groups:
            _complete(caches.open(cells, ()), tokenizer, group)
        return [
            tuple(Completion(row.text, finished=row.finished, tokens=len(row.tokens)) for row in samples)
            for samples in rows
        ]

    for indices, replies, tokens in in_batches(shapes, budget, run, is_cache_full, skip):
        lengths = tuple(len(prompts[index]) for index in indices)
        yield WrittenBatch(tuple(indices), tuple(replies), lengths, tokens)


def _rows(requests: Sequence[GenerateRequest], prompts: Sequence[Tokens]) -> list[list[_Row]]:
    """A row for each sample of each request."""
    return [
        [
            _Row(request, prompt, np.random.default_rng(seed_of(request, sample)))
            for sample in range(request.samples)
        ]
        for request, prompt in zip(requests, prompts, strict=True)
    ]


def _complete(cache: Cache, tokenizer: Tokenizer, rows: Sequence[Sequence[_Row]]) -> None:
    """Write all rows to their ends. The samples of a request share its prompt in the cache."""
    for sequence, row in enumerate((row for samples in rows for row in samples), start=1):
        row.sequence = sequence
    parts = [
        Part(samples[0].sequence, 0, samples[0].prompt, (len(samples[0].prompt) - 1,)) for samples in rows
    ]
    for samples, logits in zip(rows, cache.decode(parts), strict=True):
        for row in samples:
            row.add(row.choose(logits), tokenizer)
    for first, *others in rows:
        for row in others:
            cache.copy(first.sequence, row.sequence)
    active = [row for samples in rows for row in samples if not row.is_done]
    while active:
        parts = [
            Part(row.sequence, len(row.prompt) + len(row.tokens) - 1, (row.tokens[-1],), (0,))
            for row in active
        ]
        for row, logits in zip(active, cache.decode(parts), strict=True):
            row.add(row.choose(logits), tokenizer)
        active = [row for row in active if not row.is_done]
