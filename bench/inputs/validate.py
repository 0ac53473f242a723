"""Checking a task without a model: all mistakes in its data and prompts at once."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.config import line_of
from bench.errors import BenchError, FileError, Mistake, Unavailable
from bench.folders import display
from bench.inputs.data import Split, load_split, shared_questions
from bench.inputs.items import content_of
from bench.inputs.prompts import choose_exemplars, render
from bench.inputs.task import TaskFile, read_task
from bench.inputs.task_data import Role
from bench.types import Item

UNBALANCED = 1.5
"""Warn when the most common letter has more than this many times an even share of the answers."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A task without mistakes.

    `prompts` is the number of distinct prompts, `answers` counts the right letters, and `majority` is
    the share of the most common one, in [0, 1].
    """

    name: str
    items: int
    prompts: int
    answers: dict[str, int]
    majority: float
    sources: dict[Role, str]
    warnings: tuple[str, ...]


def prove(path: Path, *, data_dir: Path | None, offline: bool) -> Proof:
    """Read a task file and its data and check both.

    Raises a FileError with every mistake, and Unavailable where the test data are missing.
    """
    file = read_task(path)
    splits, absent = _splits(file, data_dir=data_dir, offline=offline)
    test = splits["test"]
    if mistakes := list(dict.fromkeys(_problems(file, splits))):
        raise FileError(mistakes)
    answers = Counter(item.letters[item.answer] for item in test.items)
    most = max(answers.values()) / len(test.items)
    return Proof(
        name=file.task.name,
        items=len(test.items),
        prompts=len({render(file.task.prompt, item) for item in test.items}),
        answers=dict(sorted(answers.items())),
        majority=most,
        sources={role: split.source for role, split in splits.items()},
        warnings=(*absent, *_data_warnings(splits), *_warnings(file, test.items, most)),
    )


def _splits(
    file: TaskFile, *, data_dir: Path | None, offline: bool
) -> tuple[dict[Role, Split], tuple[str, ...]]:
    """The splits by role, and a warning for each that is unavailable.

    Raises a FileError with the mistakes of all rows of all splits.
    """
    splits: dict[Role, Split] = {}
    absent: list[str] = []
    mistakes: list[Mistake] = []
    for role in ("test", "train", "exemplars"):
        try:
            split = load_split(file, role, data_dir=data_dir, offline=offline)
        except FileError as error:
            mistakes += [mistake for mistake in error.mistakes if mistake not in mistakes]
        except Unavailable as error:
            if role == "test":
                raise
            absent.append(f"the {role} split was not checked: {error.reason}")
        else:
            splits |= {role: split} if split else {}
    if mistakes:
        raise FileError(mistakes)
    return splits, tuple(absent)


def _problems(file: TaskFile, splits: dict[Role, Split]) -> Iterator[Mistake]:
    """Mistakes that show only in data and prompts together."""
    for role, split in splits.items():
        if role != "train":
            yield from _prompt_problems(file, split.items)
        if role != "test":
            yield from shared_questions(splits["test"], split)
    if file.task.exemplars and "exemplars" in splits:
        try:
            choose_exemplars(splits["exemplars"].items, file.task.exemplars, seed=0)
        except Unavailable as error:
            yield Mistake(display(file.path), line_of(file.path, ("exemplars",)), "exemplars", error.reason)


def _data_warnings(splits: Mapping[Role, Split]) -> Iterator[str]:
    """What is odd about the rows of each split; those that several roles share are told once."""
    shown: set[str] = set()
    for role, split in splits.items():
        if split.name not in shown:
            shown.add(split.name)
            yield from (f"{role} split: {text}" for text in split.warnings())


def _prompt_problems(file: TaskFile, items: Sequence[Item]) -> Iterator[Mistake]:
    yield from _template_problems(file, items, ("prompt",), file.task.prompt)
    if file.task.generate:
        yield from _template_problems(file, items, ("generate", "prompt"), file.task.generate.prompt)


def _template_problems(
    file: TaskFile, items: Sequence[Item], key: tuple[str, ...], template: str
) -> Iterator[Mistake]:
    place = display(file.path), line_of(file.path, key), ".".join(key)
    first: dict[str, Item] = {}
    for item in items:
        try:
            prompt = render(template, item)
        except BenchError as error:
            yield Mistake(*place, str(error).removeprefix("prompt: "))
            return
        if prompt in first and content_of(first[prompt]) != content_of(item):
            same = f"items {first[prompt].id} and {item.id} have the same prompt"
            yield Mistake(*place, f"{same}: the template does not tell them apart")
        first.setdefault(prompt, item)


def _warnings(file: TaskFile, items: Sequence[Item], most: float) -> Iterator[str]:
    hidden = sum(any(o not in render(file.task.prompt, item) for o in item.options) for item in items)
    if hidden and file.task.scoring.letters:
        yield f"the prompts of {hidden} items do not show all their options"
    counts = sorted({len(item.options) for item in items})
    even = 1 / counts[0]
    if most > UNBALANCED * even:
        yield f"answers are unbalanced: always giving the most common letter scores {most:.1%}"
    if len(counts) > 1:
        yield f"items have {counts[0]} to {counts[-1]} options"
