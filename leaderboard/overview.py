"""The overview across tasks: the answer within usual limits, and a heat map of models by tasks. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.board.board import TaskBoard
from bench.board.candidates import Candidate, candidates, hardware, has_costs
from bench.board.choice import CheapestOfBest, Choice, OneBest, Scored, choose
from bench.board.choice_words import sentence, support, to_measure
from bench.board.limits import Limits
from bench.board.plain import plain_words
from bench.board.score_frontier import ScoreFrontier, score_frontier
from bench.board.shades import shade
from bench.stats.ranking import chance_corrected
from bench.wording import DASH, counted, latency, size
from leaderboard.model_pages import page_of_model
from leaderboard.site import Content

PRESETS = (4, 8, 16)
"""Memory in GB."""


@dataclass(frozen=True, slots=True)
class Words:
    """A choice in words: the sentence around the chosen model's name, and what supports it.

    `chosen` and `page` are "" where no model is chosen.
    """

    before: str
    chosen: str
    page: str
    after: str
    support: tuple[str, ...]
    gaps: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """`shade` is "l0" (guessing) to "l4" (nearly all right), or "none"."""

    text: str
    shade: str


@dataclass(frozen=True, slots=True)
class Line:
    """A model. `place` is that in `data/choice.js`; the first cell is the score."""

    place: int
    title: str
    words: str
    page: str
    cells: tuple[Cell, ...]
    costs: tuple[str, ...]
    is_chosen: bool
    is_tied: bool


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    heading: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """`shared` are the words that are true of every model's variant; `presets` are by GB of memory."""

    tables: tuple[TaskBoard, ...]
    weights: Mapping[str, float]
    words: Words
    presets: Mapping[int, Words]
    groups: tuple[Group, ...]
    shared: tuple[str, ...]
    licences: tuple[str, ...]
    machines: tuple[str, ...]
    drawing: ScoreFrontier | None


def overview_of(content: Content) -> Overview | None:
    """None where no table has a row."""
    weights = content.site.board.measured
    tables = [content.tables[name] for name in weights]
    if not tables:
        return None
    choice = choose(tables, weights, Limits())
    presets = {gb: choose(tables, weights, Limits(memory=gb * 10**9)) for gb in PRESETS}
    everyone = candidates(tables)
    shared = _shared([each for each in everyone if not each.is_baseline])
    return Overview(
        tables=tuple(tables),
        weights=weights,
        words=_words(choice),
        presets={gb: _words(each) for gb, each in presets.items()},
        groups=_groups(choice, tables, candidates(content.site.board.tasks), shared),
        shared=shared,
        licences=tuple(sorted({each.needs.licence for each in everyone if not each.is_baseline})),
        machines=_machines(tables),
        drawing=score_frontier(choice.fitting, _short_names(choice.fitting, shared)),
    )


def _words(choice: Choice) -> Words:
    chosen = _chosen(choice)
    before, name, after = sentence(choice).partition(chosen.candidate.name if chosen else "\n")
    return Words(
        before=before,
        chosen=name,
        page=page_of_model(chosen.candidate.first.cell.model.name) if chosen else "",
        after=after,
        support=tuple(support(choice)),
        gaps=tuple(to_measure(choice)),
    )


def _chosen(choice: Choice) -> Scored | None:
    match choice.answer:
        case OneBest(chosen=chosen) | CheapestOfBest(chosen=chosen):
            return chosen
        case _:
            return None


def _tied(choice: Choice) -> set[Candidate]:
    """The models that may be the best."""
    match choice.answer:
        case OneBest(chosen=chosen):
            return {chosen.candidate}
        case CheapestOfBest(chosen=chosen, others=others, unproven=unproven):
            return {each.candidate for each in (chosen, *others, *unproven)}
        case _:
            return set()


def _shared(models: Sequence[Candidate]) -> tuple[str, ...]:
    words = [plain_words(each.first.cell.variant) for each in models]
    return tuple(word for word in (words[0] if len(words) > 1 else ()) if all(word in own for own in words))


def _short_names(models: Sequence[Scored], shared: Sequence[str]) -> list[str]:
    """The titles; of models with one title, how each was run."""
    cells = [each.candidate.first.cell for each in models]
    times = Counter(cell.model.title for cell in cells)
    words = [", ".join(word for word in plain_words(cell.variant) if word not in shared) for cell in cells]
    pairs = zip(cells, words, strict=True)
    return [own if own and times[cell.model.title] > 1 else cell.model.title for cell, own in pairs]


def _machines(tables: Sequence[TaskBoard]) -> tuple[str, ...]:
    """Where memory or times were measured, also by runs whose costs count only where one asks for them."""
    results = [result for table in tables for row in table.rows for result in row.measured]
    return tuple(sorted({hardware(result.provenance) for result in results if has_costs(result)}))


def _groups(
    choice: Choice, tables: Sequence[TaskBoard], everyone: Sequence[Candidate], shared: Sequence[str]
) -> tuple[Group, ...]:
    """The models with a run of every task, those without one, and the baselines; no limit is set yet."""
    places = {_key(candidate): place for place, candidate in enumerate(everyone)}
    chosen, tied = _chosen(choice), _tied(choice)

    def line(candidate: Candidate, score: float | None = None) -> Line:
        own = plain_words(candidate.first.cell.variant)
        return Line(
            place=places[_key(candidate)],
            title=candidate.first.cell.model.title,
            words=", ".join(word for word in own if word not in shared),
            page=page_of_model(candidate.first.cell.model.name),
            cells=(_cell(score, score), *(_cell_of(candidate, table) for table in tables)),
            costs=_costs(candidate),
            is_chosen=chosen is not None and candidate is chosen.candidate,
            is_tied=candidate in tied,
        )

    scores = {_key(each.candidate): each.score for each in (*choice.fitting, *choice.baselines)}
    groups = {
        "fitting": [each.candidate for each in choice.fitting],
        "beyond": [],
        "unclear": [],
        "holes": list(choice.holes),
        "baselines": [each for each in everyone if each.is_baseline],
    }
    return tuple(
        Group(name, _heading(name, len(models)), tuple(line(each, scores.get(_key(each))) for each in models))
        for name, models in groups.items()
    )


def _heading(name: str, number: int) -> str:
    """Of a group while there is no limit."""
    match name:
        case "fitting":
            return f"{number} measured on every task"
        case "holes":
            return f"{number} {'lacks' if number == 1 else 'lack'} a task"
        case "baselines":
            return counted(number, "baseline")
        case _:  # there is none without a limit
            return ""


def _key(candidate: Candidate) -> str:
    return candidate.first.cell.id


def _cell_of(candidate: Candidate, table: TaskBoard) -> Cell:
    row = candidate.rows.get(table.task.name)
    if row is None:
        return Cell(DASH, "none")
    accuracy = row.result.metrics.accuracy.value
    return _cell(accuracy, chance_corrected(accuracy, table.chance))


def _cell(share: float | None, way: float | None) -> Cell:
    """A share in percent, and its shade by the way from guessing to all right."""
    if share is None or way is None:
        return Cell(DASH, "none")
    text = f"{100 * share:.0f}".replace("-", "\u2212")
    return Cell("0" if text == "\u22120" else text, shade(way))


def _costs(candidate: Candidate) -> tuple[str, ...]:
    """Peak memory, median and 95th percentile of one answer, and size on disk."""
    needs = candidate.needs
    times = [DASH if seconds is None else latency(seconds) for seconds in (needs.p50, needs.p95)]
    return size(needs.memory), *times, size(needs.disk)
