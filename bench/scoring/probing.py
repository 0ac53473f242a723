"""Item -> the changed forms of it that a probe asks, or why it is left out."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from bench.inputs.task import Task
from bench.types import Item, ProbeName, Reads
from bench.views import LETTER

PROBES: tuple[ProbeName, ...] = ("order", "question", "nota")
NOTA = "None of the other answers"
CHOICES_ONLY = "options alone"
WITHOUT_RIGHT = "right option replaced"
REFER = "its options speak of one another"

_AND = r"(?:and|or|&|y|o|et|ou|und|oder)"
_LETTER = r"(?-i:\(?[A-Z]\)?)"
_LETTERS = rf"{_LETTER}(?: ?, ?{_LETTER})*,? {_AND} {_LETTER}"
_OTHERS = (
    "above|below|others?|other (?:answers|options|choices)|following|preceding|previous|these|those|them"
)
_ANSWERS, _ENDS = "options?|answers?|choices?", "only|alone|above|are correct"
_REFERRING = re.compile(
    "|".join(
        (
            rf"^\W*(?:both|either|neither|only)?\W*(?:{_ANSWERS})?\W*{_LETTERS}\W*(?:{_ENDS})?\W*$",
            rf"\b(?:all|both|either|neither|none|any|two|three) (?:of )?(?:the )?(?:{_OTHERS})\b",
            r"^\W*(?:all|none|both|neither|either)\W*$",
            r"\b(?:todas|todos|ningun[oa]|ambas|ambos)(?: de)?(?: l[ao]s)? (?:anteriores|demás|otr[ao]s)\b",
            r"\b(?:toutes|tous|aucune?)(?: de)?(?: ces| les)? (?:autres|réponses|propositions|ci-dessus)\b",
            r"\b(?:alle|keine|beide)(?: der| die)? (?:genannten|obigen|anderen)\b",
        )
    ),
    re.IGNORECASE,
)


def refers_to_others(option: str) -> bool:
    """Whether an option speaks of other ones or of letters, as "all of the above" and "A and C" do.

    By words in English, Spanish, French and German.
    """
    return _REFERRING.search(option.strip()) is not None


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


def _rotations(item: Item) -> Iterator[Changed]:
    yield from (rotation(item, by) for by in range(1, len(item.options)))


def _options_alone(item: Item) -> Iterator[Changed]:
    """The item without its question and without the further texts that a prompt may show."""
    blank = tuple((name, "" if isinstance(extra, str) else ()) for name, extra in item.extra)
    yield Changed(CHOICES_ONLY, replace(item, question="", extra=blank))


def _without_right(item: Item) -> Iterator[Changed]:
    options = (*item.options[: item.answer], NOTA, *item.options[item.answer + 1 :])
    yield Changed(WITHOUT_RIGHT, replace(item, options=options))


_FORMS: Mapping[ProbeName, Callable[[Item], Iterator[Changed]]] = {
    "order": _rotations,
    "question": _options_alone,
    "nota": _without_right,
}


def changed_forms(item: Item, probe: ProbeName) -> tuple[Changed, ...]:
    """The forms that a probe asks of an item; none where `reason_left_out` gives a reason."""
    return () if reason_left_out(item, probe) else tuple(_FORMS[probe](item))


def reason_left_out(item: Item, probe: ProbeName) -> str:
    """Why an item is left out of a probe, "" where it is not: an option would mean something else."""
    if probe != "question" and any(map(refers_to_others, item.options)):
        return REFER
    return ""


def why_not(task: Task, reads: Reads, *, writes: bool) -> str:
    """Why probes do not apply to a run, "" where they do."""
    if reads == "item":
        return "a baseline reads no prompt, so a changed one says nothing of it"
    if writes:
        return "the answers were written: probes compare the scores of letters"
    if task.scoring.view != LETTER.name:
        return f"the task ranks by '{task.scoring.view}': probes compare the scores of letters"
    return ""
