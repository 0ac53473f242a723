"""What a policy names: models, tasks, machines and licences, and what of it is not there. Pure."""

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.board.board import TaskBoard
from bench.board.candidates import Candidate, hardware, machines_of
from bench.board.limits import PERMISSIVE
from bench.board.policy import GUESSING, Costs, Policy, Requirement, reference_of
from bench.config import Location
from bench.errors import there_are

THIS_MACHINE = "this"
_ID_LENGTH = 6
"""From this many characters on, a name may be the beginning of a run's id."""


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """A model without a run that can be compared. `command` makes one."""

    name: str
    command: str


Subject = Candidate | Unmeasured


@dataclass(frozen=True, slots=True)
class Known:
    """What there is: `cards` and their `licences`, `tasks` with a file or runs, and this machine's name."""

    cards: Collection[str]
    licences: Collection[str]
    tasks: Collection[str]
    here: str


Problem = tuple[Location, str]
"""A key of the policy, and what is wrong with its value."""


def find(name: str, everyone: Sequence[Candidate], tasks: Sequence[str]) -> Subject | str:
    """The one model of that name; as a text what is wrong with the name, after "'NAME' ".

    `name` is a card's name, NAME/VARIANT or the beginning of a run's id. A model without a run is not wrong.
    """
    named = [each for each in everyone if name in (_card(each), full_name(each))]
    if not named and len(name) >= _ID_LENGTH:
        named = [each for each in everyone if any(i.startswith(name) for i in _ids(each))]
    if len(named) == 1:
        return named[0]
    if named:
        names = [full_name(each) for each in named]
        one_of = names if len(set(names)) == len(names) else [min(_ids(each))[:10] for each in named]
        return f"has {len(named)} variants; write one of {', '.join(sorted(one_of))}"
    card, _, variant = name.partition("/")
    if variants := [full_name(each) for each in everyone if _card(each) == card]:
        return f"has no run in the variant '{variant}'{there_are(name, variants)}"
    command = shlex.join(["bench", "run", "--models", card, "--tasks", ",".join(tasks), "--latency"])
    return Unmeasured(name, command)


def full_name(model: Candidate) -> str:
    """NAME/VARIANT."""
    return f"{_card(model)}/{model.first.cell.variant.slug}"


def _card(model: Candidate) -> str:
    return model.first.cell.model.name


def _ids(model: Candidate) -> list[str]:
    return [row.result.cell.id for row in model.rows.values()]


def problems(
    policy: Policy,
    weights: Mapping[str, float],
    tables: Sequence[TaskBoard],
    everyone: Sequence[Candidate],
    known: Known,
) -> Iterator[Problem]:
    """Everything in a policy that is not there or cannot be asked. `weights` are those of its tasks."""
    for task in weights:
        if task not in known.tasks:
            yield ("tasks", task), f"no task is named '{task}'{there_are(task, known.tasks)}"
    model = find(policy.model, everyone, tuple(weights))
    yield from _model_problems(("model",), policy.model, model, known)
    names = [requirement.name for requirement in policy.requirements]
    for number, requirement in enumerate(policy.requirements):
        here = "requirements", number
        if requirement.name in names[:number]:
            yield (*here, "name"), f"two requirements are named '{requirement.name}'; name each differently"
        key, name = reference_of(requirement)
        if key:
            reference = find(name, everyone, tuple(weights))
            yield from _model_problems((*here, key), name, reference, _others(key, known))
            if reference == model or name == policy.model:
                yield (*here, key), "is the model itself; name another one"
        yield from _requirement_problems(here, requirement, weights, known)
    yield from _machine_problems(policy, model, weights, tables, known)


def _others(key: str, known: Known) -> Known:
    """What may stand for another model: guessing, too, where a model may be better than it."""
    return replace(known, cards=[*known.cards, GUESSING]) if key == "better_than" else known


def _requirement_problems(
    here: Location, requirement: Requirement, weights: Mapping[str, float], known: Known
) -> Iterator[Problem]:
    if isinstance(requirement, Costs):
        licence, names = requirement.license, {"permissive", *PERMISSIVE, *known.licences}
        if licence and licence.casefold() not in {name.casefold() for name in names}:
            yield (*here, "license"), f"no model has the licence '{licence}'{there_are(licence, names)}"
        return
    for task in requirement.tasks or ():
        if task not in weights:
            yield (*here, "tasks"), f"'{task}' is no task of the policy{there_are(task, weights)}"
    for task in _repeated(requirement.tasks or ()):
        yield (*here, "tasks"), f"'{task}' is named twice"


def _repeated(names: Sequence[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if names.count(name) > 1]


def _model_problems(key: Location, name: str, model: Subject | str, known: Known) -> Iterator[Problem]:
    match model:
        case str():
            yield key, f"'{name}' {model}"
        case Unmeasured() if name.partition("/")[0] not in known.cards:
            yield key, f"no model is named '{name}'{there_are(name, known.cards)}"
        case _:
            pass


def _machine_problems(
    policy: Policy,
    model: Subject | str,
    weights: Mapping[str, float],
    tables: Sequence[TaskBoard],
    known: Known,
) -> Iterator[Problem]:
    names = machines_of(tables)
    chosen = chosen_machines(policy.machine, names, known.here)
    if not chosen and policy.machine not in ("", THIS_MACHINE):
        yield ("machine",), f"no run was made on '{policy.machine}'{there_are(policy.machine, names)}"
    limited = [each for each in policy.requirements if isinstance(each, Costs) and each.depend_on_machine]
    if not limited or not isinstance(model, Candidate):
        return
    rows = [row for task, row in model.rows.items() if task in weights]
    used = {hardware(result.provenance) for row in rows for result in row.measured}
    if len(used & chosen) > 1:
        what = f"{model.name} was run on {len(used & chosen)} machines ({'; '.join(sorted(used & chosen))})"
        yield (
            ("machine",),
            f"{what}, and '{limited[0].name}' limits what it needs: write machine: and one of them",
        )


def chosen_machines(name: str, names: Collection[str], here: str) -> frozenset[str]:
    """The machine of that name, else those with it as a part of their names; "" for all, and `this` is here.

    `here` is the name of this machine without its accelerator.
    """
    if name == THIS_MACHINE:
        return frozenset(each for each in names if each == here or each.startswith(f"{here}, "))
    if name in names:
        return frozenset({name})
    return frozenset(each for each in names if name.casefold() in each.casefold())
