"""Decoder-only models: one row a distinct context, logits only where they are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from bench.engines.packing import lay_out, split_tree, sums
from bench.engines.torch_scoring import padded, projecting_only, read_logprobs, replies
from bench.errors import BenchError, PromptTooLong
from bench.types import Encoded, ScoreRequest, Scores


def encode(tokenizer: Any, request: ScoreRequest) -> Encoded:
    """The tokenizer adds a BOS where the model was trained with one, to prompt and whole alike."""
    texts = [request.prompt + continuation for continuation in request.continuations]
    prompt, *wholes = (tuple(ids) for ids in tokenizer([request.prompt, *texts])["input_ids"])
    stem, branches = split_tree(prompt, wholes)
    if not stem:
        raise BenchError(f"item {request.item.id}: no token stands before the answer, so nothing predicts it")
    return Encoded(request, stem, branches)


@dataclass(frozen=True, slots=True)
class CausalEngine:
    """`window` is the longest row, in tokens, that the model takes."""

    model: Any
    tokenizer: Any
    window: int
    batch_tokens: int

    def encode(self, request: ScoreRequest) -> Encoded:
        encoded = encode(self.tokenizer, request)
        if encoded.tokens > self.window:
            raise PromptTooLong(encoded.tokens, self.window)
        return encoded

    def score(self, batch: Sequence[Encoded]) -> list[Scores]:
        branches = [encoded.branches for encoded in batch]
        layout = lay_out([encoded.stem for encoded in batch], branches)
        # Pads stand on the right, and a causal model never looks there: no mask is needed, and
        # without one the attention takes its fastest kernel.
        ids, _ = padded(layout.rows, self.model.device)
        with torch.inference_mode(), projecting_only(self.model, layout):
            logits = self.model(input_ids=ids, use_cache=False).logits
        return replies(batch, sums(layout, read_logprobs(logits, layout), branches))

    def close(self) -> None:
        """Nothing is held beyond the model, which goes with the process."""
