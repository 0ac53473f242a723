"""A line through measured values, and the interval in which one more is expected."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST = 5
"""The least number of values: two of them fix a line, and three say how far values are from it."""
CONFIDENCE = 0.95
_ROUNDS = 10
_LEAST_FREE = 1e-6
"""Of a value that alone fixes the line, so that its interval is wide and not infinite."""


@dataclass(frozen=True, slots=True)
class Predicted:
    """A value that was not measured, and its prediction interval, in the units of the measured ones."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Line:
    """y = intercept + slope x, with both at least 0, fitted to n values.

    `error` is the standard deviation of a value relative to a line through the others, and `covariance`,
    (2, 2), that of intercept and slope.
    """

    intercept: float
    slope: float
    error: float
    covariance: NDArray[np.float64]
    n: int

    def at(self, x: float) -> Predicted:
        """The value expected at x, with its 95 % prediction interval, which has no end below 0.

        Student's interval for one more value of a weighted regression with n - 2 degrees of freedom:
        y ± t sqrt(error² y² + (1, x) covariance (1, x)') (Draper and Smith, Applied Regression Analysis,
        3rd edition, sections 1.4 and 9.2). The error is that of leave-one-out residuals, e / (1 - leverage)
        (section 8.2), because a model of another kind is often farther from the line than those that made it.
        """
        from scipy.special import stdtrit

        value = self.intercept + self.slope * x
        place = np.array([1.0, x])
        spread = float(np.sqrt((self.error * value) ** 2 + place @ self.covariance @ place))
        half = float(stdtrit(self.n - 2, (1 + CONFIDENCE) / 2)) * spread
        return Predicted(value, max(0.0, value - half), value + half)


def fit_line(x: Sequence[float], y: Sequence[float]) -> Line | None:
    """The line through values above 0 whose errors are proportional to them; None for too few.

    Least squares of the relative errors, by weights 1 / (intercept + slope x)², computed again until they
    are those of the line. Costs have no negative part, so a negative intercept or slope becomes 0.
    """
    if len(x) < LEAST or len(set(x)) == 1:
        return None
    unit = max(x)  # bytes are many, and seconds few
    places = np.column_stack([np.ones(len(x)), np.array(x, dtype=np.float64) / unit])
    values = np.array(y, dtype=np.float64)
    expected = values
    line = np.zeros(2)
    for _ in range(_ROUNDS):
        line = _not_negative(places / expected[:, None], values / expected)
        expected = places @ line
    scaled = places / expected[:, None]
    inverse = np.linalg.inv(scaled.T @ scaled).astype(np.float64)
    leverage = np.einsum("ij,jk,ik->i", scaled, inverse, scaled)
    without = (values / expected - 1.0) / np.maximum(1.0 - leverage, _LEAST_FREE)
    error2 = float(np.sum(without**2)) / (len(x) - 2)
    back = np.array([1.0, 1.0 / unit])
    covariance = error2 * inverse * np.outer(back, back)
    return Line(float(line[0]), float(line[1] / unit), float(np.sqrt(error2)), covariance, len(x))


def _not_negative(places: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The least squares of two columns with no coefficient below 0."""
    line = np.linalg.lstsq(places, values, rcond=None)[0].astype(np.float64)
    if line.min() >= 0.0:
        return line
    kept = 0 if line[1] < 0.0 else 1
    column = places[:, kept]
    alone = np.zeros(2)
    alone[kept] = column @ values / (column @ column)
    return alone
