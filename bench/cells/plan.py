"""Tasks x models x variants -> the cells to run, and what is missing on this machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from bench.cells.adapted import with_adapter, with_quick_tuning
from bench.cells.cell import CannotRun, Cell, NeedsTuning, Planned
from bench.cells.locate import Locate, Located, locator
from bench.cells.repeat import command_of
from bench.cells.variant import variant_of
from bench.cells.wish import DEFAULTS, UNTOUCHED, Change, Quick, Settings, Untouched, Wish
from bench.engines.engine import ENGINE_VERSION, Opening
from bench.engines.kinds import engine_kind, engine_package
from bench.errors import FileError, Mistake, Unavailable, UsageError
from bench.inputs.adapter import Adapter
from bench.inputs.cards import AnyCard, BrokenCard, CardFile
from bench.inputs.choices import Choices
from bench.inputs.data import Split, load_split, shared_questions
from bench.inputs.draw import draw
from bench.inputs.exemplars import task_exemplars
from bench.inputs.formats import ALL, OWN
from bench.inputs.model_card import ModelCard, PathSource
from bench.inputs.prompts import NO_EXEMPLARS, Exemplars
from bench.inputs.task import Task, TaskFile
from bench.inputs.task_data import ROLES
from bench.results.identity import identity
from bench.results.result import CellFacts, split_facts, task_facts
from bench.results.variant import Variant
from bench.scoring.asking import Asking
from bench.types import Item, Role


@dataclass(frozen=True, slots=True)
class Missing:
    """What cannot run here: a model on any task, a task with any model, or the two together.

    `model` and `task` are names, "" for any. `general` is the reason without the name of either.
    """

    model: str
    task: str
    reason: str
    remedy: str
    general: str

    @property
    def what(self) -> str:
        names = (f"model {self.model}" if self.model else "", f"task {self.task}" if self.task else "")
        return " on ".join(filter(None, names))


@dataclass(frozen=True, slots=True)
class TaskData:
    """A task and the splits that any cell of the sweep needs; some may be unavailable."""

    file: TaskFile
    splits: Mapping[Role, Split | Unavailable | None]

    def split(self, role: Role) -> Split:
        """A split; raises Unavailable where the task names none for the role or it is not on this machine."""
        split = self.splits[role]
        if split is None:
            raise Unavailable(f"the task names no {role} split", f"add data.splits.{role} to it")
        if isinstance(split, Unavailable):
            raise split
        return split


def plan(
    tasks: Sequence[TaskFile],
    cards: Sequence[AnyCard],
    wishes: Sequence[Wish],
    settings: Settings = DEFAULTS,
    *,
    data_dir: Path | None,
    offline: bool,
) -> tuple[list[Planned], list[Missing]]:
    """The cells to run, in the order of tasks, models and variants, and those that cannot run here.

    Raises a UsageError where a metric is Python code and code is not allowed, and a FileError with the
    mistakes of all tasks whose data are not valid or share questions between splits.
    """
    for file in tasks:
        _check_code(file.task, allowed=settings.allow_code)
    locate = locator(cards, settings.trust, offline=offline)
    cells: dict[str, Planned] = {}
    missing: dict[Missing, None] = {}
    mistakes: dict[Mistake, None] = {}
    for file in tasks:
        try:
            data = _data(file, cards, wishes, data_dir=data_dir, offline=offline)
            for card, wish in product(cards, _in_formats(file.task, wishes)):
                match _planned(data, card, locate, wish, settings):
                    case Missing() as gap:
                        missing[gap] = None
                    case cell:
                        cells[cell.id] = cell
        except FileError as error:
            mistakes |= dict.fromkeys(error.mistakes)
    if mistakes:
        raise FileError(list(mistakes))
    return list(cells.values()), list(missing)


def _in_formats(task: Task, wishes: Sequence[Wish]) -> list[Wish]:
    """The wishes with `all` replaced by each format of the task, its own prompt first."""
    return [
        replace(wish, choices=wish.choices.model_copy(update={"formats": name}))
        for wish in wishes
        for name in ((OWN, *task.formats) if wish.choices.formats == ALL else (wish.choices.formats,))
    ]


def _check_code(task: Task, *, allowed: bool) -> None:
    code = next((name for name in task.metrics if name.startswith("evaluate:")), None)
    if code and not allowed:
        raise UsageError(f"task {task.name}: its metric {code} is Python code; allow it with --allow-code")


def _data(
    file: TaskFile, cards: Sequence[AnyCard], wishes: Sequence[Wish], *, data_dir: Path | None, offline: bool
) -> TaskData:
    """The splits that the cells of a task need; raises a FileError with the mistakes of all of them."""
    roles: set[Role] = {"test"}
    for card, wish in product(cards, wishes):
        if isinstance(card, CardFile):
            roles.update(_roles(card.card, _exemplar_count(file.task, card.card, wish.choices)))
            roles.update({"train"} if isinstance(_change(card.card, wish), Quick) else ())
    splits: dict[Role, Split | Unavailable | None] = {}
    mistakes: dict[Mistake, None] = {}
    for role in ROLES:
        if role not in roles:
            continue
        try:
            splits[role] = load_split(file, role, data_dir=data_dir, offline=offline)
        except Unavailable as error:
            splits[role] = error
        except FileError as error:
            mistakes |= dict.fromkeys(error.mistakes)
    if mistakes:
        raise FileError(list(mistakes))
    return TaskData(file, splits)


def _roles(card: ModelCard, exemplars: int) -> list[Role]:
    """The splits that a cell reads when it runs."""
    trained: list[Role] = [card.learns_from] if card.learns_from else []
    shown: list[Role] = ["exemplars"] if exemplars else []
    return ["test", *trained, *shown]


def _exemplar_count(task: Task, card: ModelCard, choices: Choices) -> int:
    if card.is_baseline:
        return 0
    return task.exemplars if choices.exemplars is None else choices.exemplars


def _change(card: ModelCard, wish: Wish) -> Change | Unavailable:
    """The change to a model's weights; none for a baseline, which has no weights."""
    return UNTOUCHED if card.is_baseline else wish.change


