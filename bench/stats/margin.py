"""Two models on the same questions: does their difference reach a margin? Score tests of paired proportions.

Tango 1998, "Equivalence test and confidence interval for the difference in proportions for the paired-sample
design" (Statistics in Medicine 17, 891-908), for one task. Over several tasks, the difference is the sum that
`bench.stats.across` compares, and its variance is taken in the same way: with the shares of each task that
are most likely of all those with the difference that is tested.
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from bench.stats.ranking import ALPHA

Numbers = NDArray[np.float64]
_CONFIDENT = NormalDist().inv_cdf(1 - ALPHA / 2)
_HALVINGS = 45
_STEPS = 60
_CLOSE = 1e-12


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of models on the same questions of several tasks.

    `won` and `lost`, (pairs, tasks), are the numbers of questions that only the first, and only the second,
    of two models answered right, `questions`, (tasks,), how many each task has, and `each`, (tasks,), what
    one right answer is worth: 1 / questions for one task's accuracy, else `bench.stats.across.worth`. The
    last two are (pairs, tasks) where they differ between pairs.
    """

    won: Numbers
    lost: Numbers
    questions: Numbers
    each: Numbers

    @property
    def difference(self) -> Numbers:
        """The first model's score minus the second's, (pairs,)."""
        return _added(self.won - self.lost, self.each)

    @property
    def variance(self) -> Numbers:
        """The variance of the difference, (pairs,), by the observed shares."""
        spread = self.won + self.lost - (self.won - self.lost) ** 2 / self.questions
        return _added(spread, self.each**2)

    @property
    def mirrored(self) -> "Pairs":
        return Pairs(self.lost, self.won, self.questions, self.each)


def variance_at(pairs: Pairs, difference: float) -> Numbers:
    """The variance of the observed difference if the true one were `difference`, (pairs,).

    `difference` lies between the two that are possible, which are plus and minus the sum of what all
    questions are worth.
    """
    tilt = _first_true(pairs, lambda tilt: _tilted(pairs, tilt)[0] <= difference)
    return _tilted(pairs, tilt)[1]


def score_interval(pairs: Pairs) -> tuple[Numbers, Numbers]:
    """The 95 % interval, both ends, (pairs,) each.

    It holds the differences that are less than 1.96 standard errors, by `variance_at`, from the observed one.
    """
    return _lowest(pairs), -_lowest(pairs.mirrored)


def _lowest(pairs: Pairs) -> Numbers:
    def is_too_low(tilt: Numbers) -> NDArray[np.bool_]:
        difference, variance = _tilted(pairs, tilt)
        return pairs.difference - difference > _CONFIDENT * np.sqrt(variance)

    return _tilted(pairs, _first_true(pairs, is_too_low))[0]


def _first_true(pairs: Pairs, is_reached: Callable[[Numbers], NDArray[np.bool_]]) -> Numbers:
    """The tilts from which on `is_reached` holds, (pairs,), by halving."""
    low = np.full(len(pairs.won), -1.0 / pairs.each.max(axis=-1))
    high = -low
    while (early := is_reached(low)).any():
        low = np.where(early, 2 * low, low)
    while (late := ~is_reached(high)).any():
        high = np.where(late, 2 * high, high)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        reached = is_reached(middle)
        low, high = np.where(reached, low, middle), np.where(reached, middle, high)
    return high


def _tilted(pairs: Pairs, tilt: Numbers) -> tuple[Numbers, Numbers]:
    """A difference, and the variance of the observed one if it were the true one: (pairs,) each.

    The most likely shares under a fixed difference are won / (total + tilt), lost / (total - tilt) and
    same / total of the questions (Lagrange's method), and `total` makes them add up to 1. A larger tilt
    (pairs,) gives a smaller difference. Where no answer is of the kind that the tilt favours, the kind may
    still have a share: what is missing to 1.
    """
    lean = tilt[:, None] * pairs.each
    won, lost = pairs.won / pairs.questions, pairs.lost / pairs.questions
    same = 1.0 - won - lost
    total = _total(won, lost, same, lean)
    first, second = _share(won, total + lean), _share(lost, total - lean)
    rest = np.maximum(0.0, 1.0 - first - second - same / total)
    first, second = np.where(lean < 0, first + rest, first), np.where(lean > 0, second + rest, second)
    value = pairs.each * pairs.questions
    spread = np.maximum(0.0, first + second - (first - second) ** 2) / pairs.questions
    return _added(first - second, value), _added(spread, value**2)


def _added(tasks: Numbers, worth: Numbers) -> Numbers:
    """The sum over the tasks of what each is worth, (pairs,)."""
    return (tasks * worth).sum(axis=-1)


def _total(won: Numbers, lost: Numbers, same: Numbers, lean: Numbers) -> Numbers:
    """Where the three shares add up to 1, by Newton's method from below; at least |lean|."""
    least = np.abs(lean)
    total = np.maximum(np.maximum(won - lean, lost + lean), np.maximum(same, least))
    for _ in range(_STEPS):
        first, second, third = _share(won, total + lean), _share(lost, total - lean), _share(same, total)
        slope = _share(first, total + lean) + _share(second, total - lean) + _share(third, total)
        step = np.divide(first + second + third - 1.0, slope, out=np.zeros_like(total), where=slope > 0)
        total = np.maximum(least, total + step)
        if np.all(np.abs(step) <= _CLOSE * total) or np.all((step < 0) & (total == least)):
            break
    return total


def _share(part: Numbers, total: Numbers) -> Numbers:
    """part / total; 0 where no answer is of that kind."""
    return np.divide(part, total, out=np.zeros_like(part), where=part > 0)
