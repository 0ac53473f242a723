"""How often a table's statements are wrong, and what they find: python docs/table_statistics.py.

Models are simulated that find the same questions hard. Prints claims among equal models; how many of 1,000
may be the best, by Holm's method over all pairs and as a table has them, and the processor's time; and rates
where answers are few or skewed.
"""

import time
from collections.abc import Callable, Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from bench.stats.ranking import ALPHA, holm, mcnemar_all, rank, won_by

QUESTIONS = 1273
Draw = np.random.Generator
Right = NDArray[np.bool_]


def of_accuracies(draw: Draw, accuracies: Sequence[float]) -> Right:
    """(models, questions); half of the variance is of the questions."""
    noise = draw.normal(size=(len(accuracies), QUESTIONS))
    least = np.array([[NormalDist().inv_cdf(each)] for each in accuracies])
    return (draw.normal(size=QUESTIONS) + noise) / 2**0.5 < least


def better_by_holm(right: Right) -> NDArray[np.bool_]:
    """[i, j]: i is significantly better than j by McNemar's test and Holm's method over all pairs."""
    won = won_by(right)
    rows, columns = np.triu_indices(len(right), 1)
    p = np.ones_like(won)
    p[rows, columns] = p[columns, rows] = holm(mcnemar_all(won[rows, columns], won[columns, rows]))
    return (p <= ALPHA) & (won > won.T)


def many_models(models: int) -> None:
    right = of_accuracies(np.random.default_rng(0), np.linspace(0.25, 0.6, models).tolist())
    start = time.process_time()
    ranking = rank(right, clusters=None)
    seconds = time.process_time() - start
    by_holm = better_by_holm(right)
    pairs, unbeaten = int((ranking.adjusted <= ALPHA).sum()) // 2, int((~by_holm.any(axis=0)).sum())
    print(f"{models} models from 25 to 60 %, ranked in {seconds:.1f} s of the processor's time:")
    print(f"  pairs that differ: {by_holm.sum():,} by Holm's method, {pairs:,} by flips")
    print(f"  models without a better one: {unbeaten} by Holm's method, {ranking.best.count(1)} by flips")
    print(f"  models that may be the best, by comparisons with it: {sum(ranking.may_be_best)}")


def rates(name: str, boards: int, make: Callable[[Draw], Right]) -> None:
    """Of boards of equal models."""
    draw, by_holm, claimed, left_out = np.random.default_rng(1), 0, 0, 0.0
    for _ in range(boards):
        right = make(draw)
        ranking = rank(right, clusters=None)
        by_holm += bool(better_by_holm(right).any())
        claimed += bool((ranking.adjusted <= ALPHA).any())
        left_out += 1 - float(np.mean(ranking.may_be_best))
    shares = (f"{100 * each / boards:8.1f}" for each in (by_holm, claimed, left_out))
    print(f"  {name:<44}{''.join(shares)}", flush=True)


def main() -> None:
    many_models(1000)
    print("Of 100 boards of equal models, a difference is claimed by Holm's method and by flips, and a model")
    print("is left out of those that may be the best on:")
    rates("40 models, 1273 questions, 40 % right", 400, lambda draw: of_accuracies(draw, [0.4] * 40))
    for questions in (12, 100, 1273):
        for share in (0.1, 0.5, 0.9):
            name = f"20 models, {questions} questions, {100 * share:.0f} % right"
            rates(name, 800, lambda draw, n=questions, p=share: draw.random((20, n)) < p)
    only = np.arange(10)[:, None]
    rates("10 models, 200 questions, one right on each", 800, lambda draw: only == draw.integers(0, 10, 200))


if __name__ == "__main__":
    main()
