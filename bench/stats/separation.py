"""Does confidence tell right answers from wrong ones?"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Separation:
    """How well confidence tells right answers from wrong ones.

    `auroc` is the probability that a right answer has the higher confidence, 0.5 where it says nothing; `p`
    is that of the one-sided Mann–Whitney test. Without right or without wrong answers they are 0.5 and 1.
    `p` is None where questions come in clusters: the test is for independent ones.
    """

    auroc: float
    p: float | None


def separation(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> Separation:
    """The area under the ROC curve (Hanley and McNeil 1982) with its test."""
    from scipy.stats import mannwhitneyu

    rank_test: Any = mannwhitneyu
    if right.all() or not right.any():
        return Separation(0.5, 1.0)
    test = rank_test(confidence[right], confidence[~right], alternative="greater")
    pairs = int(right.sum()) * int((~right).sum())
    return Separation(float(test.statistic) / pairs, float(test.pvalue))
