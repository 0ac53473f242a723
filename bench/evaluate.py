"""The heart: items in, records out.

item -> prompt (scoring/views) -> tokens (engine.encode) -> batch -> scores -> record
"""

import time
from collections.abc import Iterator, Sequence

from bench.engines.batching import plan_batches
from bench.engines.engine import Engine
from bench.errors import PromptTooLong
from bench.inputs.task import Task
from bench.scoring.record import Record
from bench.scoring.views import score_request, scored, too_long
from bench.types import Encoded, Item


def evaluate(
    task: Task, items: Sequence[Item], exemplars: Sequence[Item], engine: Engine
) -> Iterator[list[Record]]:
    """Yield the records of each batch as it is scored, longest prompts first.

    Every item gets exactly one record: one whose prompt does not fit the model is an unread answer.
    """
    ready: list[Encoded] = []
    refused: list[Record] = []
    for item in items:
        request = score_request(task, exemplars, item)
        try:
            ready.append(engine.encode(request))
        except PromptTooLong as error:
            refused.append(too_long(item, request.prompt, error.tokens))
    if refused:
        yield refused
    for batch in plan_batches([encoded.tokens for encoded in ready], engine.batch_tokens):
        yield _score(engine, [ready[index] for index in batch])


def _score(engine: Engine, batch: Sequence[Encoded]) -> list[Record]:
    start = time.perf_counter()
    replies = engine.score(batch)
    share = (time.perf_counter() - start) / len(batch)
    return [
        scored(encoded.request.item, scores, share) for encoded, scores in zip(batch, replies, strict=True)
    ]
