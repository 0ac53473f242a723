"""The rows of a split -> its items, by the task's rules for odd rows, or all the split's mistakes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from bench.errors import FileError, Mistake
from bench.inputs.answers import counts_from_one, settle
from bench.inputs.distinct import PlacedError, distinct
from bench.inputs.draw import draw
from bench.inputs.odd_rows import OddKind, refusal
from bench.inputs.readers import Place, PlacedRow
from bench.inputs.row_error import RowError
from bench.inputs.rows import Draft, answer_keys, finish, key_of, read_row
from bench.inputs.task_data import Reading, Sample
from bench.inputs.where import Where
from bench.types import Item
from bench.wording import counted

_NO_ID = "; correct one of them, or leave out data.columns.id to number all rows"
Part = tuple[str, Iterable[PlacedRow]]
"""A configuration of a data set, "" where there is only one, and its rows."""


@dataclass(frozen=True, slots=True)
class ReadItem:
    """An item, where its row is, and what is odd about it."""

    item: Item
    place: Place
    odd: tuple[OddKind, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadSplit:
    """The items of a split in the order of their rows, the odd rows that were dropped, and warnings.

    `listed` is the number of questions that have all their options in their text.
    """

    items: tuple[ReadItem, ...]
    dropped: tuple[OddKind, ...]
    notes: tuple[str, ...]
    listed: int


@dataclass(frozen=True, slots=True)
class _Drafted:
    place: Place
    draft: Draft
    config: str


def read_items(name: str, parts: Sequence[Part], reading: Reading, where: Where, source: str) -> ReadSplit:
    """Read the rows of a split; raises a FileError with the mistakes of all rows.

    `source` names the split in messages, and rows without ids are numbered after `name`.
    """
    mistakes: list[PlacedError] = []
    dropped: list[OddKind] = []
    drafts = list(_drafts(name, parts, reading, where, mistakes, dropped))
    items = list(_finished(drafts, reading, mistakes, dropped))
    mistakes.sort(key=lambda placed: (placed[0].file, placed[0].line))
    wrong = distinct(mistakes) + [Mistake(source, 0, key, text) for key, text in where.problems()]
    if not wrong and not items:
        text = f"split '{name}' has no items: no row was read, or none is left by data.where and data.rows"
        wrong = [Mistake(source, 0, "", text)]
    if not wrong:
        wrong = [Mistake(source, 0, "data.configs", text) for text in _without_items(name, parts, drafts)]
    if not wrong and all("uncut_questions" in read.odd for read in items):
        wrong = [Mistake(source, 0, "data.question_until", f"no question has '{reading.question_until}'")]
    if wrong:
        raise FileError(wrong)
    listed = sum(all(option in read.item.question for option in read.item.options) for read in items)
    return ReadSplit(tuple(items), tuple(dropped), tuple(_notes(drafts, reading)), listed)


def _without_items(name: str, parts: Sequence[Part], drafts: Sequence[_Drafted]) -> Iterator[str]:
    """Configurations of which no row counts: the data set may spell there what `where` asks for."""
    have = {drafted.config for drafted in drafts}
    for config, _ in parts:
        if config not in have:
            has = f"split '{name}' of configuration '{config}' has no items"
            yield f"{has}; leave it out, or correct data.where"


def sample(items: Sequence[ReadItem], wanted: Sample) -> tuple[ReadItem, ...]:
    """A seeded draw of the items, in their order; all of them where there are no more."""
    drawn = {item.id for item in draw([read.item for read in items], wanted.items, wanted.seed)}
    return tuple(read for read in items if read.item.id in drawn)


def sample_notes(there: int, wanted: Sample) -> Iterator[str]:
    """How many of the questions that are there were drawn, and a warning where they are too few."""
    if wanted.items < there:
        yield f"{wanted.items:,} of {there:,} questions, drawn by seed {wanted.seed} (data.sample)"
    elif wanted.items > there:
        yield (
            f"only {counted(there, 'question')}, all of them taken: data.sample asks for {wanted.items:,}; "
            "lower data.sample.items, or leave out data.sample"
        )


def _drafts(
    name: str,
    parts: Sequence[Part],
    reading: Reading,
    where: Where,
    mistakes: list[PlacedError],
    dropped: list[OddKind],
) -> Iterator[_Drafted]:
    """The rows that count, each but for its answer; what is wrong or left out goes to the two lists."""
    number = 0
    for config, rows in parts:
        for place, row in rows:
            try:
                if isinstance(row, RowError):
                    raise row
                if where.keeps(row):
                    draft = read_row(row, reading, f"{name}-{number:05d}")
                    yield _Drafted(place, _of_config(draft, config, reading), config)
            except RowError as error:
                _sort_out(place, error, reading, mistakes, dropped)
            number += 1


def _of_config(draft: Draft, config: str, reading: Reading) -> Draft:
    """The draft with its configuration as group, and ids that no other configuration has."""
    if not config:
        return draft
    group = draft.group if reading.columns.group else config
    return replace(draft, group=group, id=f"{config}-{draft.id}" if reading.columns.id else draft.id)


def _finished(
    drafts: Sequence[_Drafted], reading: Reading, mistakes: list[PlacedError], dropped: list[OddKind]
) -> Iterator[ReadItem]:
    places: dict[str, Place] = {}
    contents: set[str] = set()
    answers = settle([drafted.draft.answer for drafted in drafts])
    for drafted, answer in zip(drafts, answers, strict=True):
        place = drafted.place
        try:
            item, odd = finish(drafted.draft, answer, reading.columns.answer)
            if item.id in places:
                text = f"'{item.id}' is also the id of line {places[item.id].line}{_NO_ID}"
                raise RowError(reading.columns.id or "id", text)
            content = content_of(item)
            if content in contents:
                odd = (*odd, "repeated_questions")
            places[item.id] = place
            contents.add(content)
            for kind in odd:
                if reading.rows.of(kind) in ("refuse", "drop"):
                    raise RowError(key_of(kind, reading.columns), "", kind)
        except RowError as error:
            _sort_out(place, error, reading, mistakes, dropped)
        else:
            yield ReadItem(item, place, odd)


def _sort_out(
    place: Place, error: RowError, reading: Reading, mistakes: list[PlacedError], dropped: list[OddKind]
) -> None:
    """A row that is left out: by a rule of the task, or because it is a mistake."""
    if error.kind and reading.rows.of(error.kind) == "drop":
        dropped.append(error.kind)
    elif error.kind:
        mistakes.append((place, RowError(error.key, refusal(error.kind))))
    else:
        mistakes.append((place, error))


def _notes(drafts: Sequence[_Drafted], reading: Reading) -> Iterator[str]:
    if counts_from_one([drafted.draft.answer for drafted in drafts], answer_keys(reading)):
        yield (
            f"the answers in {reading.columns.answer} are numbers, and none is 0: where they count from 1, "
            "write data.answer_from: 1; where they count from 0, write data.answer_from: 0"
        )


def content_of(item: Item) -> str:
    """A question, its options and its extra columns, for comparing items."""
    question = " ".join(item.question.casefold().split())
    return "\n".join([question, *sorted(item.options), *(str(extra) for extra in item.extra)])
