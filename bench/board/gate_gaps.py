"""What a model was measured to need, and what was not measured, with the command that measures it. Pure."""

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.board.board import TaskBoard
from bench.board.candidates import Candidate, candidates, command_words, hardware, held_to
from bench.board.gate_names import Subject, Unmeasured
from bench.board.limits import Limits, Needs, join, over, unknown

_NOTHING = Needs(None, None, None, None, None, "")


@dataclass(frozen=True, slots=True)
class Gap:
    """What was not measured, in words, and the command that measures it; "" where no command does."""

    what: str
    command: str


@dataclass(frozen=True, slots=True)
class Spent:
    """What a model was measured to need on `machines`, and what of it is over a limit, in words."""

    needs: Needs
    over: tuple[str, ...]
    machines: tuple[str, ...]


def lacking(model: Subject, tasks: Sequence[str], tables: Mapping[str, TaskBoard]) -> tuple[Gap, ...]:
    """What a model lacks of the tasks, with why its runs do not count where it has some."""
    if isinstance(model, Unmeasured):
        return (Gap(f"{model.name} has no run{_apart(model.name, tasks, tables)}", model.command),)
    if not (missing := model.lacks(tuple(tasks))):
        return ()
    why = _apart(model.first.cell.model.name, missing, tables)
    return (
        Gap(
            f"{model.name} lacks {join(missing)}{why}", shlex.join(command_words(model, missing, fresh=False))
        ),
    )


def _apart(name: str, tasks: Sequence[str], tables: Mapping[str, TaskBoard]) -> str:
    """Why runs of the model are set apart, and which failed; "" where there is none."""
    card = name.partition("/")[0]
    shown = [tables[task] for task in tasks if task in tables]
    reasons = [row.apart for table in shown for row in table.apart if row.result.cell.model.name == card]
    reasons += ["one failed" for table in shown for each in table.failures if each.result.model_name == card]
    return f" that counts ({'; '.join(dict.fromkeys(reasons))})" if reasons else ""


def spent(
    limits: Limits,
    model: Subject,
    tasks: Sequence[str],
    tables: Mapping[str, TaskBoard],
    machines: Collection[str],
) -> tuple[Spent | None, tuple[Gap, ...]]:
    """What a model needed on the tasks, and what of it limits ask for and was not measured.

    Only runs on the machines count; the size on disk and the licence are the same on all of them.
    """
    gaps = lacking(model, tasks, tables)
    if isinstance(model, Unmeasured):
        return None, gaps
    here = _limited(model, tables, machines)
    fixed = {"disk": model.needs.disk, "licence": model.needs.licence}
    needs = replace(here.needs if here else _NOTHING, **fixed)
    measured = [task for task in tasks if task in model.rows]
    elsewhere = measured if here is None else here.lacks(measured)
    missing = unknown(needs, limits)
    if elsewhere and replace(limits, disk=None, licence="") != Limits():
        place = join(sorted(machines)) or "this machine"
        gaps += (
            Gap(
                f"{model.name} on {place}",
                f"{shlex.join(command_words(model, elsewhere, fresh=True))} (on that machine)",
            ),
        )
    elif missing == ("energy",):
        gaps += (Gap(f"{model.name}, energy{_energy_note(model)}", ""),)
    elif missing:
        gaps += (
            Gap(f"{model.name}, {join(missing)}", shlex.join(command_words(model, measured, fresh=False))),
        )
    held = replace(held_to(here, limits).needs, **fixed) if here else needs
    return Spent(held, over(held, limits), tuple(sorted(here.machines if here else ()))), gaps


def _limited(
    model: Candidate, tables: Mapping[str, TaskBoard], machines: Collection[str]
) -> Candidate | None:
    """The model with its runs on the tables' tasks and these machines only; None where it has none."""
    ids = {row.result.cell.id for row in model.rows.values()}

    def kept(table: TaskBoard) -> TaskBoard:
        measured = ((row, each) for row in table.rows if row.result.cell.id in ids for each in row.measured)
        kept = ((row, each) for row, each in measured if hardware(each.provenance) in machines)
        rows = (replace(row, run=replace(row.run, result=each, elsewhere=())) for row, each in kept)
        return replace(table, rows=tuple(rows))

    return next(iter(candidates([kept(table) for table in tables.values()])), None)


def _energy_note(model: Candidate) -> str:
    """Why energy could not be measured; "" where that is not known."""
    notes = [note for row in model.rows.values() if (note := row.result.cost.joules_note)]
    return f" ({notes[0]})" if notes else ""
