"""What `bench run` prints about models and tasks that are missing on this machine, or gated."""

from collections.abc import Iterable, Iterator, Sequence

import click

from bench.cells.plan import Missing
from bench.errors import LISTED
from bench.inputs.cards import AnyCard
from bench.inputs.gated import REMEDY, has_token, models_that_need_a_token
from bench.inputs.weights import on_this_machine


def show_missing(missing: Sequence[Missing]) -> None:
    """Print what is missing on this machine and how to get it, one line for each reason."""
    groups: dict[tuple[str, bool, bool], list[Missing]] = {}
    for gap in missing:
        key = gap.general, bool(gap.model), bool(gap.task)
        groups.setdefault(key, []).append(gap)
    for (general, _, _), gaps in sorted(groups.items()):
        reasons = {gap.reason for gap in gaps}
        reason = reasons.pop() if len(reasons) == 1 else general
        for models, tasks in _subjects(gaps):
            subject = " on ".join(filter(None, [_listed("model", models), _listed("task", tasks)]))
            click.echo(f"unavailable: {subject}: {reason}; {_remedy(gaps)}", err=True)


def _subjects(gaps: Sequence[Missing]) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """Which models lack which tasks: tasks of the same models are together."""
    models_of: dict[str, set[str]] = {}
    for gap in gaps:
        models_of.setdefault(gap.task, set()).add(gap.model)
    tasks_of: dict[tuple[str, ...], list[str]] = {}
    for task, models in sorted(models_of.items()):
        tasks_of.setdefault(tuple(sorted(models)), []).append(task)
    yield from tasks_of.items()


def _listed(noun: str, names: Iterable[str]) -> str:
    """("model", ["a", "b"]) -> "2 models (a, b)"; the empty name is none."""
    known = [name for name in names if name]
    if len(known) < 2:
        return f"{noun} {known[0]}" if known else ""
    more = f" and {len(known) - LISTED} more" if len(known) > LISTED else ""
    return f"{len(known)} {noun}s ({', '.join(known[:LISTED])}{more})"


def _remedy(gaps: Sequence[Missing]) -> str:
    """A remedy for all of them, else the first one's."""
    remedies = [gap.remedy for gap in sorted(gaps, key=lambda gap: (gap.model, gap.task))]
    shortest = min(remedies, key=len)
    return shortest if all(shortest in remedy for remedy in remedies) else f"{remedies[0]}, and so on"


def show_gated(cards: Sequence[AnyCard], *, offline: bool) -> None:
    """Print which models are to be downloaded with a token, and whether this machine has one.

    Without a token, `show_missing` names them, unless the hub is not asked at all.
    """
    names = models_that_need_a_token(cards, on_this_machine)
    if not names or not (offline or has_token()):
        return
    if has_token():
        text = "this machine's token is used, and its account must have accepted the terms of each"
    else:
        text = f"this machine has no token; {REMEDY}"
    click.echo(f"gated: {_listed('model', names)}: {text}", err=True)
