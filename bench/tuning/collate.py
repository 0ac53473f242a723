"""Rows of a batch -> tensors for a training step."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

IGNORED = -100
"""A label that the loss leaves out."""
Row = Mapping[str, Any]
"""An example: `input_ids` and `answer`."""


def collate_causal(model: Any, rows: Sequence[Row]) -> dict[str, Any]:
    """Rows are padded on the left, so that all answers are at the end and only their logits are computed.

    `input_ids`, `attention_mask`, `position_ids` are (rows, longest); `labels` are as long as the logits.
    """
    whole = [[*row["input_ids"], *row["answer"]] for row in rows]
    width = max(map(len, whole))
    ids = torch.tensor([[0] * (width - len(row)) + row for row in whole])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in whole])
    answer_logits = max(len(row["answer"]) for row in rows) + 1
    keeps_few = "logits_to_keep" in inspect.signature(model.forward).parameters
    labels = _labels([row["answer"] for row in rows], answer_logits if keeps_few else width, at_end=True)
    positions = (mask.cumsum(dim=1) - 1).clamp_min(0)
    batch: dict[str, Any] = {"input_ids": ids, "attention_mask": mask, "position_ids": positions}
    return (
        batch
        | {"labels": labels, "use_cache": False}
        | ({"logits_to_keep": answer_logits} if keeps_few else {})
    )


def collate_seq2seq(rows: Sequence[Row]) -> dict[str, Tensor]:
    """`input_ids` and `attention_mask` are (rows, longest prompt), `labels` (rows, longest answer)."""
    width = max(len(row["input_ids"]) for row in rows)
    ids = torch.tensor([[*row["input_ids"], *[0] * (width - len(row["input_ids"]))] for row in rows])
    lengths = torch.tensor([len(row["input_ids"]) for row in rows])
    mask = (torch.arange(width) < lengths[:, None]).long()
    answers = [row["answer"] for row in rows]
    labels = _labels(answers, max(map(len, answers)), at_end=False)
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def _labels(answers: Sequence[Sequence[int]], width: int, *, at_end: bool) -> Tensor:
    pads = [[IGNORED] * (width - len(answer)) for answer in answers]
    pairs = zip(pads, answers, strict=True)
    return torch.tensor([[*pad, *answer] if at_end else [*answer, *pad] for pad, answer in pairs])
