"""The records of a run and of its changed questions -> what the probes show."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.results.probes import Difference, Measured, Order, Probes, Replaced, UseOfQuestion
from bench.scoring.metrics import Rate, rate
from bench.scoring.probing import CHOICES_ONLY, WITHOUT_RIGHT
from bench.scoring.record import Record, by_change
from bench.stats import order
from bench.stats.clusters import Clusters, clusters_of, mean_interval
from bench.stats.intervals import Interval, share_interval
from bench.stats.paired import paired
from bench.types import LETTERS, ProbeName
from bench.views import LETTER

PRIOR_SHARE = 0.05
"""The share of the questions, drawn by their ids, whose rotations give the letters' prior (as PriDe's)."""
PRIOR_LEAST = 30
"""All of them where they are fewer."""
Changed = Mapping[tuple[str, str], Record]
"""Records of changed questions, by (question id, how it was changed)."""


def figures(records: Sequence[Record], changed: Sequence[Record], probes: Probes) -> dict[str, Any]:
    """`order`, `question` and `nota` of `probes`, by what it asked and left out.

    None for one that was not asked, or of no question.
    """
    asked = by_change(changed)
    own = {name: _counted(records, probes, name) for name in probes.asked}
    alone = _pairs(own.get("question", ()), asked, CHOICES_ONLY)
    replaced = _pairs(own.get("nota", ()), asked, WITHOUT_RIGHT)
    return {
        "order": _order(records, own.get("order", ()), asked),
        "question": _question(alone) if alone else None,
        "nota": _nota(replaced) if replaced else None,
    }


def _counted(records: Sequence[Record], probes: Probes, name: ProbeName) -> list[Record]:
    """The run's own records with scores of letters that a probe did not leave out."""
    out = {question for ids in probes.left_out.get(name, {}).values() for question in ids}
    return [one for one in records if LETTER.name in one.scores and one.question_id not in out]


def _pairs(own: Sequence[Record], asked: Changed, name: str) -> list[tuple[Record, Record]]:
    return [(record, form) for record in own if (form := _scored(asked, record, name))]


def _scored(asked: Changed, record: Record, name: str) -> Record | None:
    form = asked.get((record.question_id, name))
    return form if form is not None and form.parse_status == "scored" else None


def _bools(values: Iterable[bool]) -> NDArray[np.bool_]:
    return np.array(list(values), dtype=np.bool_)


def _right(records: Iterable[Record]) -> NDArray[np.bool_]:
    return _bools(record.is_correct for record in records)


def _clusters(records: Iterable[Record]) -> Clusters | None:
    return clusters_of([record.cluster for record in records])


def _rate(right: NDArray[np.bool_], clusters: Clusters | None) -> Rate:
    return rate(list(map(bool, right)), clusters)


def _difference(first: NDArray[np.bool_], second: NDArray[np.bool_], clusters: Clusters | None) -> Difference:
    """The second's accuracy less the first's."""
    pair = paired(first, second, clusters=clusters)
    return Difference(value=pair.difference, low=pair.interval.low, high=pair.interval.high, p=pair.p)


def _question(pairs: Sequence[tuple[Record, Record]]) -> UseOfQuestion:
    full, alone = _right(record for record, _ in pairs), _right(form for _, form in pairs)
    truth = [record.answer_gt for record, _ in pairs]
    counts = Counter(truth)
    letter = min(counts, key=lambda each: (-counts[each], each))
    always = _bools(each == letter for each in truth)
    clusters = _clusters(record for record, _ in pairs)
    return UseOfQuestion(
        questions=len(pairs),
        accuracy=_rate(full, clusters),
        options_alone=_rate(alone, clusters),
        letter=letter,
        letter_rate=_rate(always, clusters),
        both=int((full & alone).sum()),
        over_options=_difference(alone, full, clusters),
        options_over_letter=_difference(always, alone, clusters),
    )


def _nota(pairs: Sequence[tuple[Record, Record]]) -> Replaced:
    full, replaced = _right(record for record, _ in pairs), _right(form for _, form in pairs)
    clusters = _clusters(record for record, _ in pairs)
    return Replaced(
        questions=len(pairs),
        accuracy=_rate(full, clusters),
        replaced=_rate(replaced, clusters),
        drop=_difference(replaced, full, clusters),
    )


