"""Does a model's answer depend on the order of the options? From its scores of every rotation of them.

`scores` are (questions, rotations, places): the log-probability of the letter at each place, where rotation r
has option (i + r) modulo k at place i of k. Rotation 0 is the published order. `truth` (questions,) are the
right options' indices. All questions of one call have k options. Letters with equal scores, which 16 bits
make frequent, share an answer in equal parts, so that no letter is preferred by being the first.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.stats.bootstrap import resampled
from bench.stats.clusters import FEWEST, Clusters
from bench.stats.contamination import standardised
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


def shares(scores: Floats) -> Floats:
    """How much of each answer a letter has, shaped as `scores`: 1 for the best one, equal parts of a tie."""
    best = scores == scores.max(axis=-1, keepdims=True)
    return best / best.sum(axis=-1, keepdims=True)


def by_option(at_places: Floats) -> Floats:
    """What stands at places, (questions, rotations, places), by option: (questions, rotations, options)."""
    k = at_places.shape[2]
    return np.stack([np.roll(at_places[:, turn], turn, axis=1) for turn in range(k)], axis=1)


def changes(scores: Floats) -> Bools:
    """Whether no option is among the best ones in every rotation, (questions,)."""
    in_all = by_option(shares(scores)).min(axis=1)
    changed: Bools = in_all.max(axis=1) == 0
    return changed


def right_shares(scores: Floats, truth: Ints) -> Floats:
    """How much of each rotation's answer the right option has, (questions, rotations)."""
    return by_option(shares(scores))[np.arange(len(truth)), :, truth]


def _right_places(truth: Ints, k: int) -> Ints:
    """The place of the right option in each rotation, (questions, k)."""
    places: Ints = (truth[:, None] - np.arange(k)[None, :]) % k
    return places


def hits_by_place(scores: Floats, truth: Ints) -> Floats:
    """How much of the answer the right option has where it stands at each place, (questions, places).

    Over its rotations, each question's right option stands at each place once.
    """
    count, k, _ = scores.shape
    hits = np.zeros((count, k))
    np.put_along_axis(hits, _right_places(truth, k), right_shares(scores, truth), axis=1)
    return hits


def spread(hits: Floats) -> float:
    """The highest recall of a place less the lowest, in [0, 1]."""
    return float(np.ptp(hits.mean(axis=0)))


def spread_interval(hits: Floats, *, clusters: Clusters | None) -> Interval:
    """A 95 % interval of the spread over questions, in [0, 1]: all of it with fewer than `FEWEST` clusters.

    The spread of a sample is too large where the places are alike, so its own distribution in resamples would
    miss a small one. No difference of two places is further from the truth than the spread of all places'
    errors, whose 95 % quantile is that of the bootstrap (Efron 1979), and at least 3 questions.
    """
    number = clusters.number if clusters else len(hits)
    if number < FEWEST:
        return Interval(0.0, 1.0)
    recall = hits.mean(axis=0)
    errors = [
        np.ptp(weights @ hits / weights.sum(axis=1, keepdims=True) - recall, axis=1)
        for weights in resampled(len(hits), clusters)
    ]
    most = max(float(np.quantile(np.concatenate(errors), 0.95)), 3 / number)
    return Interval(max(0.0, spread(hits) - most), min(1.0, spread(hits) + most))


@dataclass(frozen=True, slots=True)
class Preference:
    """How often each place was chosen over all rotations, (places,), and the p of no preference."""

    chosen: Floats
    p: float


def preference(scores: Floats, *, clusters: Clusters | None) -> Preference:
    """Are some places chosen more often than others, whatever stands there?

    Every option stands at every place once. Without a preference, the places that a question's answers fell
    on are as likely as all of them moved by one, two, …; a randomisation test of the sum of squared counts.
    The questions of a cluster are moved together.
    """
    k = scores.shape[2]
    counts = shares(scores).sum(axis=1)
    counts = clusters.sums(counts.T).T if clusters else counts
    moved = counts[:, options_at(k)]  # [question or cluster, by how much, place]
    generator = np.random.default_rng(0)
    sums = np.array([_squares(moved, generator.integers(k, size=len(counts))) for _ in range(DRAWS)])
    observed = float((counts.sum(axis=0) ** 2).sum())
    return Preference(counts.sum(axis=0), _p(sums, observed))


def _squares(moved: Floats, by: Ints) -> float:
    return float((moved[np.arange(len(by)), by].sum(axis=0) ** 2).sum())


def _p(drawn: Floats, observed: float) -> float:
    """The share of draws that are as large, with the observed one among them: at most `a` in a share `a` of
    all samples.
    """
    return float((1 + (drawn >= observed - _TIES * max(1.0, abs(observed))).sum()) / (1 + len(drawn)))


@dataclass(frozen=True, slots=True)
class Published:
    """How much likelier the right option is in the published order than in the others.

    `difference` is the mean over questions in nats, after the effect of places is taken out. `p` is that of
    no difference against a positive one, None where every right option stands at the same place: then its
    effect is not known from that of the place.
    """

    difference: float
    p: float | None


def published_order(scores: Floats, truth: Ints, *, clusters: Clusters | None) -> Published:
    """Is the published order special?

    The right option of a question is likelier at some places than at others, for a reason of the model's.
    Where the model has not seen which place was published, the published places of all questions could as
    well belong to other ones: a permutation test exchanges them between questions. How often each place is
    published stays as it is, so a model that prefers a letter, to a degree that differs between questions,
    passes it. Clusters exchange theirs with clusters of the same size. Each question's values are
    standardised, so that none outweighs the others.
    """
    k, count = scores.shape[2], len(truth)
    at = _right_places(truth, k)
    values = np.take_along_axis(_log_softmax(scores), at[:, :, None], axis=2)[:, :, 0]  # by rotation
    rest = np.empty_like(values)
    np.put_along_axis(rest, at, values - values.mean(axis=1, keepdims=True), axis=1)  # by place
    rest -= rest.mean(axis=0)
    difference = float(rest[np.arange(count), truth].mean() * k / (k - 1))
    if len(set(truth.tolist())) < 2:
        return Published(difference, None)
    scaled = standardised(rest)
    generator = np.random.default_rng(0)
    drawn = np.array([_published(scaled, each) for each in _exchanged(truth, clusters, generator)])
    return Published(difference, _p(drawn, _published(scaled, truth)))


def _published(scaled: Floats, truth: Ints) -> float:
    return float(scaled[np.arange(len(truth)), truth].sum())


def _exchanged(truth: Ints, clusters: Clusters | None, generator: np.random.Generator) -> Iterator[Ints]:
    """The right places exchanged at random between questions, or between clusters of one size."""
    codes = clusters.codes if clusters else np.arange(len(truth))
    places = np.argsort(codes, kind="stable")
    members = np.split(places, np.cumsum(np.bincount(codes))[:-1])
    sizes = sorted({len(each) for each in members})
    alike = [np.array([each for each in members if len(each) == size]) for size in sizes]
    for _ in range(DRAWS):
        result = truth.copy()
        for rows in alike:
            result[rows] = truth[rows[generator.permutation(len(rows))]]
        yield result
