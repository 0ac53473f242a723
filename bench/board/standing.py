"""Rank ranges over a table's rows, and the table's headline. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bench.board.facts import names_of
from bench.results.answers import Answers
from bench.results.result import DoneResult
from bench.stats.clusters import Clusters, shared_clusters
from bench.stats.ranking import Ranking, chance_corrected, detectable_by, rank
from bench.types import ViewName
from bench.wording import percent

FRUGAL = 0.67
"""The headline names a model that needs at most this share of the best one's memory."""
MOST_NAMES = 3


@dataclass(frozen=True, slots=True)
class Standing:
    """A row's rank range, from 1, its accuracy, and its accuracy above chance (0 guessing, 1 all right).

    A row that `may_be_best` has a range from 1 on. A range from 1 on says only that no single other row is
    significantly better; together the others may still show that the row is not the best.
    `without_preference` is the rank range if no row preferred a letter, None where that is not known of all
    models.
    """

    best: int
    worst: int
    accuracy: float
    above_chance: float
    may_be_best: bool
    without_preference: str | None = None

    @property
    def text(self) -> str:
        return _range(self.best, self.worst)


@dataclass(frozen=True, slots=True)
class Standings:
    """`rows` are in the table's order; `by_view` is empty where there is one view only.

    `detectable` is the smallest difference of two accuracies that so many questions usually show, corrected
    for all pairs of rows.
    """

    rows: tuple[Standing, ...]
    detectable: float
    headline: str
    by_view: Mapping[ViewName, tuple[Standing, ...]]
    headlines: Mapping[ViewName, str]
    """The headline if answers were read by that view."""


def _range(best: int, worst: int) -> str:
    return str(best) if best == worst else f"{best}–{worst}"


def standings(results: Sequence[DoneResult], answers: Sequence[Answers], chance: float) -> Standings:
    """Rank the rows on the questions that all were asked; there must be at least one row."""
    right = np.array([each.right for each in answers])
    clusters = shared_clusters(each.clusters for each in answers)
    ranking = rank(right, clusters=clusters)
    rows = _with_other_ranks(_standings(right, ranking, chance), results, answers, clusters)
    by_view = dict(_by_view(results, answers, chance, clusters, right=right, ranking=ranking))
    return Standings(
        rows=rows,
        detectable=detectable_by(ranking, right.shape[1]),
        headline=headline(results, rows),
        by_view=by_view,
        headlines={view: headline(results, rows) for view, rows in by_view.items()},
    )


def _with_other_ranks(
    rows: tuple[Standing, ...],
    results: Sequence[DoneResult],
    answers: Sequence[Answers],
    clusters: Clusters | None,
) -> tuple[Standing, ...]:
    """The rows with their ranks without letter preference, where all models with prompts were probed.

    Baselines read no prompt, so they are as they are.
    """
    right = [_right_without(*row) for row in zip(results, answers, strict=True)]
    known = [row for row in right if row is not None]
    if len(known) < len(right) or not any(result.probes and result.probes.order for result in results):
        return rows
    other = rank(np.array(known), clusters=clusters)
    return tuple(
        replace(row, without_preference=_range(best, worst))
        for row, best, worst in zip(rows, other.best, other.worst, strict=True)
    )


def preference_note(results: Sequence[DoneResult]) -> str:
    """Why ranks without letter preference are not given, where some model was probed; else ""."""
    models = [result for result in results if not _is_baseline(result)]
    without = sum(not (result.probes and result.probes.order) for result in models)
    if not 0 < without < len(models):
        return ""
    asked = f"{without:,} of {len(models):,} were not asked in every order of the options (--probe order)"
    return f"Ranks without letter preference are not known: {asked}."


def _right_without(result: DoneResult, answers: Answers) -> NDArray[np.bool_] | None:
    """Which questions a row has right without its preference for letters; None where it was not probed."""
    if _is_baseline(result):
        return answers.right
    order = result.probes.order if result.probes else None
    if order is None:
        return None
    return np.array([a == b for a, b in zip(order.answers, answers.truth, strict=True)], dtype=np.bool_)


