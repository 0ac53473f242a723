"""Which requests share a forward pass, and what happens when memory runs out. Pure: no torch."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from bench.errors import BenchError

Shape = tuple[int, int]
"""(rows, longest row) that a request needs."""
T = TypeVar("T")


def plan_batches(shapes: Sequence[Shape], budget: int, spread: int | None = None) -> list[list[int]]:
    """Batches of indices into `shapes`, each of at most `budget` tokens: rows x longest row, with padding.

    The longest come first, so that there is little padding and memory peaks in the first batch. A request
    beyond the budget is a batch of its own. Equal lengths keep their order: the plan is deterministic. The
    longest rows of a batch's requests differ by at most `spread` tokens; None is no limit.
    """
    order = sorted(range(len(shapes)), key=lambda index: (-shapes[index][1], index))
    batches: list[list[int]] = []
    rows = 0
    for index in order:
        rows += shapes[index][0]
        longest = shapes[batches[-1][0]][1] if batches else 0
        if batches and rows * longest <= budget and (spread is None or longest - shapes[index][1] <= spread):
            batches[-1].append(index)
        else:
            batches.append([index])
            rows = shapes[index][0]
    return batches


def in_batches(
    shapes: Sequence[Shape],
    budget: int,
    run: Callable[[Sequence[int]], T],
    is_out_of_memory: Callable[[Exception], bool],
    skip: frozenset[int] = frozenset(),
    spread: int | None = None,
) -> Iterator[tuple[list[int], T, int]]:
    """Run each batch and yield (indices, reply, budget). The budget shrinks for good when memory runs out.

    A batch that did not fit is planned again at half its size, with all that have not run yet. A batch
    whose indices are all in `skip` is left out; the others are the same as without `skip`. Raises a
    BenchError where a single request does not fit.
    """
    waiting = [batch for batch in plan_batches(shapes, budget, spread) if not skip.issuperset(batch)]
    while waiting:
        batch = waiting[0]
        try:
            reply = run(batch)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            budget = _batch_tokens(shapes, batch) // 2
            if len(batch) == 1:
                tokens = shapes[batch[0]][1]
                raise BenchError(f"out of memory on a single question of {tokens} tokens") from error
            left = [index for indices in waiting for index in indices]
            plan = plan_batches([shapes[index] for index in left], budget, spread)
            waiting = [[left[at] for at in indices] for indices in plan]
        else:
            del waiting[0]
            yield batch, reply, budget


def _batch_tokens(shapes: Sequence[Shape], batch: Sequence[int]) -> int:
    return sum(shapes[index][0] for index in batch) * max(shapes[index][1] for index in batch)
