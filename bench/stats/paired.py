"""Two models on the same questions: is one better, and by how much?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.stats.bootstrap import Counts, bootstrap
from bench.stats.intervals import Interval


@dataclass(frozen=True, slots=True)
class Paired:
    """How often both, only the first, only the second and neither were right; the rest follows.

    `difference` is the second's accuracy less the first's, in [-1, 1], `interval` its 95 % bootstrap
    interval, `p` of McNemar's exact test.
    """

    both: int
    only_first: int
    only_second: int
    neither: int
    difference: float
    interval: Interval
    p: float


def paired(first: Sequence[bool], second: Sequence[bool]) -> Paired:
    """Compare two on equal questions in equal order; ValueError where there are none."""
    pairs = list(zip(first, second, strict=True))
    if not pairs:
        raise ValueError("no question to compare on")
    both, neither = pairs.count((True, True)), pairs.count((False, False))
    lost, won = pairs.count((True, False)), pairs.count((False, True))
    counts = np.array([[both, lost], [won, neither]])
    return Paired(
        both=both,
        only_first=lost,
        only_second=won,
        neither=neither,
        difference=(won - lost) / len(pairs),
        interval=bootstrap(counts, _difference),
        p=mcnemar(lost, won),
    )


def _difference(counts: Counts) -> NDArray[np.float64]:
    """(..., first right or not, second right or not) -> the second's accuracy less the first's."""
    return (counts[..., 1, 0] - counts[..., 0, 1]) / counts.sum(axis=(-2, -1))


def mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided p of McNemar's exact test (1947): are the two right equally often where they differ?"""
    # Here, not at the top: scipy takes a while to import.
    from scipy.stats import binomtest

    differ = only_first + only_second
    return float(binomtest(only_first, differ, 0.5).pvalue) if differ else 1.0
