"""A choice in words: the answer in a sentence, and the lines that support it. Pure."""

import shlex
from collections.abc import Iterator, Sequence

from bench.board.candidates import Candidate, command_words
from bench.board.choice import CheapestOfBest, Choice, NothingMeasured, OneBest, Scored, UseNone
from bench.board.clustered import of_clusters
from bench.board.descent import LEAK
from bench.board.headroom import describe_headroom
from bench.board.limits import LANGUAGES, Limits, describe_costs, describe_limits, describe_needs, join
from bench.wording import counted, percent, points

NAMED = 3
"""How many models a line names at most."""
ROOM = 160
"""Into how many characters the names of a line have to fit, unless it is a single one."""


def sentence(choice: Choice) -> str:
    """The answer."""
    measured, number = _measured(choice.limits), f"{len(choice.fitting):,}"
    match choice.answer:
        case NothingMeasured():
            return _nothing(choice)
        case UseNone(bar=bar):
            return f"Use none of these for this: no model {measured} is significantly better than {bar}."
        case OneBest(chosen=chosen) if len(choice.fitting) == 1:
            return f"Use {_name(chosen)}: it is the only one {measured}, {way(chosen.score)}."
        case OneBest(chosen=chosen):
            return f"Use {_name(chosen)}: it is the best of {number} {measured}, {way(chosen.score)}."
        case CheapestOfBest(chosen=chosen, others=()):
            proven = f"it is the only one shown to be better than {_bar(choice)}"
            return f"Use {_name(chosen)}: of {number} {measured}, {proven}, {way(chosen.score)}."
        case CheapestOfBest(chosen=chosen, others=others):
            cheapest = f"it is the cheapest of {len(others) + 1} that cannot be told apart from the best"
            return f"Use {_name(chosen)}: {cheapest} of {number} {measured}, {way(chosen.score)}."


def way(score: float) -> str:
    """0.33 -> "33 % of the way from guessing to all right"."""
    return (
        "worse than guessing" if score < 0 else f"{percent(score, 0)} of the way from guessing to all right"
    )


def support(choice: Choice) -> list[str]:
    """The lines below the sentence, one fact each."""
    return [
        *_others(choice),
        *_closest(choice),
        *_headroom(choice),
        *_price(choice),
        *_change(choice),
        *_detectable(choice),
        *_clusters(choice),
        *_machines(choice),
        *_leaks(choice),
        *_outside(choice),
    ]


def to_measure(choice: Choice) -> list[tuple[str, str]]:
    """What was not measured, each with the command that measures it.

    Of more than `NAMED` models that lack the same, the command is for the first of them.
    """
    groups: dict[tuple[str, str], list[tuple[Candidate, tuple[str, ...]]]] = {}
    for what, candidate, words in _gaps(choice):
        rest = shlex.join("" if word == candidate.first.model_name else word for word in words)
        groups.setdefault((what, rest), []).append((candidate, words))
    gaps = [_gap(what, members) for (what, _), members in groups.items()]
    if cards := choice.unmeasured:
        names = ",".join(card.name for card in cards) if len(cards) <= NAMED else "all"
        command = ["bench", "run", "--models", names, "--tasks", ",".join(choice.tasks), "--latency"]
        gaps.append((f"{counted(len(cards), 'model')} without a run", shlex.join(command)))
    return gaps


def _gap(what: str, members: Sequence[tuple[Candidate, tuple[str, ...]]]) -> tuple[str, str]:
    """A gap of several models whose commands differ in the model alone."""
    first, words = members[0]
    if len(members) > NAMED:
        models = f"{len(members)} models; this is for the first {NAMED}"
    else:
        models = join([candidate.name for candidate, _ in members])
    names = dict.fromkeys(candidate.first.model_name for candidate, _ in members[:NAMED])
    joined = [",".join(names) if word == first.first.model_name else word for word in words]
    return f"{what} {models}", shlex.join(joined)


