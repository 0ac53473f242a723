"""Who can be told from whom: rank ranges over a table's rows, and what they come to in words. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.runs.answers import Answers
from bench.runs.result import DoneResult
from bench.stats.ranking import Ranking, chance_corrected, detectable, median_differ, rank
from bench.types import ViewName
from leaderboard.formats import names_of

FRUGAL = 0.67
"""A model that takes at most this share of the best one's memory is told of."""
NAMED = 3


@dataclass(frozen=True, slots=True)
class Standing:
    """Of a row: the ranks that are not excluded, from 1, and its accuracy, also above chance (0 to 1)."""

    best: int
    worst: int
    accuracy: float
    above_chance: float

    @property
    def text(self) -> str:
        return str(self.best) if self.best == self.worst else f"{self.best}–{self.worst}"


@dataclass(frozen=True, slots=True)
class Standings:
    """`rows` are in the order of the table's; `told_apart` is the difference that so many questions find."""

    rows: tuple[Standing, ...]
    told_apart: float
    headline: str
    by_view: Mapping[ViewName, tuple[Standing, ...]]


def standings(results: Sequence[DoneResult], answers: Sequence[Answers], chance: float) -> Standings:
    """Compare the rows on the questions that all were asked; there must be at least one row."""
    right = np.array([one.right for one in answers])
    ranking = rank(right)
    rows = _stand(right, ranking, chance)
    apart = detectable(right.shape[1], median_differ(ranking))
    views: dict[ViewName, None] = {view: None for one in answers for view in one.views}
    by_view: dict[ViewName, tuple[Standing, ...]] = {}
    for view in views if len(views) > 1 else ():
        found = np.array([one.views.get(view, one.right) for one in answers])
        by_view[view] = _stand(found, rank(found), chance)
    return Standings(rows, apart, headline(results, ranking), by_view)


def _stand(right: NDArray[np.bool_], ranking: Ranking, chance: float) -> tuple[Standing, ...]:
    accuracy = right.mean(axis=1)
    return tuple(
        Standing(best, worst, float(one), chance_corrected(float(one), chance))
        for best, worst, one in zip(ranking.best, ranking.worst, accuracy, strict=True)
    )


def headline(results: Sequence[DoneResult], ranking: Ranking) -> str:
    """Who is best, who cannot be told from them, and who of those is the most frugal."""
    top = [result for result, best in zip(results, ranking.best, strict=True) if best == 1]
    leader = max(top, key=lambda result: result.metrics.accuracy.value)
    baselines = [result for result in top if _is_baseline(result)]
    models = [result for result in top if not _is_baseline(result)]
    if not any(not _is_baseline(result) for result in results):
        return "Only baselines were run yet."
    if len(results) == 1:
        return f"{_name(leader, results)} is the only run yet."
    if not models:
        names = _together([result.cell.model.title for result in baselines])
        are = "is" if len(baselines) == 1 else "are"
        return f"Every model is worse than {names}, which {are} best and {_know(baselines)} no language."
    if baselines:
        names = _together([result.cell.model.title for result in baselines])
        text = f"No model can be told from {names}, which {_know(baselines)} no language"
    elif len(top) == 1:
        return f"{_name(leader, results)} is best, beyond chance."
    else:
        shown = sorted(models, key=lambda result: -result.metrics.accuracy.value)
        names = [_name(result, results) for result in shown]
        text = f"{_together(names)} are best and cannot be told apart"
    return f"{text}{_frugal(leader, models, results)}."


def _frugal(leader: DoneResult, models: Sequence[DoneResult], results: Sequence[DoneResult]) -> str:
    """The least memory among equals, where it is much less than the leader's."""
    device = leader.provenance.device
    alike = [result for result in models if result is not leader and result.provenance.device == device]
    sized = [(size, result) for result in alike if (size := memory(result))]
    most = memory(leader)
    if not sized or not most or _is_baseline(leader):
        return ""
    size, least = min(sized, key=lambda pair: pair[0])
    share = size / most
    return f"; {_name(least, results)} takes {share:.0%} of the memory" if share <= FRUGAL else ""


def memory(result: DoneResult) -> int | None:
    """The peak on the device where the model ran, in bytes."""
    return result.cost.peak_device_memory_bytes or result.cost.peak_memory_bytes


def _is_baseline(result: DoneResult) -> bool:
    return result.cell.model.architecture == "baseline"


def _know(baselines: Sequence[DoneResult]) -> str:
    return "knows" if len(baselines) == 1 else "know"


def _name(result: DoneResult, results: Sequence[DoneResult]) -> str:
    """The model's title, and its variant where several of the model are in the table."""
    cell = result.cell
    alike = [one.cell for one in results if one.cell.model.name == cell.model.name]
    return names_of(alike)[alike.index(cell)] if len(alike) > 1 else cell.model.title


def _together(names: Sequence[str]) -> str:
    """["a", "b", "c", "d", "e"] -> "a, b, c and 2 more"."""
    rest = len(names) - NAMED
    shown = [*names[:NAMED], f"{rest} more"] if rest > 0 else list(names)
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
