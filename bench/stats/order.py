"""Does a model's answer depend on the order of the options? From its scores of every rotation of them.

`scores` are (questions, rotations, places): the log-probability of the letter at each place, where rotation r
has option (i + r) modulo k at place i of k. Rotation 0 is the published order. `truth` (questions,) are the
right options' indices. All questions of one call have k options.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.stats.bootstrap import resampled
from bench.stats.clusters import Clusters
from bench.stats.contamination import order_test
from bench.stats.intervals import Interval

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

DRAWS = 4999
"""Draws of a randomisation test: its smallest p is 1 / 5000."""
_TIES = 1e-9
"""A statistic that differs by less is as large as the observed one."""


def options_at(k: int) -> Ints:
    """[r, i]: the option at place i of rotation r, (k, k)."""
    return (np.arange(k)[None, :] + np.arange(k)[:, None]) % k


def _log_softmax(scores: Floats) -> Floats:
    shifted = scores - scores.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def letter_prior(scores: Floats) -> Floats:
    """How likely each letter is before anything is read, (places,); adds up to 1.

    Over the rotations of a question every option stands at every place, so the mean log-probability of a
    place is that of its letter; the priors of the questions are averaged. PriDe: Zheng et al. 2024, "Large
    Language Models Are Not Robust Multiple Choice Selectors", equation 6.
    """
    means = _log_softmax(scores).mean(axis=1)
    return np.exp(_log_softmax(means)).mean(axis=0)


def without_prior(scores: Floats, prior: Floats) -> Floats:
    """Log-probabilities of letters with the prior divided out (PriDe, equation 7), shaped as `scores`."""
    return _log_softmax(scores) - np.log(np.maximum(prior, 1e-300))


def chosen_options(scores: Floats) -> Ints:
    """The option that each rotation's highest score belongs to, (questions, rotations)."""
    places = scores.argmax(axis=2)
    rotations = np.arange(scores.shape[1])
    return (places + rotations[None, :]) % scores.shape[2]


def _right_places(truth: Ints, k: int) -> Ints:
    """The place of the right option in each rotation, (questions, k)."""
    places: Ints = (truth[:, None] - np.arange(k)[None, :]) % k
    return places


def mean_interval(values: Floats, *, clusters: Clusters | None) -> Interval:
    """The 95 % percentile bootstrap interval (Efron 1979) of a mean over questions, (questions,)."""
    weights = resampled(len(values), clusters)
    low, high = np.quantile(weights @ values / weights.sum(axis=1), [0.025, 0.975])
    return Interval(float(low), float(high))


def hits_by_place(scores: Floats, truth: Ints) -> Bools:
    """Whether the right option was chosen where it stood at each place, (questions, places).

    Over its rotations, each question's right option stands at each place once.
    """
    count, k, _ = scores.shape
    hits = np.zeros((count, k), dtype=np.bool_)
    np.put_along_axis(hits, _right_places(truth, k), chosen_options(scores) == truth[:, None], axis=1)
    return hits


def spread(hits: Bools) -> float:
    """The highest recall of a place less the lowest, in [0, 1]."""
    return float(np.ptp(hits.mean(axis=0)))


def spread_interval(hits: Bools, *, clusters: Clusters | None) -> Interval:
    """The 95 % percentile bootstrap interval of the spread over questions."""
    weights = resampled(len(hits), clusters)
    recalls = weights @ hits / weights.sum(axis=1, keepdims=True)
    low, high = np.quantile(np.ptp(recalls, axis=1), [0.025, 0.975])
    return Interval(float(low), float(high))


@dataclass(frozen=True, slots=True)
class Preference:
    """How often each place was chosen over all rotations, (places,), and the p of no preference."""

    chosen: Ints
    p: float


def preference(scores: Floats, *, clusters: Clusters | None) -> Preference:
    """Are some places chosen more often than others, whatever stands there?

    Every option stands at every place once. Without a preference, the places that a question's answers fell
    on are as likely as all of them moved by one, two, …; a randomisation test of the sum of squared counts.
    The questions of a cluster are moved together.
    """
    k = scores.shape[2]
    places = scores.argmax(axis=2)
    counts = np.stack([(places == place).sum(axis=1) for place in range(k)], axis=1)
    counts = clusters.sums(counts.T).T if clusters else counts
    moved = counts[:, options_at(k)]  # [question or cluster, by how much, place]
    draws = np.random.default_rng(0).integers(k, size=(DRAWS, len(counts)))
    sums = np.stack([_spread_of(moved, draw) for draw in draws])
    observed = float((counts.sum(axis=0).astype(np.float64) ** 2).sum())
    return Preference(counts.sum(axis=0), _p(sums, observed))


def _spread_of(moved: Ints, by: Ints) -> float:
    totals = moved[np.arange(len(by)), by].sum(axis=0)
    return float((totals.astype(np.float64) ** 2).sum())


def _p(drawn: Floats, observed: float) -> float:
    """The share of draws that are as large, with the observed one among them: at most `a` in a share `a` of
    all samples.
    """
    return float((1 + (drawn >= observed - _TIES * max(1.0, abs(observed))).sum()) / (1 + len(drawn)))


@dataclass(frozen=True, slots=True)
class Published:
    """How much likelier the right option is in the published order than in the others.

    `difference` is the mean over questions in nats, after the effect of places is taken out, and `p` that of
    no difference against a positive one.
    """

    difference: float
    p: float


def published_order(scores: Floats, truth: Ints, *, clusters: Clusters | None) -> Published:
    """Is the published order special?

    A model that has not seen it gives the right option as much in this rotation as in any other, but for what
    the place itself does. What each place adds is the mean, over questions, of what it adds to a question's
    own mean. Of the rest, the rotation that was published is one of k by chance: as in `order_test`.
    The questions of a cluster are one shard.
    """
    k = scores.shape[2]
    at = _right_places(truth, k)
    values = np.take_along_axis(_log_softmax(scores), at[:, :, None], axis=2)[:, :, 0]
    rest = values - values.mean(axis=1, keepdims=True)
    places = np.array([rest[at == place].mean() for place in range(k)])
    rest = rest - places[at]
    difference = float(rest[:, 0].mean() * k / (k - 1))
    if clusters:
        rest = np.stack([np.bincount(clusters.codes, column) for column in rest.T], axis=1).astype(np.float64)
    return Published(difference, order_test(rest, seed=0).p)
