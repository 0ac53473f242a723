"""How near a model is to the limits: answers within a time, and memory to spare. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench.board.candidates import Candidate
from bench.board.limits import Limits
from bench.results.cost import Latency
from bench.results.result import DoneResult
from bench.stats.intervals import Interval, wilson
from bench.wording import latency, percent, size


@dataclass(frozen=True, slots=True)
class Within:
    """Of `questions` asked one at a time, how many were answered within `limit` seconds, on one task.

    At least `least` and at most `most`, which differ where a result has two percentiles only.
    """

    task: str
    limit: float
    questions: int
    least: int
    most: int

    @property
    def interval(self) -> Interval:
        """The 95 % interval of the share of all questions, in [0, 1]."""
        low, high = wilson(self.least, self.questions), wilson(self.most, self.questions)
        return Interval(low.low, high.high)


def answers_within(candidate: Candidate, limit: float) -> Within | None:
    """The lowest share of its tasks; None where the latency of one is not known."""
    measured = [_within(task, candidate.costs.get(task), limit) for task in candidate.rows]
    known = [each for each in measured if each is not None]
    if len(known) < len(measured):
        return None
    return min(known, key=lambda each: (each.least / each.questions, each.most / each.questions, each.task))


def _within(task: str, result: DoneResult | None, limit: float) -> Within | None:
    alone = result.cost.alone if result else None
    if alone is None:
        return None
    if alone.seconds:
        number = sum(1 for seconds in alone.seconds if seconds <= limit)
        return Within(task, limit, len(alone.seconds), number, number)
    least, most = _bounds(alone, limit)
    return Within(task, limit, alone.questions, least, most)


def _bounds(alone: Latency, limit: float) -> tuple[int, int]:
    """How many of the questions took at most `limit` seconds, from the two percentiles.

    A percentile by linear interpolation is between two neighbours of the n ordered values, (n - 1) p / 100
    steps from the lowest. Where it is within the limit, so is the lower neighbour; else the upper one is not.
    """
    least, most = 0, alone.questions
    for percentile, value in ((50, alone.p50), (95, alone.p95)):
        steps = (alone.questions - 1) * percentile
        if value <= limit:
            least = max(least, steps // 100 + 1)
        else:
            most = min(most, -(-steps // 100))
    return least, most


def describe_headroom(candidate: Candidate, limits: Limits) -> list[str]:
    """A sentence on each limit on time, and one on memory."""
    return [*_times(candidate, limits), *_memory(candidate, limits)]


def _times(candidate: Candidate, limits: Limits) -> Iterator[str]:
    several = len(candidate.rows) > 1
    for limit in dict.fromkeys((limits.p50, limits.p95)):
        within = None if limit is None else answers_within(candidate, limit)
        if within is not None:
            is_more = within.least < within.questions and (several or within.least < within.most)
            at_least = "at least " if is_more else ""
            asked = f"{at_least}{within.least} of {within.questions} questions asked one at a time"
            share = f"{percent(within.interval.low, 0)} to {percent(within.interval.high, 0)}"
            where = " on each task" if several else ""
            yield (
                f"Answered within {latency(within.limit)}: {asked}{where}; of all questions, {share} with "
                f"{percent(0.95, 0)} confidence."
            )


def _memory(candidate: Candidate, limits: Limits) -> Iterator[str]:
    needs, limit = candidate.needs, limits.memory
    if needs.memory is None:
        return
    whose = "on the GPU" if _is_on_gpu(candidate.costs) else "of the whole process"
    of_limit = f" of {size(limit)}, {size(limit - needs.memory)} of headroom" if limit is not None else ""
    weights = "" if needs.weights is None else f" The weights take {size(needs.weights)} of it."
    yield (f"Peak memory {whose}: {size(needs.memory)}{of_limit}.{weights} Another runtime may need less.")


def _is_on_gpu(costs: Mapping[str, DoneResult]) -> bool:
    return any(result.cost.peak_device_memory_bytes for result in costs.values())
