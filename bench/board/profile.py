"""What a model's profile says and draws: where it stands on the board, task by task. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from bench.board.board import Row, TaskBoard
from bench.board.candidates import Candidate, candidates
from bench.board.choice_words import way
from bench.board.clustered import clusters_on
from bench.board.limits import Needs
from bench.board.plain import plain_words
from bench.board.profile_charts import Levels, strip_chart
from bench.board.row_chart import RowChart
from bench.scoring.metrics import Metrics
from bench.stats.across import across, worth
from bench.stats.flips import by_unit, compare_all
from bench.stats.ranking import ALPHA, chance_corrected
from bench.wording import count, counted, latency, number, size


@dataclass(frozen=True, slots=True)
class Place:
    """The places from `best` to `worst`, from 1, that remain possible among so many models and variants."""

    best: int
    worst: int
    among: int

    @property
    def words(self) -> str:
        several = f"one of the places {self.best} to {self.worst}"
        own = f"place {self.best}" if self.best == self.worst else several
        return f"{own} of {self.among} models and variants"


@dataclass(frozen=True, slots=True)
class Profile:
    """`lead` is the model's best variant, None where none of its runs is comparable.

    `strip` draws it against the board, task by task; `costs` are pairs of a name and a text.
    """

    sentence: str
    lead: Candidate | None
    costs: tuple[tuple[str, str], ...]
    strip: RowChart | None


@dataclass(frozen=True, slots=True)
class Standings:
    """What the profiles of a board's models share: its tables, their levels, and all candidates' places."""

    tables: tuple[TaskBoard, ...]
    weights: Mapping[str, float]
    levels: Mapping[str, Levels]
    models: Mapping[str, Sequence[Candidate]]
    places: Mapping[str, Place]


def standings_of(tables: Sequence[TaskBoard], weights: Mapping[str, float]) -> Standings:
    """From the board's tables and the weights of its tasks, by name."""
    measured = tuple(table for table in tables if table.rows)
    everyone = candidates(measured)
    models: dict[str, list[Candidate]] = {}
    for each in everyone:
        models.setdefault(each.first.cell.model.name, []).append(each)
    levels = {table.task.name: _levels(table) for table in measured}
    return Standings(measured, weights, levels, models, _places(everyone, measured, weights))


def _levels(table: TaskBoard) -> Levels:
    best: dict[str, Metrics] = {}
    for row in table.rows:  # the best first
        if not row.result.cell.model.is_baseline:
            best.setdefault(row.result.cell.model.name, row.result.metrics)
    accuracies = [metrics.accuracy.value for metrics in best.values()]
    groups: dict[str, list[float]] = {}
    for metrics in best.values():
        for name, group in metrics.groups.items():
            groups.setdefault(name, []).append(group.accuracy.value)
    medians = {name: median(values) for name, values in groups.items()}
    return Levels(max(accuracies, default=0.0), median(accuracies or [0.0]), medians)


def _places(
    everyone: Iterable[Candidate], tables: Sequence[TaskBoard], weights: Mapping[str, float]
) -> dict[str, Place]:
    """By name, of the models with a run of every task; significant at 5 % by step-down sign flips."""
    tasks = [table.task.name for table in tables]
    models = [each for each in everyone if not each.is_baseline and not each.lacks(tasks)]
    if not models:
        return {}
    right = [np.array([each.rows[task].answers.right for each in models]) for task in tasks]
    chance = np.array([table.chance for table in tables])
    shares = np.array([weights[task] for task in tasks], dtype=np.float64)
    clusters = [clusters_on(table) for table in tables]
    compared = across(right, chance, shares, clusters=clusters)
    units = [by_unit(each, own) for each, own in zip(right, clusters, strict=True)]
    each = worth(np.array([float(task.shape[1]) for task in right]), chance, shares)
    adjusted = compare_all(units, each.tolist(), compared.p).adjusted
    better = (adjusted <= ALPHA) & (compared.difference > 0)  # [i, j]: i is better than j
    above: list[int] = better.sum(axis=0).tolist()
    below: list[int] = better.sum(axis=1).tolist()
    total = len(models)
    return {
        model.name: Place(up + 1, total - down, total)
        for model, up, down in zip(models, above, below, strict=True)
    }


def profile_of(name: str, standings: Standings) -> Profile:
    """The profile of the model with that name."""
    own = standings.models.get(name, ())
    if not own:
        return Profile("None of its runs is comparable with others.", None, (), None)
    lead = min(own, key=lambda each: (-len(each.rows), -_score(each, standings), each.name))
    return Profile(
        _sentence(lead, standings),
        lead,
        tuple(_costs(lead.needs)),
        strip_chart(lead, standings.tables, standings.levels),
    )


def _score(model: Candidate, standings: Standings) -> float:
    """The weighted mean over the tasks that it has."""
    tables = [table for table in standings.tables if table.task.name in model.rows]
    weights = [standings.weights[table.task.name] for table in tables]
    return sum(
        weight * chance_corrected(_accuracy(model.rows[table.task.name]), table.chance)
        for weight, table in zip(weights, tables, strict=True)
    ) / sum(weights)


def _accuracy(row: Row) -> float:
    return row.result.metrics.accuracy.value


def _sentence(lead: Candidate, standings: Standings) -> str:
    card = lead.first.cell.model
    tables = standings.tables
    missing = lead.lacks([table.task.name for table in tables])
    chat = ", tuned for chat" if card.chat else ""
    parameters = f"with {count(card.parameters)} parameters" if card.parameters else "of unknown size"
    what = "a baseline and no language model" if card.is_baseline else f"a language model {parameters}{chat}"
    variant = ", ".join(plain_words(lead.first.cell.variant))
    best = "It" if card.is_baseline or not variant else f"At its best ({variant}), it"
    score = _score(lead, standings)
    titles = [table.task.title for table in tables if table.task.name in lead.rows]
    where = f"on {titles[0]}" if len(titles) == 1 else f"over {counted(len(titles), 'task')}"
    words = [f"{card.title} is {what}. {best} is {way(score)} {where}"]
    if missing:
        words.append(f"has no run of {counted(len(missing), 'task')} of {len(tables)}")
    elif place := standings.places.get(lead.name):
        words.append(f"takes {place.words}")
    return f"{' and '.join(words)}."


def _costs(needs: Needs) -> Iterable[tuple[str, str]]:
    """What it takes, in plain words: the most on any task. What was not measured is said."""
    if needs.memory is None:
        yield "Memory while answering", "not measured"
    elif needs.weights is None:
        yield "Memory while answering", size(needs.memory)
    else:
        rest = max(0, needs.memory - needs.weights)
        parts = f"weights {size(needs.weights)}, the rest of the process {size(rest)}"
        yield "Memory while answering", f"{size(needs.memory)}: {parts}"
    if needs.p50 is None or needs.p95 is None:
        yield "One answer", "not measured"
    else:
        yield "One answer", f"{latency(needs.p50)}; 95 of 100 within {latency(needs.p95)}"
    yield "On disk", "not measured" if needs.disk is None else size(needs.disk)
    yield "Energy of an answer", "not measured" if needs.joules is None else f"{number(needs.joules)}\u202fJ"