def _gaps(choice: Choice) -> Iterator[tuple[str, Candidate, tuple[str, ...]]]:
    """ "latency of" or "task medqa with", the model that lacks it, and the words of the command."""
    tasks, machine = tuple(choice.tasks), choice.limits.machine
    for each in choice.unclear:
        candidate = each.candidate
        costs = [word for word in each.unknown if word not in ("energy", LANGUAGES)]
        elsewhere = tuple(task for task in tasks if task not in candidate.costs)
        if costs:
            words = command_words(candidate, elsewhere or tasks, fresh=bool(elsewhere))
            yield f"{join(costs)}{_on_this(machine)} of", candidate, words
    for each in choice.holes:
        lacking = each.lacks(tasks)
        noun = "task" if len(lacking) == 1 else "tasks"
        yield f"{noun} {_listed(lacking)} with", each, command_words(each, lacking, fresh=False)


def _nothing(choice: Choice) -> str:
    tasks, limited = tuple(choice.tasks), describe_limits(choice.limits)
    where = tasks[0] if len(tasks) == 1 else "both tasks" if len(tasks) == 2 else f"all {len(tasks)} tasks"
    if choice.beyond or choice.unclear:
        reason = _reason(choice)
        return f"Nothing was measured on {where} {limited}{': ' if reason else ''}{reason}."
    missing = [task for task in tasks if all(task not in each.rows for each in choice.holes)]
    rest = f"; of {_listed(missing)}, there is no run of a model" if choice.holes and missing else ""
    return f"No model was measured on {where}{rest}."


def _reason(choice: Choice) -> str:
    """ "no model's latency was measured": why nothing fits, where measuring one thing may help; else ""."""
    unknown = {each.unknown for each in choice.unclear}
    if choice.fitting or len(unknown) != 1 or LANGUAGES in choice.unclear[0].unknown:
        return ""
    what, here = join(choice.unclear[0].unknown), _on_this(choice.limits.machine)
    if not choice.beyond:
        return f"no model's {what} was measured{here}"
    over = f"{counted(len(choice.beyond), 'model')} {'is' if len(choice.beyond) == 1 else 'are'} over a limit"
    return f"{over}, and the {what} of {len(choice.unclear):,} was not measured{here}"


def _bar(choice: Choice) -> str:
    """What a model has to be better than to be of use."""
    return "guessing and the best baseline" if choice.baselines else "guessing"


def _measured(limits: Limits) -> str:
    limited = describe_limits(limits)
    return f"measured {limited}" if limited else "measured"


def _on_this(machine: str) -> str:
    return " on this machine" if machine else ""


def _name(scored: Scored) -> str:
    return scored.candidate.name


def _with_needs(scored: Scored) -> str:
    needs = describe_needs(scored.candidate.needs)
    return f"{_name(scored)}, which needs {needs}" if needs else _name(scored)


def _listed(names: Sequence[str]) -> str:
    """The first of the names, and how many more there are."""
    shown = _first(names)
    rest = len(names) - len(shown)
    return join([*shown, f"{rest:,} more"] if rest else shown)


def _first(names: Sequence[str]) -> list[str]:
    """As many of the names as a line names."""
    shown: list[str] = []
    room = ROOM
    for name in names[:NAMED]:
        room -= len(name)
        if not shown or room >= 0:
            shown.append(name)
    return shown


def _others(choice: Choice) -> Iterator[str]:
    match choice.answer:
        case CheapestOfBest(others=others, unproven=unproven):
            if others:
                yield f"Cannot be told apart from it: {_costs(others)}."
            if unproven:
                what = f"May be as good, but not shown to be better than {_bar(choice)}"
                yield f"{what}: {_costs(unproven)}."
        case _:
            pass


def _costs(models: Sequence[Scored]) -> str:
    return _listed(
        [f"{_name(each)} ({describe_costs(each.candidate.needs) or 'cost unknown'})" for each in models]
    )


def _closest(choice: Choice) -> Iterator[str]:
    """The best of those that are of no use."""
    match choice.answer:
        case UseNone(best=best):
            yield f"The best of {len(choice.fitting)} is {_name(best)}, {way(best.score)}."
        case _:
            pass


