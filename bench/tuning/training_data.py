"""The train split -> what is trained on: leaked items dropped, some held out, the rest encoded."""

from dataclasses import dataclass

from bench.engines.transformer import TransformerEngine
from bench.errors import BenchError
from bench.inputs.adapter import Leak
from bench.tuning.examples import Example, examples, hold_out, limit_options
from bench.tuning.job import Job
from bench.tuning.leakage import leaks
from bench.types import Item

MOST_HELD_OUT = 64
"""Every check of the held-out loss runs all of them, so their number is limited."""


@dataclass(frozen=True, slots=True)
class TrainingData:
    """`items` are those left after `leaks` were dropped: `train`, `held_out` and `too_long` of them.

    `fewer_options` counts the items that lost wrong options, to have as many as the tested items.
    """

    items: tuple[Item, ...]
    train: tuple[Example, ...]
    held_out: tuple[Example, ...]
    leaks: tuple[Leak, ...]
    too_long: int
    fewer_options: int


def training_data(engine: TransformerEngine, job: Job) -> TrainingData:
    """Select and encode a job's training items. Raises a BenchError where no example is left."""
    most_options = max(len(item.options) for item in job.test)
    items, fewer_options = limit_options(job.train, most_options, job.recipe.seed)
    leaked = leaks(items, job.test)
    dropped = {leak.train_id for leak in leaked}
    items = [item for item in items if item.id not in dropped]
    kept, held_out = hold_out(items, job.recipe.held_out, MOST_HELD_OUT, job.recipe.seed)
    train = examples(engine, job.asking, kept)
    check = sorted(examples(engine, job.asking, held_out), key=lambda example: len(example.prompt))
    if not train:
        raise BenchError("no training example is left: all were dropped or too long for the model")
    return TrainingData(
        items=tuple(items),
        train=tuple(train),
        held_out=tuple(check),  # by length, so that batches need little padding
        leaks=tuple(leaked),
        too_long=len(items) - len(train) - len(check),
        fewer_options=fewer_options,
    )
