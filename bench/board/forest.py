"""Every model less a reference, on the same questions: the numbers and the drawing. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from bench.board.board import TaskBoard
from bench.board.candidates import Candidate, candidates
from bench.board.clustered import clusters_on
from bench.board.pairs import SIGNIFICANT, row_names
from bench.board.row_chart import ChartRow, Guide, RowChart, Tick, places, steps
from bench.stats.across import across, shown_by
from bench.stats.paired import Paired
from bench.stats.ranking import detectable, holm, needed_in
from bench.wording import MINUS, points


@dataclass(frozen=True, slots=True)
class Contrast:
    """A model less the reference: the difference and the ends of its 95 % interval, in [-1, 1].

    `p` is that of the pair alone, `adjusted` by Holm over all that are compared with the reference. `pair`
    has the numbers of questions, None across several tasks. `folder` is that of the model's run.
    """

    name: str
    folder: Path
    difference: float
    low: float
    high: float
    p: float
    adjusted: float
    pair: Paired | None = None

    @property
    def is_significant(self) -> bool:
        return self.adjusted <= SIGNIFICANT

    @property
    def verdict(self) -> str:
        """The result in words, which do not depend on colour."""
        if not self.is_significant:
            return "not separable"
        return "better" if self.difference > 0 else "worse"


@dataclass(frozen=True, slots=True)
class Contrasts:
    """`others` less the model named `reference`, the best first.

    `detectable` is the smallest difference that so many questions usually show, corrected as the p are.
    """

    reference: str
    folder: Path
    others: tuple[Contrast, ...]
    detectable: float


def contrasts_on(table: TaskBoard, reference: int = 0) -> Contrasts:
    """Every row of a task's table less one of its rows. There must be a row."""
    names, own = row_names(table), table.rows[reference]
    others = [at for at in range(len(table.rows)) if at != reference]
    pairs = [own.run.compared_with(table.rows[at].run) for at in others]
    adjusted: list[float] = holm(np.array([pair.p for pair in pairs])).tolist()
    others_less_own = [
        Contrast(
            name=names[at],
            folder=table.rows[at].run.folder,
            difference=pair.difference,
            low=pair.interval.low,
            high=pair.interval.high,
            p=pair.p,
            adjusted=p,
            pair=pair,
        )
        for at, pair, p in zip(others, pairs, adjusted, strict=True)
    ]
    return Contrasts(names[reference], own.run.folder, _sorted(others_less_own), _shown(pairs))


def _shown(pairs: Sequence[Paired]) -> float:
    """The smallest difference that these comparisons show together, by the median pair; 1 without a pair."""
    if not pairs:
        return 1.0
    questions = pairs[0].both + pairs[0].only_first + pairs[0].only_second + pairs[0].neither
    differ = median((pair.only_first + pair.only_second) / questions for pair in pairs)
    effect = median(pair.effect for pair in pairs)
    return detectable(questions / effect, differ, needed_in(len(pairs)))


def contrasts_across(
    tables: Sequence[TaskBoard], weights: Mapping[str, float], reference: str = ""
) -> Contrasts | None:
    """Every model with a run of each task less one of them, which is the best unless it is named.

    Differences are those of `bench.stats.across`; `weights` are above 0, by task name. None where fewer
    than two models have a run of each of at least two tasks, or where `reference` is not one of them.
    """
    chosen = [table for table in tables if table.task.name in weights]
    models = [each for each in candidates(chosen) if not each.lacks(tuple(weights))]
    if len(models) < 2 or len(weights) < 2 or (reference and reference not in {m.name for m in models}):
        return None
    names = [table.task.name for table in chosen]
    right = [np.array([each.rows[name].answers.right for each in models]) for name in names]
    chance = np.array([table.chance for table in chosen])
    shares = np.array([weights[name] for name in names], dtype=np.float64)
    compared = across(right, chance, shares, clusters=[clusters_on(table) for table in chosen])
    scores: list[float] = compared.scores.tolist()
    best = min(range(len(models)), key=lambda at: (-scores[at], models[at].name))
    own = next((at for at, each in enumerate(models) if each.name == reference), best)
    others = [at for at in range(len(models)) if at != own]
    adjusted: list[float] = holm(compared.p[others, own]).tolist()
    others_less_own = [
        Contrast(
            name=models[at].name,
            folder=_folder(models[at]),
            difference=difference,
            low=difference - margin,
            high=difference + margin,
            p=float(compared.p[at, own]),
            adjusted=p,
        )
        for at, p in zip(others, adjusted, strict=True)
        for difference, margin in [(float(compared.difference[at, own]), float(compared.margin[at, own]))]
    ]
    typical = float(np.median(compared.margin[others, own]))
    return Contrasts(
        models[own].name, _folder(models[own]), _sorted(others_less_own), shown_by(typical, len(others))
    )


def _folder(model: Candidate) -> Path:
    return next(iter(model.rows.values())).run.folder


def _sorted(contrasts: Sequence[Contrast]) -> tuple[Contrast, ...]:
    return tuple(sorted(contrasts, key=lambda each: (-each.difference, each.name)))


def forest(contrasts: Contrasts, name: str, where: str) -> RowChart:
    """The difference plot, in points; a filled point is a significant difference.

    `name` is that of its files, and `where` ends its title: "on MedQA".
    """
    low, high = axis_of([value for each in contrasts.others for value in (each.low, each.high)])
    place = places(low, high)
    rows = tuple(
        ChartRow(
            name=each.name,
            text=points(each.difference),
            at=place(each.difference),
            low=place(each.low),
            high=place(each.high),
            strong=each.is_significant,
        )
        for each in contrasts.others
    )
    texts = [
        (value, f"{100 * value:+.3g}".replace("-", MINUS) if value else "0") for value in steps(low, high)
    ]
    return RowChart(
        name=name,
        title=f"Every model less {contrasts.reference}, {where}",
        axis="difference in points",
        rows=rows,
        ticks=tuple(Tick(place(value), text) for value, text in texts),
        guides=(Guide(place(0.0), "zero"),),
    )


def axis_of(values: Sequence[float]) -> tuple[float, float]:
    """The ends of an axis that shows all values and 0, at least two points wide on each side."""
    return min([-0.02, *values]), max([0.02, *values])
