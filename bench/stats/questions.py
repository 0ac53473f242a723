"""How many questions decide whether a difference reaches a bound?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from bench.stats.ranking import POWER

_NORMAL = NormalDist()
_MOST = 2.0**40
_HALVINGS = 60


@dataclass(frozen=True, slots=True)
class Side:
    """One bound that has to be told apart from the true value.

    `distance` is between the two, above 0 where the bound is not reached, and `null` the standard error of
    the estimate if the true value were the bound, both with today's number of questions.
    """

    distance: float
    null: float


def times_as_many(sides: Sequence[Side], error: float, level: float) -> float | None:
    """How many times today's questions show that a value is on the right side of all bounds, with 80 % power.

    `error` is the standard error of the estimate with today's questions, and `level` the two-sided level of
    each test. Standard errors fall with the root of the number of questions. For one bound this is the sample
    size of Connor 1987 (a bound of 0) and of Nam 1997 (a margin): ((z_level x null + z_power x error) /
    distance)^2; for two it is that of two one-sided tests (Schuirmann 1987). None where the value is not on
    the right side, so that no number of questions shows it.
    """
    if min(side.distance for side in sides) <= 0.0:
        return None
    low, high = 0.0, 1.0
    while _power(sides, error, level, high) < POWER:
        low, high = high, 2 * high
        if high > _MOST:
            return None
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if _power(sides, error, level, middle) >= POWER else (middle, high)
    return high


def _power(sides: Sequence[Side], error: float, level: float, times: float) -> float:
    """A lower bound of the probability that all bounds are told apart; the probability itself for one."""
    needed = _NORMAL.inv_cdf(1 - level / 2)
    missed = 0.0
    for side in sides:
        excess = side.distance * math.sqrt(times) - needed * side.null
        missed += _NORMAL.cdf(-excess / error) if error > 0.0 else float(excess < 0.0)
    return 1.0 - missed
