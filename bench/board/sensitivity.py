"""How much the wording of the prompt matters: accuracies and rankings over a task's formats. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

import numpy as np
from numpy.typing import NDArray

from bench.board.plain import variant_name
from bench.results.answers import Answered
from bench.results.result import CellFacts, DoneResult
from bench.scoring.metrics import Rate
from bench.stats.agreement import Agreement, agreement
from bench.stats.clusters import shared_clusters
from bench.wording import MINUS, percent

FEWEST = 3
"""Models of which a ranking can change enough to say so."""


@dataclass(frozen=True, slots=True)
class Wordings:
    """A model's runs of one variant in several formats, by format: "" is the task's own prompt."""

    runs: dict[str, Answered]

    @property
    def cell(self) -> CellFacts:
        return next(iter(self.runs.values())).result.cell

    @property
    def name(self) -> str:
        """The model and its variant, without the format."""
        plain = self.cell.variant.model_copy(update={"format": ""})
        return f"{self.cell.model.title}, {variant_name(plain)}"

    @property
    def rates(self) -> dict[str, Rate]:
        return {name: run.result.metrics.accuracy for name, run in self.runs.items()}

    @property
    def lowest(self) -> str:
        return min(self.rates, key=lambda name: self.rates[name].value)

    @property
    def highest(self) -> str:
        return max(self.rates, key=lambda name: self.rates[name].value)

    @property
    def low(self) -> float:
        return self.rates[self.lowest].value

    @property
    def high(self) -> float:
        return self.rates[self.highest].value

    @property
    def value(self) -> float:
        """The median."""
        return median(rate.value for rate in self.rates.values())

    @property
    def sentence(self) -> str:
        """Between which accuracies the format moves it."""
        low, high = (format_name(name) for name in (self.lowest, self.highest))
        return (
            f"lowest {percent(self.low)} ({low}), median {percent(self.value)}, highest {percent(self.high)} "
            f"({high}), over {len(self.runs)} formats of the prompt."
        )


def format_name(name: str) -> str:
    return f"“{name.replace('_', ' ')}”" if name else "the task's own prompt"


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", MINUS)


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """`agreement` is that of the rankings by `formats`, None where fewer than three models ran in them all.

    `flips` are pairs of models each of which is significantly better in some format. `without` are the models
    that ran in other formats and are not in the agreement.
    """

    models: tuple[Wordings, ...]
    formats: tuple[str, ...]
    agreement: Agreement | None
    flips: tuple[tuple[str, str], ...]
    without: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """A sentence on each model, and one on the ranking."""
        return (*(f"{model.name}: {model.sentence}" for model in self.models), self.sentence)

    def of(self, result: DoneResult) -> Wordings | None:
        """The model and variant of a run in several formats; None where it ran in one."""
        runs = (each for each in self.models for run in each.runs.values() if run.result is result)
        return next(runs, None)

    @property
    def sentence(self) -> str:
        """Whether the ranking depends on the format."""
        if self.agreement is None:
            return (
                f"Whether the ranking changes is not known: it takes at least {FEWEST} models or variants "
                "that ran in the same formats."
            )
        low, high = (_signed(end) for end in (self.agreement.interval.low, self.agreement.interval.high))
        ends = f"95\u202f%: {low} to {high}"
        rankings = f"the rankings by {len(self.formats)} formats"
        tau = f"Kendall's τ between {rankings} is {_signed(self.agreement.tau)} ({ends})"
        without = f"; without {', '.join(self.without)}, in other formats" if self.without else ""
        note = f"{tau}, where 1 is the same ranking{without}."
        if not self.flips:
            return f"No ranking of two models is shown to change with the format. {note}"
        pairs = "; ".join(f"{first} and {second}" for first, second in self.flips[:3])
        return f"Which model is better depends on the format for: {pairs}. {note}"


def sensitivity(runs: Sequence[Answered]) -> Sensitivity | None:
    """What complete runs of one task on the same questions show of its formats; None without several."""
    groups: dict[str, dict[str, Answered]] = {}
    for run in sorted(runs, key=lambda one: one.folder):
        cell = run.result.cell
        plain = cell.variant.model_copy(update={"format": ""})
        key = f"{cell.model.name} {cell.weights} {plain.model_dump_json()}"
        groups.setdefault(key, {})[cell.variant.format] = run
    models = [Wordings(dict(sorted(group.items()))) for group in groups.values() if len(group) > 1]
    if not models:
        return None
    models.sort(key=lambda each: -each.value)
    formats = _most_shared(models)
    same = [each for each in models if each.runs.keys() >= set(formats)]
    if len(same) < FEWEST or len(formats) < 2:
        return Sensitivity(tuple(models), formats, None, ())
    right = np.array([[each.runs[name].right for each in same] for name in formats])
    clusters = shared_clusters(run.answers.clusters for each in same for run in each.runs.values())
    agreed = agreement(right, clusters=clusters)
    return Sensitivity(
        tuple(models),
        formats,
        agreed,
        flips=tuple(_flips(same, agreed.signs)),
        without=tuple(each.name for each in models if each not in same),
    )


def _most_shared(models: Sequence[Wordings]) -> tuple[str, ...]:
    """The formats that most models ran in, and of those the most."""
    sets = {frozenset(each.runs) & frozenset(other.runs) for each in models for other in models}
    several = [names for names in sets if len(names) > 1] or [frozenset[str]()]
    ran = {names: sum(each.runs.keys() >= names for each in models) for names in several}
    best = max(several, key=lambda names: (ran[names], len(names), sorted(names)))
    return tuple(sorted(best))


def _flips(models: Sequence[Wordings], signs: NDArray[np.int64]) -> Iterator[tuple[str, str]]:
    """Pairs of which the first is surely better in one format and the second in another."""
    for (first, second), by_format in zip(combinations(models, 2), signs.T, strict=True):
        if {1, -1} <= set(by_format.tolist()):
            yield first.name, second.name
