"""Let a model write: batched greedy or sampled decoding until a stop text or the token limit."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from bench.engines.batching import in_batches
from bench.engines.torch_scoring import is_out_of_memory
from bench.types import Completion, GenerateRequest, Tokens, WrittenBatch


def write(
    model: Any,
    tokenizer: Any,
    requests: Sequence[GenerateRequest],
    prompts: Sequence[Tokens],
    budget: int,
    skip: frozenset[int],
) -> Iterator[WrittenBatch]:
    """The requests' completions, batch by batch; all must share one limit, temperature and stop texts."""
    shapes = [
        (request.samples, len(ids) + request.max_new_tokens)
        for request, ids in zip(requests, prompts, strict=True)
    ]

    def run(indices: Sequence[int]) -> list[tuple[Completion, ...]]:
        return _batch(model, tokenizer, [requests[i] for i in indices], [prompts[i] for i in indices])

    for indices, replies, tokens in in_batches(shapes, budget, run, is_out_of_memory, skip):
        lengths = tuple(len(prompts[index]) for index in indices)
        yield WrittenBatch(tuple(indices), tuple(replies), lengths, tokens)


def _batch(
    model: Any, tokenizer: Any, requests: Sequence[GenerateRequest], prompts: Sequence[Tokens]
) -> list[tuple[Completion, ...]]:
    rows = [ids for request, ids in zip(requests, prompts, strict=True) for _ in range(request.samples)]
    ids, mask = _left_padded(rows, model.device)
    first = requests[0]
    draws = [Draws(first.temperature, _seeds(requests))] if first.temperature else []
    start = 1 if model.config.is_encoder_decoder else ids.shape[1]
    known = tokenizer.pad_token_id
    pad = tokenizer.eos_token_id if known is None else known
    with torch.inference_mode():
        found = model.generate(
            input_ids=ids,
            attention_mask=mask,
            do_sample=False,
            num_beams=1,
            max_new_tokens=first.max_new_tokens,
            logits_processor=LogitsProcessorList(draws),
            stopping_criteria=StoppingCriteriaList([Stops(tokenizer, first.stop, start)]),
            pad_token_id=pad,
        )
    ends = _ends(model, tokenizer) | {pad}
    texts = iter([_completion(tokenizer, row, ends, first.stop) for row in found[:, start:].tolist()])
    return [tuple(next(texts) for _ in range(request.samples)) for request in requests]


def _ends(model: Any, tokenizer: Any) -> set[int]:
    known = model.generation_config.eos_token_id
    return {tokenizer.eos_token_id, *(known if isinstance(known, list) else [known])} - {None}


def _completion(tokenizer: Any, ids: Sequence[int], ends: set[int], stop: Sequence[str]) -> Completion:
    """A row of new tokens, cut at the end-of-text token or before the first stop text."""
    end = next((at for at, token in enumerate(ids) if token in ends), None)
    own = ids[:end]
    text = tokenizer.decode(own, skip_special_tokens=True)
    cut = min((at for at in map(text.find, stop) if at >= 0), default=None)
    return Completion(text[:cut], finished=end is not None or cut is not None, tokens=len(own))


class Stops(StoppingCriteria):
    """A row is done when a stop text stands in what it wrote itself, from token `start` on."""

    def __init__(self, tokenizer: Any, stop: Sequence[str], start: int) -> None:
        self.tokenizer = tokenizer
        self.stop = stop
        self.start = start

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        texts = self.tokenizer.batch_decode(input_ids[:, self.start :], skip_special_tokens=True)
        done = [any(mark in text for mark in self.stop) for text in texts]
        return torch.tensor(done, device=input_ids.device)


class Draws(LogitsProcessor):
    """Sampling as the likeliest of noisy logits (the Gumbel-max trick), each row with its own generator.

    Gumbel noise added to logits / temperature makes the highest a draw from their softmax. A row's
    noise comes from its own seed, so what it draws does not depend on the rest of its batch.
    """

    def __init__(self, temperature: float, seeds: Sequence[int]) -> None:
        self.temperature = temperature
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # noqa: ARG002 (the protocol's)
        size = scores.shape[-1]
        even = torch.stack([torch.rand(size, generator=generator) for generator in self.generators])
        tiny = torch.finfo(torch.float32).tiny
        gumbel = -torch.log((-torch.log(even.clamp_min(tiny))).clamp_min(tiny))
        return scores.float() / self.temperature + gumbel.to(scores.device)


def _seeds(requests: Sequence[GenerateRequest]) -> list[int]:
    """One a row, from the seed, the prompt and the sample's number."""
    texts = [f"{one.seed}\n{sample}\n{one.prompt}" for one in requests for sample in range(one.samples)]
    return [int.from_bytes(hashlib.sha256(text.encode()).digest()[:7]) for text in texts]


def _left_padded(rows: Sequence[Tokens], device: torch.device) -> tuple[Tensor, Tensor]:
    """Ids and mask, (rows, longest): new tokens must follow each row's own last one."""
    width = max(len(row) for row in rows)
    ids = torch.tensor([[*[0] * (width - len(row)), *row] for row in rows], device=device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=device)
    return ids, mask
