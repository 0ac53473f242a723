"""Which requests share a forward pass. Pure: lengths in, indices out."""

from collections.abc import Sequence


def plan_batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Indices in batches whose padded size (rows x longest row) is at most `budget` tokens.

    Longest first, so that padding is little and memory peaks at once; a request longer than the
    budget is a batch of its own. Equal lengths keep their order, so the plan is deterministic.
    """
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    batches: list[list[int]] = []
    for index in order:
        rows = len(batches[-1]) + 1 if batches else 1
        if batches and rows * lengths[batches[-1][0]] <= budget:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches
