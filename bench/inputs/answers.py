"""What an answer in the data means: the option that it names, counts to or quotes.

An answer is read where it can mean one option only. Where it could mean several, the form that reads all
answers of the split decides; without one such form it is a mistake, and the task has to name the form.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from bench.errors import did_you_mean
from bench.inputs.row_error import RowError
from bench.inputs.task_data import AnswerForm

_NAME = re.compile(r"\s*\(?\s*(.*?)\s*[).:]?\s*", re.DOTALL)
"""A name and what may be written around it: "(B)", "b.", "B:"."""
_NUMBER = re.compile(r"\s*([+-]?\d{1,9})(?:\.0+)?\s*")
HIDDEN = -1
"""What data sets have where the right answer is not published; so is 0 where answers count from 1."""
_BOTH = re.compile(r"\s*\(?\s*(\w+)\s*[).:]\s*(.+)", re.DOTALL)
"""A name and a text: "B. the text of the second option"."""
_BETWEEN_NAMES = re.compile(r"[\s,;|/&+]+(?:and\s+)?")
_BETWEEN_NUMBERS = re.compile(r"\s*[,;|]\s*")
"""What stands between several names, and between several numbers."""
_AROUND = " ()[]."
_FORMS: tuple[AnswerForm, ...] = ("name", "index", "text")
Meanings = Mapping[AnswerForm, int]
"""For each form in which an answer can be read, the index of the option that it then means."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a row, before empty ones are left out.

    `lettered` is whether they have no names of their own, so that an answer may be their number.
    """

    names: tuple[str, ...]
    texts: tuple[str, ...]
    lettered: bool


@dataclass(frozen=True, slots=True)
class AnswerKeys:
    """The task's keys for answers: their column, the number of the first option, and the form."""

    column: str = "answer"
    start: int | None = None
    form: AnswerForm | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it was read: its meanings, its number where it is one, and the options."""

    value: object
    number: int | None
    meanings: Meanings
    options: Options


def read_answer(value: object, options: Options, keys: AnswerKeys) -> Answer:
    """Everything that an answer can mean; raises a RowError where it means no option."""
    text, number = _plain(value, keys.column)
    forms: dict[AnswerForm, int | None] = {
        "name": _by_name(text, options.names),
        "index": _by_index(number, options, keys.start or 0),
        "text": _by_text(text, options),
    }
    meanings: Meanings = {form: index for form, index in forms.items() if index is not None}
    if keys.form is not None:
        meanings = {form: index for form, index in meanings.items() if form == keys.form}
    elif keys.start is not None and "index" in meanings:
        meanings = {"index": meanings["index"]}
    if not meanings:
        if number is not None and number in ((HIDDEN, 0) if keys.start == 1 else (HIDDEN,)):
            raise RowError(keys.column, "no answer", "no_answer")
        if _names_several(text, options):
            raise RowError(keys.column, "several right answers", "several_answers")
        raise RowError(keys.column, _means_nothing(value, number, options, keys))
    return Answer(value, number, meanings, options)


def settle(answers: Sequence[Answer]) -> list[int | None]:
    """The index of the right option of each row of a split; None where it is not clear."""
    shared: list[AnswerForm] = [form for form in _FORMS if all(form in answer.meanings for answer in answers)]
    return [_settled(answer.meanings, shared) for answer in answers]


def _settled(meanings: Meanings, shared: Sequence[AnswerForm]) -> int | None:
    if len(set(meanings.values())) == 1:
        return next(iter(meanings.values()))
    indices = {meanings[form] for form in shared}
    return indices.pop() if len(indices) == 1 else None


def unclear(answer: Answer, options: Options, column: str) -> RowError:
    """The mistake of an answer that could mean several options."""
    words = {"name": "the name of", "index": "the number (from 0) of", "text": "the text of"}
    could = " or ".join(
        f"{words[form]} the option '{options.texts[index]}'" for form, index in answer.meanings.items()
    )
    text = f"{answer.value!r} could be {could}; write data.answer_form: {' or '.join(answer.meanings)}"
    return RowError(column, text)


def counts_from_one(answers: Sequence[Answer], keys: AnswerKeys) -> bool:
    """Whether the answers of a split may count from 1 and were read otherwise.

    That is so where they are numbers from 1 to the number of options, and the task does not say more.
    """
    if keys.start is not None or keys.form in ("name", "text"):
        return False
    numbers = [
        (answer.number, index, len(answer.options.names))
        for answer, index in zip(answers, settle(answers), strict=True)
        if answer.number is not None and answer.options.lettered
    ]
    fit = all(1 <= number <= count for number, _, count in numbers)
    return fit and any(index != number - 1 for number, index, _ in numbers)


def _plain(value: object, column: str) -> tuple[str, int | None]:
    """The answer as a text, and as a whole number where it is one."""
    if isinstance(value, (list, tuple)):
        values = cast("Sequence[object]", value)
        if len(values) > 1:
            raise RowError(column, f"{len(values)} right answers", "several_answers")
        value = values[0] if values else None
    if value is None or (isinstance(value, float) and math.isnan(value)):
        raise RowError(column, "no answer", "no_answer")
    if isinstance(value, bool):
        return str(value).lower(), None
    if not isinstance(value, (int, float, str)):
        raise RowError(column, f"expected a letter, a name, a number or an option's text, not {value!r}")
    text = str(value)
    if not text.strip():
        raise RowError(column, "no answer", "no_answer")
    number = _NUMBER.fullmatch(text)
    return (text, int(number[1])) if number else (text, None)


def _by_name(text: str, names: Sequence[str]) -> int | None:
    if text in names:
        return names.index(text)
    number = _NUMBER.fullmatch(text)
    wanted = str(int(number[1])) if number else _bare(text)
    return _only([i for i, name in enumerate(names) if _bare(name) == wanted])


def _bare(text: str) -> str:
    match = _NAME.fullmatch(text)
    return match[1].casefold() if match else text.casefold()


def _by_index(number: int | None, options: Options, start: int) -> int | None:
    if number is None or not options.lettered or not 0 <= number - start < len(options.names):
        return None
    return number - start


def _by_text(text: str, options: Options) -> int | None:
    exact = [i for i, option in enumerate(options.texts) if option.strip() == text.strip()]
    if exact:  # the right option may be there twice, for which there is a rule
        return exact[0]
    index = _only(_alike(text, options.texts))
    both = _BOTH.fullmatch(text) if index is None else None
    if both is None:
        return index
    named = _by_name(both[1], options.names)
    return named if named in _alike(both[2], options.texts) else None


def _alike(text: str, texts: Sequence[str]) -> list[int]:
    """The options with that text, if case and the number of spaces do not count."""
    wanted = text.casefold().split()
    return [i for i, option in enumerate(texts) if option.casefold().split() == wanted]


def _only(indices: Sequence[int]) -> int | None:
    return indices[0] if len(indices) == 1 else None


def _names_several(text: str, options: Options) -> bool:
    """Whether every part of the text is an option's name, or its number: "A, C", "AC", "0;2"."""
    if re.fullmatch(r"[A-Z]{2,}", text) and options.lettered:
        return set(text) <= set(options.names) and len(set(text)) == len(text)
    named = [_by_name(part, options.names) for part in _BETWEEN_NAMES.split(text.strip(_AROUND)) if part]
    counted = [_NUMBER.fullmatch(part) for part in _BETWEEN_NUMBERS.split(text)]
    return any(len(parts) > 1 and None not in parts for parts in (named, counted))


def _means_nothing(value: object, number: int | None, options: Options, keys: AnswerKeys) -> str:
    if isinstance(value, bool):
        remedy = "write data.columns.options: {fixed: {'true': TEXT, 'false': TEXT}}"
        return f"answer {value} names no option; where the options are yes and no, {remedy}"
    start, count = keys.start or 0, len(options.names)
    names = ", ".join(options.names)
    numbers = f"{start} to {count - 1 + start}" if options.lettered else ""
    if keys.form is not None:
        allowed = {"name": names, "index": numbers, "text": "the options' texts"}[keys.form]
        return f"answer {value!r} is out of range: {allowed} (data.answer_form: {keys.form})"
    either = f"{names} or {numbers}" if numbers else names
    text = f"answer {value!r} is out of range: {either}, or an option's text"
    if options.lettered and keys.start is None and number == count:
        return f"{text}; where answers count from 1, write data.answer_from: 1"
    return text + did_you_mean(str(value), options.names)
