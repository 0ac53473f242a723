"""Generate text: batched greedy or sampled decoding up to a stop text or the token limit."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from bench.engines.batching import in_batches
from bench.engines.draws import seed_of
from bench.engines.replies import stop_at
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
    """Completions, batch by batch. All requests need the same token limit, temperature and stop texts."""
    shapes = [
        (request.samples, len(ids) + request.max_new_tokens)
        for request, ids in zip(requests, prompts, strict=True)
    ]

    def run(indices: Sequence[int]) -> list[tuple[Completion, ...]]:
        return _complete(model, tokenizer, [requests[i] for i in indices], [prompts[i] for i in indices])

    for indices, replies, tokens in in_batches(shapes, budget, run, is_out_of_memory, skip):
        lengths = tuple(len(prompts[index]) for index in indices)
        yield WrittenBatch(tuple(indices), tuple(replies), lengths, tokens)


def _complete(
    model: Any, tokenizer: Any, requests: Sequence[GenerateRequest], prompts: Sequence[Tokens]
) -> list[tuple[Completion, ...]]:
    rows = [ids for request, ids in zip(requests, prompts, strict=True) for _ in range(request.samples)]
    ids, mask = _left_padded(rows, model.device)
    first = requests[0]
    seeds = [seed_of(request, sample) for request in requests for sample in range(request.samples)]
    sampling = [Draws(first.temperature, seeds)] if first.temperature else []
    start = 1 if model.config.is_encoder_decoder else ids.shape[1]
    own_pad = tokenizer.pad_token_id
    pad = tokenizer.eos_token_id if own_pad is None else own_pad
    with torch.inference_mode():
        output = model.generate(
            input_ids=ids,
            attention_mask=mask,
            do_sample=False,
            num_beams=1,
            max_new_tokens=first.max_new_tokens,
            logits_processor=LogitsProcessorList(sampling),
            stopping_criteria=StoppingCriteriaList([Stops(tokenizer, first.stop, start)]),
            pad_token_id=pad,
        )
    ends = _end_tokens(model, tokenizer) | {pad}
    texts = iter([_completion(tokenizer, row, ends, first.stop) for row in output[:, start:].tolist()])
    return [tuple(next(texts) for _ in range(request.samples)) for request in requests]


def _end_tokens(model: Any, tokenizer: Any) -> set[int]:
    ids = model.generation_config.eos_token_id
    return {tokenizer.eos_token_id, *(ids if isinstance(ids, list) else [ids])} - {None}


def _completion(tokenizer: Any, ids: Sequence[int], ends: set[int], stop: Sequence[str]) -> Completion:
    """The completion in a row of new tokens, up to an end-of-text token or the first stop text."""
    end = next((at for at, token in enumerate(ids) if token in ends), None)
    written = ids[:end]
    text = tokenizer.decode(written, skip_special_tokens=True)
    cut = stop_at(text, stop)
    return Completion(text[:cut], finished=end is not None or cut is not None, tokens=len(written))


class Stops(StoppingCriteria):
    """A row is done when its new text, from token `start` on, contains a stop text."""

    def __init__(self, tokenizer: Any, stop: Sequence[str], start: int) -> None:
        self.tokenizer = tokenizer
        self.stop = stop
        self.start = start

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        texts = self.tokenizer.batch_decode(input_ids[:, self.start :], skip_special_tokens=True)
        done = [any(stop in text for stop in self.stop) for text in texts]
        return torch.tensor(done, device=input_ids.device)


class Draws(LogitsProcessor):
    """Sampling by the Gumbel-max trick (Gumbel 1954), with a random generator for each row.

    The highest of logits / temperature + Gumbel noise is a draw from the softmax of logits / temperature. A
    row's noise depends on its own seed alone, so its draws do not depend on the rest of the batch.
    `scores` are (rows, vocabulary), and so is what is returned.
    """

    def __init__(self, temperature: float, seeds: Sequence[int]) -> None:
        self.temperature = temperature
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # noqa: ARG002 (the protocol's argument)
        size = scores.shape[-1]
        uniform = torch.stack([torch.rand(size, generator=generator) for generator in self.generators])
        tiny = torch.finfo(torch.float32).tiny
        gumbel = -torch.log((-torch.log(uniform.clamp_min(tiny))).clamp_min(tiny))
        return scores.float() / self.temperature + gumbel.to(scores.device)


def _left_padded(rows: Sequence[Tokens], device: torch.device) -> tuple[Tensor, Tensor]:
    """Ids and mask, (rows, longest row). Padding is on the left: new tokens follow each row's last token."""
    width = max(len(row) for row in rows)
    ids = torch.tensor([[*[0] * (width - len(row)), *row] for row in rows], device=device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=device)
    return ids, mask
