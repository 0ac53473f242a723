"""Item -> the changed forms of it that a probe asks, or why it is left out."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from bench.inputs.task import Task
from bench.scoring.referring import refers_to_others
from bench.types import Item, ProbeName, Reads
from bench.views import LETTER

PROBES: tuple[ProbeName, ...] = ("order", "question", "nota")
CHOICES_ONLY = "options alone"
WITHOUT_RIGHT = "right option replaced"
REFER = "its options speak of one another"
ALIKE = "two of its options are the same"
NO_TEXT = "the task has no text for it in the questions' language (nota_text)"


@dataclass(frozen=True, slots=True)
class Changed:
    """A changed form of an item; `asked` says how it is changed."""

    asked: str
    item: Item


def rotation(item: Item, by: int) -> Changed:
    """The item with its options moved up by so many places; the first ones come last."""
    options = item.options[by:] + item.options[:by]
    answer = (item.answer - by) % len(options)
    return Changed(f"rotation {by}", replace(item, options=options, answer=answer))


def _rotations(item: Item, _task: Task) -> Iterator[Changed]:
    yield from (rotation(item, by) for by in range(1, len(item.options)))


def _options_alone(item: Item, _task: Task) -> Iterator[Changed]:
    """The item without its question, and with empty texts for the further ones that a prompt may show."""
    blank = tuple((name, "" if isinstance(extra, str) else ("",) * len(extra)) for name, extra in item.extra)
    yield Changed(CHOICES_ONLY, replace(item, question="", extra=blank))


def _without_right(item: Item, task: Task) -> Iterator[Changed]:
    options = (*item.options[: item.answer], task.nota_text, *item.options[item.answer + 1 :])
    yield Changed(WITHOUT_RIGHT, replace(item, options=options))


_FORMS: Mapping[ProbeName, Callable[[Item, Task], Iterator[Changed]]] = {
    "order": _rotations,
    "question": _options_alone,
    "nota": _without_right,
}


def changed_forms(item: Item, probe: ProbeName, task: Task) -> tuple[Changed, ...]:
    """The forms that a probe asks of an item; none where `reason_left_out` gives a reason."""
    return () if reason_left_out(item, probe, task) else tuple(_FORMS[probe](item, task))


def reason_left_out(item: Item, probe: ProbeName, task: Task) -> str:
    """Why an item is left out of a probe, "" where it is not: an option would mean something else."""
    if probe == "question":
        return ""
    if probe == "nota" and not task.nota_text:
        return NO_TEXT
    if any(refers_to_others(option, item.letters) for option in item.options):
        return REFER
    return ALIKE if len({option.strip() for option in item.options}) < len(item.options) else ""


def why_not(task: Task, reads: Reads, *, writes: bool) -> str:
    """Why probes do not apply to a run, "" where they do."""
    if reads == "item":
        return "a baseline reads no prompt, so a changed prompt cannot change its answer"
    if writes:
        return "the answers were written: probes compare the scores of letters"
    if task.scoring.view != LETTER.name:
        return f"the task ranks by '{task.scoring.view}': probes compare the scores of letters"
    return ""
