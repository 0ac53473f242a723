"""Checking a task without a model: all mistakes in its data and prompts at once."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.config import line_of
from bench.errors import BenchError, FileError, Mistake, Unavailable
from bench.folders import display
from bench.inputs.data import Split, load_split, shared_questions
from bench.inputs.draw import one_letter
from bench.inputs.exemplars import describe_exemplars, task_exemplars
from bench.inputs.items import content_of
from bench.inputs.prompts import render, system_text
from bench.inputs.task import TaskFile, read_task
from bench.types import Item, Role
from bench.wording import counted, percent

UNBALANCED = 1.5
"""Warn when the most common letter has more than this many times an even share of the answers."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A task without mistakes.

    `prompts` is the number of distinct prompts, `answers` counts the right letters, and `majority` is
    the share of the most common one, in [0, 1]. `exemplars` says which ones the task shows, and
    `clusters` in how many clusters the items come, None where the task names no column of them.
    """

    name: str
    items: int
    prompts: int
    answers: dict[str, int]
    majority: float
    sources: dict[Role, str]
    exemplars: str
    warnings: tuple[str, ...]
    clusters: int | None = None


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
        exemplars=describe_exemplars(file.task),
        warnings=(*absent, *_data_warnings(splits), *_warnings(file, test.items, most)),
        clusters=count_clusters(test.items) if file.task.data and file.task.data.columns.cluster else None,
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
    yield from _exemplar_problems(file, splits)
    yield from _system_problems(file, splits["test"].items)


def _exemplar_problems(file: TaskFile, splits: dict[Role, Split]) -> Iterator[Mistake]:
    task = file.task
    if not task.exemplars or "exemplars" not in splits:
        return
    tested, split = splits["test"].items, splits["exemplars"]
    try:
        task_exemplars(file, tested, split, task.exemplars, 0, task.exemplar_choice)
    except FileError as error:
        yield from error.mistakes
    except Unavailable as error:
        yield Mistake(display(file.path), line_of(file.path, ("exemplars",)), "exemplars", str(error))


def _system_problems(file: TaskFile, items: Sequence[Item]) -> Iterator[Mistake]:
    """The first item of each group for which a system text cannot be filled in."""
    texts = {("system",): file.task.system}
    texts |= {("generate", "system"): file.task.generate.system} if file.task.generate else {}
    for key, text in texts.items():
        for item in {item.group: item for item in reversed(items)}.values():
            try:
                system_text(text, item)
            except BenchError as error:
                place = display(file.path), line_of(file.path, key), ".".join(key)
                yield Mistake(*place, str(error).removeprefix("system: "))
                break


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


def count_clusters(items: Sequence[Item]) -> int:
    """How many clusters; an item without one is a cluster of its own."""
    alone = sum(not item.cluster for item in items)
    return len({item.cluster for item in items} - {""}) + alone


def _cluster_warnings(file: TaskFile, items: Sequence[Item]) -> Iterator[str]:
    column = file.task.data.columns.cluster if file.task.data else None
    number = count_clusters(items) if column else 0
    if column and number == len(items):
        yield f"every item has its own {column} (data.columns.cluster), so none share a cluster; leave it out"
    elif number == 1:
        yield f"all items have one {column} (data.columns.cluster): there can be no intervals and no tests"


def _warnings(file: TaskFile, items: Sequence[Item], most: float) -> Iterator[str]:
    hidden = sum(any(o not in render(file.task.prompt, item) for o in item.options) for item in items)
    if hidden and file.task.scoring.letters:
        yield f"some options are missing from {counted(hidden, 'prompt')}"
    yield from _cluster_warnings(file, items)
    counts = sorted({len(item.options) for item in items})
    even = 1 / counts[0]
    if letter := one_letter(items):
        yield f"every question has the answer {letter}: a model that always gives it scores 100 %"
    elif most > UNBALANCED * even:
        yield f"answers are unbalanced: always giving the most common letter scores {percent(most)}"
    if len(counts) > 1:
        yield f"items have {counts[0]} to {counts[-1]} options"