def _headroom(choice: Choice) -> list[str]:
    match choice.answer:
        case OneBest(chosen=chosen) | CheapestOfBest(chosen=chosen):
            return describe_headroom(chosen.candidate, choice.limits)
        case _:
            return []


def _price(choice: Choice) -> Iterator[str]:
    price, limited = choice.price, describe_limits(choice.limits)
    if price:
        shown = price.difference > price.margin
        what = "Your limits cost" if shown else "These questions do not show that your limits cost anything:"
        amount = f"{_points(price.difference)} points (±{_points(price.margin)})"
        yield f"{what} {amount} against {_with_needs(price.best)}."
    elif limited and isinstance(choice.answer, OneBest | CheapestOfBest) and _best_fits(choice):
        yield "Your limits cost nothing: the best of all measured models is within them."


def _best_fits(choice: Choice) -> bool:
    """Whether no model has a higher score than the best that fits, be it of use or not."""
    most = choice.fitting[0].score
    return all(each.score <= most for each in (*choice.beyond, *choice.unclear))


def _points(value: float) -> str:
    return points(value).lstrip("+")


def _change(choice: Choice) -> Iterator[str]:
    """What would change the answer: what the next better model needs."""
    is_chosen = isinstance(choice.answer, OneBest | CheapestOfBest)
    better = "significantly better" if is_chosen else f"significantly better than {_bar(choice)}"
    if choice.better:
        missing = _not_known(choice.better, choice.limits.machine)
        name = f"{_name(choice.better)} ({missing})" if missing else _name(choice.better)
        yield f"To get a model that is {better}, allow {join(choice.better.over)}: {name}."
    elif choice.beyond:
        yield f"No model over the limits is {better}."


def _detectable(choice: Choice) -> Iterator[str]:
    if choice.detectable is not None:
        yield (
            f"These questions usually show differences of at least {_points(choice.detectable)} points "
            "(100 points are from guessing to all right)."
        )


def _clusters(choice: Choice) -> Iterator[str]:
    if choice.clustered:
        yield of_clusters(choice.clustered)


def _machines(choice: Choice) -> Iterator[str]:
    machine, number = choice.limits.machine, len(choice.machines)
    if machine and number:
        yield f"Memory, times and energy are those measured on this machine: {machine}."
    elif machine:
        yield f"Memory, times and energy are unknown: no run of these tasks is from this machine, {machine}."
    elif number > 1:
        names = _first(choice.machines)
        listed = "; ".join(names if len(names) == number else [*names, f"{number - len(names)} more"])
        yield (
            f"Memory and times are from {number} machines and cannot be compared ({listed}); choose one of "
            "them by --machine."
        )


def _outside(choice: Choice) -> Iterator[str]:
    each = [f"{_name(scored)} ({join(scored.over)})" for scored in choice.beyond]
    each += [f"{candidate.name} ({join(words)})" for candidate, words in choice.excluded]
    if each:
        yield f"Over the limits: {_listed(each)}."
    if choice.unclear and not _reason(choice):
        each = [f"{_name(scored)} ({_not_known(scored, choice.limits.machine)})" for scored in choice.unclear]
        yield f"Not known to be within the limits: {_listed(each)}."


def _not_known(scored: Scored, machine: str) -> str:
    """ "latency not measured on this machine and languages not stated in its card"."""
    costs = [word for word in scored.unknown if word != LANGUAGES]
    words = [f"{join(costs)} not measured{_on_this(machine)}"] if costs else []
    if LANGUAGES in scored.unknown:
        words.append(f"{LANGUAGES} not stated in its card")
    return join(words)


def _leaks(choice: Choice) -> Iterator[str]:
    """The models that had practice for a task which others had not."""
    names = [_name(each) for each in choice.fitting if any(row.leak for row in each.candidate.rows.values())]
    if names:
        yield f"{LEAK.capitalize()}: {_listed(names)}."