@dataclass(frozen=True, slots=True)
class _Rotated:
    """Questions with k options each; `scores` are (questions, k, k), as in `bench.stats.order`."""

    records: tuple[Record, ...]
    scores: NDArray[np.float64]

    @property
    def truth(self) -> NDArray[np.int64]:
        return np.array([LETTERS.index(record.answer_gt) for record in self.records], dtype=np.int64)

    @property
    def letters(self) -> str:
        return LETTERS[: self.scores.shape[2]]

    @property
    def right(self) -> NDArray[np.float64]:
        """How much of each rotation's answer the right option has, (questions, k)."""
        return order.right_shares(self.scores, self.truth)

    @property
    def ties(self) -> int:
        """Answers, over all rotations, in which several letters are the best."""
        return int(((order.shares(self.scores) > 0).sum(axis=2) > 1).sum())

    def prior(self) -> NDArray[np.float64]:
        """The letters' prior, from a share of the questions that their ids draw; no answer enters it."""
        drawn = sorted(range(len(self.records)), key=lambda at: _drawn(self.records[at]))
        count = max(PRIOR_LEAST, round(PRIOR_SHARE * len(self.records)))
        return order.letter_prior(self.scores[drawn[:count]])


def _drawn(record: Record) -> str:
    return hashlib.sha256(record.question_id.encode()).hexdigest()


def _order(records: Sequence[Record], own: Sequence[Record], asked: Changed) -> Order | None:
    """Questions with the same number of options are computed together.

    What is said of letters is of the most common number of options.
    """
    by_count: dict[int, list[tuple[Record, list[tuple[float, ...]]]]] = {}
    for record in own:
        turns = [_scored(asked, record, f"rotation {by}") for by in range(1, len(record.options))]
        forms = [record, *(turn for turn in turns if turn is not None)]
        if len(forms) == len(record.options):
            scores = [form.scores[LETTER.name] for form in forms]
            by_count.setdefault(len(forms), []).append((record, scores))
    groups = [
        _Rotated(tuple(record for record, _ in rows), np.array([scores for _, scores in rows]))
        for rows in by_count.values()
    ]
    return _figures_of(records, groups) if groups else None


def _figures_of(records: Sequence[Record], groups: Sequence[_Rotated]) -> Order:
    rows = [record for group in groups for record in group.records]
    right = [row for group in groups for row in group.right]
    shares = np.array([row.mean() for row in right])
    priors = {len(group.letters): group.prior() for group in groups}
    places = {
        record.question_id: group.letters[place]
        for group in groups
        for record, place in zip(
            group.records,
            order.without_prior(group.scores[:, 0], priors[len(group.letters)]).argmax(axis=1),
            strict=True,
        )
    }
    clusters = _clusters(rows)
    unbiased = _bools(places[record.question_id] == record.answer_gt for record in rows)
    return Order(
        questions=len(rows),
        accuracy=_rate(_right(rows), clusters),
        rotations=_by_rotation(rows, right),
        mean=_measured(float(shares.mean()), mean_interval(shares, clusters=clusters)),
        consistent=_rate(_bools((row == 1).all() for row in right), clusters),
        changed=_rate(np.concatenate([order.changes(group.scores) for group in groups]), clusters),
        ties=sum(group.ties for group in groups),
        prior={
            count: dict(zip(LETTERS, map(float, prior), strict=False))
            for count, prior in sorted(priors.items())
        },
        without_prior=_rate(unbiased, clusters),
        gain=_difference(_right(rows), unbiased, clusters),
        answers="".join(
            places.get(record.question_id, record.model_output.final_answer or "-") for record in records
        ),
        **_of_letters(max(groups, key=lambda group: len(group.records))),
    )


def _by_rotation(rows: Sequence[Record], right: Sequence[NDArray[np.float64]]) -> tuple[Measured, ...]:
    """The accuracy of each rotation, over the questions that have it."""
    means: list[Measured] = []
    for turn in range(max(map(len, right))):
        having = [(record, row[turn]) for record, row in zip(rows, right, strict=True) if len(row) > turn]
        values = np.array([value for _, value in having])
        means.append(_mean(values, _clusters(record for record, _ in having)))
    return tuple(means)


def _of_letters(group: _Rotated) -> dict[str, Any]:
    clusters = _clusters(group.records)
    hits = order.hits_by_place(group.scores, group.truth)
    chosen = order.preference(group.scores, clusters=clusters)
    published = order.published_order(group.scores, group.truth, clusters=clusters)
    return {
        "recall": {letter: _mean(hits[:, place], clusters) for place, letter in enumerate(group.letters)},
        "spread": _measured(order.spread(hits), order.spread_interval(hits, clusters=clusters)),
        "chosen": dict(zip(group.letters, map(float, chosen.chosen), strict=True)),
        "preference_p": chosen.p,
        "published": published.difference,
        "published_p": published.p,
    }


def _mean(values: NDArray[np.float64], clusters: Clusters | None) -> Measured:
    """Of shares of answers: with the interval of a rate where no answer is shared."""
    if np.isin(values, (0.0, 1.0)).all():
        return _measured(float(values.mean()), share_interval([bool(v) for v in values], clusters=clusters))
    return _measured(float(values.mean()), mean_interval(values, clusters=clusters))


def _measured(value: float, interval: Interval) -> Measured:
    return Measured(value=value, low=interval.low, high=interval.high)
