"""The engine of a GGUF file in llama.cpp."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.engines import chat
from bench.engines.engine import Opening
from bench.engines.llama_cpp import scoring, writing
from bench.engines.llama_cpp.cache import Caches
from bench.engines.llama_cpp.library import instruction_sets, usable_threads
from bench.engines.llama_cpp.model import Model, load
from bench.engines.llama_cpp.settings import LlamaSettings
from bench.engines.llama_cpp.token_check import compare
from bench.engines.llama_cpp.tokenizer import Tokenizer
from bench.engines.long_rows import within
from bench.engines.packing import Path as ScoringPath
from bench.engines.probe import logprobs_of, probe_requests
from bench.engines.tokenizing import encode_causal, encode_prompt
from bench.inputs.weights import Weights
from bench.types import (
    CacheShape,
    Encoded,
    GenerateRequest,
    Message,
    Reads,
    ScoredBatch,
    ScoreRequest,
    Tokens,
    WrittenBatch,
)

BATCH_CELLS = 2048
"""Cells of the cache that a batch takes; more take more memory."""
TOLERANCE = 0.02
"""Largest relative difference between the scores of two paths that rounding explains: keys and values are
kept in 16 bits, and quantised kernels round activations."""


@dataclass(frozen=True, slots=True)
class LlamaEngine:
    """`window` is the longest row in tokens; a batch takes about `batch_cells` cells of the cache."""

    file: Path
    model: Model
    tokenizer: Tokenizer
    window: int
    batch_cells: int
    caches: Caches
    path: ScoringPath = "shared"
    reads: Reads = field(default="prompt")
    joins_prompts: bool = True

    @property
    def model_bytes(self) -> int:
        return self.model.bytes

    @property
    def positions(self) -> int | None:
        return self.model.context

    @property
    def cache_shape(self) -> CacheShape | None:
        return self.model.cache_shape

    @property
    def threads(self) -> int:
        return self.caches.settings.threads or usable_threads()

    @property
    def build(self) -> str:
        return instruction_sets()

    def encode(self, request: ScoreRequest) -> Encoded:
        return encode_causal(self.tokenizer, request, self.window)

    def compare_tokens(self, texts: Sequence[str]) -> str:
        return compare(self.file, texts, self.tokenizer(texts, add_special_tokens=False)["input_ids"])

    def score(self, requests: Sequence[Encoded], skip: frozenset[int] = frozenset()) -> Iterator[ScoredBatch]:
        by_beginning: dict[str, list[int]] = {}
        for index, encoded in enumerate(requests):
            by_beginning.setdefault(encoded.request.beginning, []).append(index)
        for group in by_beginning.values():
            part = [requests[index] for index in group]
            done = within(skip, group)
            for batch in scoring.score(self.caches, part, self.batch_cells, self.path, done):
                yield replace(batch, indices=tuple(group[at] for at in batch.indices))

    def render(self, messages: Sequence[Message], *, thinking: bool) -> str:
        return chat.render(self.tokenizer, messages, thinking=thinking)

    def encode_prompt(self, request: GenerateRequest) -> Tokens:
        return encode_prompt(self.tokenizer, request, self.window)

    def generate(
        self,
        requests: Sequence[GenerateRequest],
        prompts: Sequence[Tokens],
        skip: frozenset[int] = frozenset(),
    ) -> Iterator[WrittenBatch]:
        yield from writing.write(self.caches, self.tokenizer, requests, prompts, self.batch_cells, skip)

    def close(self) -> None:
        self.caches.close()
        self.model.close()


def open_llama_cpp(opening: Opening, weights: Weights) -> LlamaEngine:
    """Load the file, and choose the path of its scoring.

    Raises a BenchError where it cannot be loaded.
    """
    settings = LlamaSettings.model_validate(opening.card.settings)
    batch_cells = int(opening.batch * BATCH_CELLS)
    model = load(weights.path, gpu_layers=settings.gpu_layers)
    engine = LlamaEngine(
        file=weights.path,
        model=model,
        tokenizer=Tokenizer(model),
        window=opening.card.context or model.context,
        batch_cells=batch_cells,
        caches=Caches(model, settings, batch_cells),
    )
    return replace(engine, path=_best_path(engine))


def _best_path(engine: LlamaEngine) -> ScoringPath:
    """`shared`, else `plain` where two small questions score otherwise on it.

    They are asked only of models that keep more of a text than the keys and values of its tokens: the test
    takes as long as four questions, and the library's own cache holds the others.
    """
    if not engine.model.is_special:
        return "shared"
    probe = probe_requests(engine.tokenizer.size)
    plain, shared = (
        logprobs_of(scoring.score(engine.caches, probe, BATCH_CELLS, path)) for path in ("plain", "shared")
    )
    scales = [max(1.0, abs(value)) for value in plain]
    equal = all(abs(a - b) <= TOLERANCE * c for a, b, c in zip(plain, shared, scales, strict=True))
    return "shared" if equal else "plain"
