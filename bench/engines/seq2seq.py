"""Encoder-decoder models: a question is encoded once, its continuations are decoded from that."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers.modeling_outputs import BaseModelOutput

from bench.engines.packing import lay_out, sums
from bench.engines.torch_scoring import padded, projecting_only, read_logprobs, replies
from bench.errors import PromptTooLong
from bench.types import Encoded, ScoreRequest, Scores


def encode(tokenizer: Any, request: ScoreRequest) -> Encoded:
    """The encoder's input ends as the tokenizer wants it; continuations get no special tokens."""
    stem = tuple(tokenizer(request.prompt)["input_ids"])
    branches = tokenizer(list(request.continuations), add_special_tokens=False)["input_ids"]
    return Encoded(request, stem, tuple(tuple(ids) for ids in branches))


@dataclass(frozen=True, slots=True)
class Seq2SeqEngine:
    """`window` is the longest encoder input, in tokens, that the card allows."""

    model: Any
    tokenizer: Any
    window: int
    batch_tokens: int

    def encode(self, request: ScoreRequest) -> Encoded:
        encoded = encode(self.tokenizer, request)
        if len(encoded.stem) > self.window:
            raise PromptTooLong(len(encoded.stem), self.window)
        return encoded

    def score(self, batch: Sequence[Encoded]) -> list[Scores]:
        branches = [encoded.branches for encoded in batch]
        start = (int(self.model.config.decoder_start_token_id),)
        layout = lay_out([start] * len(batch), branches)
        ids, mask = padded([encoded.stem for encoded in batch], self.model.device)
        rows, _ = padded(layout.rows, self.model.device)
        owners = list(layout.owners)
        with torch.inference_mode(), projecting_only(self.model, layout):
            states = self.model.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state
            logits = self.model(
                encoder_outputs=BaseModelOutput(last_hidden_state=states[owners]),
                attention_mask=mask[owners],
                decoder_input_ids=rows,
                use_cache=False,
            ).logits
        return replies(batch, sums(layout, read_logprobs(logits, layout), branches))

    def close(self) -> None:
        """Nothing is held beyond the model, which goes with the process."""