def _planned(
    data: TaskData, file: AnyCard, locate: Locate, wish: Wish, settings: Settings
) -> Planned | Missing:
    weights: Located | Unavailable = None
    try:
        if isinstance(file, BrokenCard):
            return _cannot_run(data, file.name, file.name, file.mistake)
        placed = locate(file.name, wish.choices.engine, wish.choices.gguf)
        if isinstance(placed, Unavailable):
            raise placed
        weights = placed.weights
        if isinstance(weights, Unavailable):
            if isinstance(placed.card.source, PathSource):
                # The card promises weights on this machine, so this is a failure and not merely unavailable.
                return _cannot_run(data, file.name, file.card.title, str(weights))
            raise weights
        return _cell(data, placed.card, weights, wish, settings)
    except Unavailable as error:
        task, model = data.file.task.name, file.name
        if error is weights:
            task = ""
        elif error in data.splits.values():
            model = ""
        return Missing(model, task, error.reason, error.remedy, error.general)


def _cannot_run(data: TaskData, name: str, title: str, reason: str) -> CannotRun:
    return CannotRun(data.file.task, split_facts(data.split("test")), name, title, reason)


def _cell(
    data: TaskData, card: ModelCard, weights: Located, wish: Wish, settings: Settings
) -> Cell | NeedsTuning:
    task, change = data.file.task, _change(card, wish)
    if not card.is_baseline:
        task = task.in_format(wish.choices.formats or OWN)
        data = replace(data, file=data.file.model_copy(update={"task": task}))
    if isinstance(change, Unavailable):
        raise change
    count = _exemplar_count(task, card, wish.choices)
    splits: dict[Role, Split] = {role: data.split(role) for role in _roles(card, count)}
    _check_leaks(splits)
    stored = weights.format if weights else ""
    variant = variant_of(task, card, engine_kind(card), wish.choices, count, settings.seed, stored)
    exemplars = _exemplars(data.file, splits, count, settings.seed, variant)
    facts = _facts(data.file, card, weights, variant, change, wish.choices, settings, splits, exemplars)
    opening = Opening(
        card=card,
        dtype=variant.dtype,
        train=splits[card.learns_from].items if card.learns_from else (),
        seed=settings.seed,
        quantize=variant.quantize,
        trust=settings.trust,
        style=variant.prompt,
        writes=variant.generate is not None,
        more=variant.more,
    )
    asking = Asking(task, exemplars, variant.prompt, variant.generate, settings.seed)
    items = _asked(splits["test"], facts)
    cell = Cell(facts, asking, items, opening, weights, home=data.file.path.parent)
    match change:
        case Untouched():
            return cell
        case Adapter():
            return with_adapter(cell, change)
        case Quick():
            return with_quick_tuning(cell, change, data.split("train"), splits["test"], settings.seed)


def _asked(test: Split, facts: CellFacts) -> tuple[Item, ...]:
    """The items that the cell asks."""
    if facts.limit is None or facts.limit_order == "file":
        return test.items[: facts.limit]
    return draw(test.items, facts.limit)


def _check_leaks(splits: Mapping[Role, Split]) -> None:
    """Raises a FileError for training items and exemplars that are also in the test split."""
    others = [split for role, split in splits.items() if role != "test"]
    leaks = {mistake: None for split in others for mistake in shared_questions(splits["test"], split)}
    if leaks:
        raise FileError(list(leaks))


def _exemplars(
    file: TaskFile, splits: Mapping[Role, Split], count: int, seed: int, variant: Variant
) -> Exemplars:
    if not count:
        return NO_EXEMPLARS
    tested, split = splits["test"].items, splits["exemplars"]
    return task_exemplars(file, tested, split, count, seed, variant.exemplar_choice)


def _facts(
    file: TaskFile,
    card: ModelCard,
    weights: Located,
    variant: Variant,
    change: Change,
    choices: Choices,
    settings: Settings,
    splits: Mapping[Role, Split],
    exemplars: Exemplars,
) -> CellFacts:
    test, wanted = splits["test"], settings.limit
    limit = wanted if wanted is not None and wanted < len(test.items) else None
    facts = CellFacts(
        id="",
        task=task_facts(file.task),
        model=card,
        weights=weights.revision if weights else None,
        variant=variant,
        data={role: split_facts(split) for role, split in splits.items()},
        exemplar_ids=tuple(item.id for item in exemplars.shown),
        limit=limit,
        limit_order="file" if limit is None else settings.limit_order,
        engine_version=ENGINE_VERSION,
        engine_package=engine_package(card),
        command=command_of(file, card, variant, change, choices, settings, limit, test),
    )
    return facts.model_copy(update={"id": identity(facts)})