def _by_view(
    results: Sequence[DoneResult],
    answers: Sequence[Answers],
    chance: float,
    clusters: Clusters | None,
    *,
    right: NDArray[np.bool_],
    ranking: Ranking,
) -> Iterator[tuple[ViewName, tuple[Standing, ...]]]:
    """The standings by each view that all rows can be read in, where there are several.

    `ranking` is that of the table, where rows are `right` by the view that ranks.
    """
    views: dict[ViewName, None] = {view: None for each in answers for view in each.views}
    for view in views if len(views) > 1 else ():
        rows = [right_by(view, *row) for row in zip(results, answers, strict=True)]
        known = np.array([row for row in rows if row is not None])
        if len(known) == len(rows):
            is_own = np.array_equal(known, right)
            yield view, _standings(known, ranking if is_own else rank(known, clusters=clusters), chance)


def right_by(view: ViewName, result: DoneResult, answers: Answers) -> NDArray[np.bool_] | None:
    """Which questions a row has right by that view: baselines and written answers are the same in each."""
    if result.cell.model.is_baseline or result.cell.variant.generate:
        return answers.right
    return answers.views.get(view)


def _standings(right: NDArray[np.bool_], ranking: Ranking, chance: float) -> tuple[Standing, ...]:
    accuracies: list[float] = right.mean(axis=1).tolist()
    return tuple(
        Standing(best, worst, accuracy, chance_corrected(accuracy, chance), may_be_best)
        for best, worst, accuracy, may_be_best in zip(
            ranking.best, ranking.worst, accuracies, ranking.may_be_best, strict=True
        )
    )


def headline(results: Sequence[DoneResult], rows: Sequence[Standing]) -> str:
    """Which models may be best, and which of several needs much less memory."""
    pairs = [(result, row) for result, row in zip(results, rows, strict=True) if row.may_be_best]
    top = [result for result, _ in sorted(pairs, key=lambda pair: -pair[1].accuracy)]
    leader = top[0]
    baselines = [result for result in top if _is_baseline(result)]
    models = [result for result in top if not _is_baseline(result)]
    if all(_is_baseline(result) for result in results):
        return "Only baselines have been run so far."
    if len(results) == 1:
        return f"{_name(leader, results)} is the only run so far."
    if not models:
        return f"No model may be best: {_baselines(baselines)} {'is' if len(top) == 1 else 'are'} ahead."
    if baselines:
        text = f"No model is significantly better than {_baselines(baselines)}"
    elif len(top) == 1:
        return _alone(_name(leader, results), next(row for _, row in pairs))
    else:
        names = _join([_name(result, results) for result in models])
        text = f"{names} may be best, with no significant difference between them"
    return f"{text}{_frugal(leader, models, results)}."


def _alone(name: str, row: Standing) -> str:
    if row.worst == 1:
        return f"{name} is best, by a significant margin."
    return (
        f"Only {name} may be best, at rank {row.text}: not every other row is significantly worse by itself."
    )


def _baselines(results: Sequence[DoneResult]) -> str:
    """ "the baselines Chance and Majority letter"."""
    noun = "the baseline" if len(results) == 1 else "the baselines"
    return f"{noun} {_join([result.cell.model.title for result in results])}"


def _frugal(leader: DoneResult, models: Sequence[DoneResult], results: Sequence[DoneResult]) -> str:
    """The model that needs least memory among equals, where that is much less than the leader's."""
    device = leader.provenance.device
    others = [result for result in models if result is not leader and result.provenance.device == device]
    sizes = [(size, result) for result in others if (size := memory(result))]
    most = memory(leader)
    if not sizes or not most or _is_baseline(leader):
        return ""
    size, least = min(sizes, key=lambda pair: pair[0])
    share = size / most
    return f"; {_name(least, results)} needs {percent(share, 0)} of the memory" if share <= FRUGAL else ""


def memory(result: DoneResult) -> int | None:
    """The peak on the device where the model ran, in bytes."""
    return result.cost.peak_device_memory_bytes or result.cost.peak_memory_bytes


def _is_baseline(result: DoneResult) -> bool:
    return result.cell.model.is_baseline


def _name(result: DoneResult, results: Sequence[DoneResult]) -> str:
    """The model's title, and its variant where the table has several of the model."""
    cell = result.cell
    cells = [other.cell for other in results if other.cell.model.name == cell.model.name]
    return names_of(cells)[cells.index(cell)] if len(cells) > 1 else cell.model.title


def _join(names: Sequence[str]) -> str:
    """["a", "b", "c", "d", "e"] -> "a, b, c and 2 more"."""
    rest = len(names) - MOST_NAMES
    shown = [*names[:MOST_NAMES], f"{rest} more"] if rest > 0 else list(names)
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
