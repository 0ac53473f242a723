"""A task's exemplars: chosen from its split as the task or the run says, and described in words."""

from collections.abc import Sequence

from bench.config import line_of
from bench.errors import FileError, Mistake, did_you_mean
from bench.folders import display
from bench.inputs.data import Split
from bench.inputs.prompts import ChosenExemplars, Exemplars, choose_exemplars
from bench.inputs.task import Task, TaskFile
from bench.types import Item

NAMED = 10
"""How many ids of a split a message names."""


def task_exemplars(
    file: TaskFile, tested: Sequence[Item], split: Split, count: int, seed: int, choice: ChosenExemplars
) -> Exemplars:
    """`count` exemplars of the split for each of the `tested` items, all of the test split.

    Raises a FileError where the task names an exemplar that the split does not have, and Unavailable where
    there are too few.
    """
    if isinstance(choice, tuple):
        _check_ids(file, split, choice)
    within = file.task.exemplars_within == "group"
    return choose_exemplars(split.items, count, seed, choice, within=within, tested=tested)


def _check_ids(file: TaskFile, split: Split, ids: Sequence[str]) -> None:
    known = [item.id for item in split.items]
    line = line_of(file.path, ("exemplar_choice",))
    more = f" and {len(known) - NAMED} more" if len(known) > NAMED else ""
    mistakes = [
        Mistake(
            display(file.path),
            line,
            "exemplar_choice",
            f"split '{split.name}' has no item '{name}'{did_you_mean(name, known)}; "
            f"its ids are {', '.join(known[:NAMED])}{more}",
        )
        for name in ids
        if name not in known
    ]
    if mistakes:
        raise FileError(mistakes)


def describe_exemplars(task: Task) -> str:
    """Which exemplars a task shows, in words; "" where it shows none."""
    count, split = task.exemplars, task.data.splits.exemplars
    if not count:
        return ""
    where = f"of the {split} split" + (" with the question's group" if task.exemplars_within else "")
    match task.exemplar_choice:
        case "fixed":
            return f"{count} {where}, drawn by the seed, the same for every question"
        case "per_question":
            return f"{count} {where}, drawn by the seed for each question"
        case "first":
            return f"the first {count} {where}"
        case "lm_eval" | "lm_eval_spare":
            return f"{count} {where}, drawn for each question as lm-evaluation-harness draws them"
        case ids:
            names = ids if task.exemplars_within else ids[:count]
            return f"{', '.join(names)} {where}, in this order"
