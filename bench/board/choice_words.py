"""A choice in words: the answer in a sentence, and the lines that support it. Pure."""

import shlex
from collections.abc import Iterator, Sequence

from bench.board.candidates import Candidate
from bench.board.choice import CheapestOfBest, Choice, NothingMeasured, OneBest, Scored, UseNone
from bench.board.descent import LEAK
from bench.board.limits import describe_limits, describe_needs, join
from bench.wording import counted, points

NAMED = 3
"""How many models a line names."""


def sentence(choice: Choice) -> str:
    """The answer."""
    within = describe_limits(choice.limits)
    number = len(choice.fitting)
    match choice.answer:
        case NothingMeasured():
            return _nothing(choice, within)
        case UseNone(bar=bar):
            fitting = f"that stays within {within}" if within else "measured"
            return f"Use none of these for this: no model {fitting} is significantly better than {bar}."
        case OneBest(chosen=chosen) if number == 1:
            return f"Use {_name(chosen)}: it is the only one{_measured(within)}, {way(chosen.score)}."
        case OneBest(chosen=chosen):
            return f"Use {_name(chosen)}: it is the best of {number}{_measured(within)}, {way(chosen.score)}."
        case CheapestOfBest(chosen=chosen, others=()):
            proven = "the only one shown to be better than guessing and the best baseline"
            return (
                f"Use {_name(chosen)}: of {number}{_measured(within)}, it is {proven}, {way(chosen.score)}."
            )
        case CheapestOfBest(chosen=chosen, others=others):
            return (
                f"Use {_name(chosen)}: of {number}{_measured(within)}, {len(others) + 1} may be the best and "
                f"cannot be told apart, and it is the cheapest of them, {way(chosen.score)}."
            )


def way(score: float) -> str:
    """0.33 -> "33 % of the way from guessing to all right"."""
    if score < 0:
        return "worse than guessing"
    return f"{score * 100:.0f}\u202f% of the way from guessing to all right"


def support(choice: Choice) -> list[str]:
    """The lines below the sentence, one fact each."""
    return [
        *_others(choice),
        *_closest(choice),
        *_price(choice),
        *_change(choice),
        *_detectable(choice),
        *_machines(choice),
        *_leaks(choice),
        *_outside(choice),
    ]


def to_measure(choice: Choice) -> list[tuple[str, str]]:
    """What was not measured, each with the command that measures it."""
    tasks = tuple(choice.tasks)
    gaps = [
        (f"{each.candidate.name}, {join(each.unknown)}", _command(each.candidate, tasks))
        for each in choice.unclear
        if each.unknown != ("energy",)
    ]
    gaps += [
        (f"{each.name} lacks {_listed(each.lacks(tasks))}", _command(each, each.lacks(tasks)))
        for each in choice.holes
    ]
    if cards := choice.unmeasured:
        names = ",".join(card.name for card in cards) if len(cards) <= NAMED else "all"
        command = ["bench", "run", "--models", names, "--tasks", ",".join(tasks), "--latency"]
        gaps.append((f"{counted(len(cards), 'model')} without a run", shlex.join(command)))
    return gaps


def _nothing(choice: Choice, within: str) -> str:
    tasks = tuple(choice.tasks)
    where = tasks[0] if len(tasks) == 1 else f"all {len(tasks)} tasks ({_listed(tasks)})"
    if choice.beyond or choice.unclear:
        return f"Nothing that was measured on {where} is known to stay within {within}."
    missing = [task for task in tasks if all(task not in each.rows for each in choice.holes)]
    rest = f"; of {_listed(missing)}, there is no run of a model" if choice.holes and missing else ""
    return f"No model was measured on {where}{rest}."


def _measured(within: str) -> str:
    return f" measured within {within}" if within else " measured"


def _name(scored: Scored) -> str:
    return scored.candidate.name


def _with_needs(scored: Scored) -> str:
    needs = describe_needs(scored.candidate.needs)
    return f"{_name(scored)}, which needs {needs}" if needs else _name(scored)


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - NAMED
    return join([*names[:NAMED], f"{rest} more"] if rest > 0 else names)


def _others(choice: Choice) -> Iterator[str]:
    match choice.answer:
        case CheapestOfBest(others=others, unproven=unproven):
            if others:
                yield f"Cannot be told apart from it: {_costs(others)}."
            if unproven:
                what = "May be as good, but is not shown to be better than guessing and the best baseline"
                yield f"{what}: {_costs(unproven)}."
        case _:
            pass


def _costs(models: Sequence[Scored]) -> str:
    return _listed(
        [f"{_name(each)} ({describe_needs(each.candidate.needs) or 'cost unknown'})" for each in models]
    )


def _closest(choice: Choice) -> Iterator[str]:
    """The best of those that are of no use."""
    match choice.answer:
        case UseNone(best=best):
            yield f"The best of {len(choice.fitting)} is {_name(best)}, {way(best.score)}."
        case _:
            pass


def _price(choice: Choice) -> Iterator[str]:
    price, limited = choice.price, describe_limits(choice.limits)
    if price:
        amount = f"{points(price.difference).lstrip('+')} points (±{100 * price.margin:.1f})"
        yield f"Your limits cost {amount} against {_with_needs(price.best)}."
    elif limited and isinstance(choice.answer, OneBest | CheapestOfBest):
        yield "Your limits cost nothing: the best of all measured models is within them."


def _change(choice: Choice) -> Iterator[str]:
    """What would change the answer."""
    if choice.better:
        has = isinstance(choice.answer, NothingMeasured)
        what = "The cheapest that is of use" if has else "The answer would change for"
        yield f"{what}{' is' if has else ''} {_name(choice.better)}, with {join(choice.better.over)}."
    elif describe_limits(choice.limits) and choice.beyond and not isinstance(choice.answer, NothingMeasured):
        yield "No model over the limits is significantly better."


def _detectable(choice: Choice) -> Iterator[str]:
    if choice.detectable is not None:
        yield (
            f"These questions usually show differences of at least {100 * choice.detectable:.1f} points "
            "(100 points are from guessing to all right)."
        )


def _machines(choice: Choice) -> Iterator[str]:
    if len(choice.machines) > 1:
        yield (
            f"Costs are from {len(choice.machines)} machines ({'; '.join(choice.machines)}); to compare "
            "them, run all models on one of these."
        )


def _outside(choice: Choice) -> Iterator[str]:
    if choice.beyond:
        each = [f"{_name(scored)} ({join(scored.over)})" for scored in choice.beyond]
        yield f"Over the limits: {_listed(each)}."
    if choice.unclear:
        each = [f"{_name(scored)} ({join(scored.unknown)} not measured)" for scored in choice.unclear]
        yield f"Not known to be within the limits: {_listed(each)}."


def _leaks(choice: Choice) -> Iterator[str]:
    """The models that had practice for a task which others had not."""
    names = [_name(each) for each in choice.fitting if any(row.leak for row in each.candidate.rows.values())]
    if names:
        yield f"{LEAK.capitalize()}: {_listed(names)}."


def _command(candidate: Candidate, tasks: Sequence[str]) -> str:
    """The command of one of its runs, with other tasks, and with latency; an import is not changed."""
    if candidate.first.imported:
        return candidate.first.cell.command
    words = [word for word in shlex.split(candidate.first.cell.command) if word != "--fresh"]
    if "--tasks" in words:
        words[words.index("--tasks") + 1] = ",".join(tasks)
    return shlex.join([*words, *(() if "--latency" in words else ("--latency",))])
