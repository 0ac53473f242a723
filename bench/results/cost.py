"""What a run cost, and facts of the engine that answered: parts of `result.json`."""

import statistics
from collections.abc import Iterable

from pydantic import Field

from bench.config import Strict
from bench.numbers import Amount, Count
from bench.types import CacheShape


class Latency(Strict):
    """Seconds per question: the median and the 95th percentile over `questions` questions."""

    questions: Count
    p50: Amount
    p95: Amount
    seconds: tuple[Amount, ...] = Field(default=(), exclude_if=lambda seconds: not seconds)
    """Those of each question, ascending; only where questions were asked alone, and not in older files."""


def latency(seconds: Iterable[float], *, kept: bool = False) -> Latency | None:
    """Percentiles by linear interpolation (`statistics.quantiles`, inclusive); None for no values.

    `kept` is whether the result also has the seconds of each question.
    """
    values = sorted(seconds)
    if not values:
        return None
    cuts = statistics.quantiles(values, n=20, method="inclusive") if len(values) > 1 else values * 19
    return Latency(questions=len(values), p50=cuts[9], p95=cuts[18], seconds=tuple(values) if kept else ())


class Measured(Strict):
    """The part of a run that its costs were measured on: `shards` of `of`, with so many `questions`."""

    shards: Count
    of: Count
    questions: Count

    @property
    def words(self) -> str:
        """Such as "3 of 8 shards"."""
        return f"{self.shards:,} of {self.of:,} shards"


class Cost(Strict):
    """Measured during scoring. None is unknown or does not apply, never zero.

    A run that was interrupted and resumed, or merged from parts, has the sum of its times and the highest of
    its peaks; parts from unlike machines are never added up.
    """

    measured: Measured | None = Field(default=None, exclude_if=lambda measured: measured is None)
    """What the costs are of, where the parts of a run come from unlike machines. Else not in the file."""

    load_seconds: Amount | None
    scoring_seconds: Amount | None
    items_per_second: Amount | None
    prompt_tokens: Count | None
    tokens_per_second: Amount | None
    new_tokens: Count | None = None
    peak_memory_bytes: Count | None
    peak_device_memory_bytes: Count | None
    weights_bytes: Count | None
    """On disk."""
    model_bytes: Count | None = None
    """In memory; quantised weights with their scales."""
    tower_bytes: Count | None = Field(default=None, exclude_if=lambda size: size is None)
    """What vision and audio towers take of `model_bytes`. Without any, it is not in the file."""
    batched: Latency | None = None
    """A question's share of its batch's time."""
    alone: Latency | None = None
    """Questions asked one at a time, after scoring; None without `--latency`."""
    joules: Amount | None = None
    joules_note: str = ""
    """The counters that were read, or the reason why there is no number."""


class EngineFacts(Strict):
    """`path` is `packed`, `shared`, `plain` or ""; `batch_tokens` is the size of the last batch in tokens.

    `pickle` and `code` are whether the weights were pickles, or ran their own code. `positions` are those
    that the model was made for, where prompts were longer; else it is not in the file. `cache` are the
    keys and values that the model keeps, in runs that keep them: with exemplars or written replies.
    """

    path: str
    batch_tokens: Count | None
    pickle: bool = False
    code: bool = False
    positions: Count | None = Field(default=None, exclude_if=lambda positions: positions is None)
    accelerators: Count | None = Field(default=None, exclude_if=lambda count: count is None)
    """How many hold the model, where one is not enough. Else not in the file."""
    cache: CacheShape | None = Field(default=None, exclude_if=lambda cache: cache is None)
    weight_bits: Amount | None = Field(default=None, exclude_if=lambda bits: bits is None)
    """Bits that a weight takes on average in a GGUF file that is used as it is."""
    tokens: str = Field(default="", exclude_if=lambda tokens: not tokens)
    """A sentence on prompts of which another library makes other tokens, with an example."""
    build: str = Field(default="", exclude_if=lambda build: not build)
    """The instruction sets and back ends of the library's build, where they are chosen when it is built."""
    limits: tuple[str, ...] = Field(default=(), exclude_if=lambda limits: not limits)
    """What a server could not give, a sentence each."""
