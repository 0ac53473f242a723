"""Tasks x models -> cells: what to run, under which identity, and what is not on this machine."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from pydantic import ValidationError

from bench.engines.engine import ENGINE_VERSION, Opening
from bench.errors import FileError, Unavailable, UsageError
from bench.inputs.adapter import Adapter
from bench.inputs.choices import Choices, flag
from bench.inputs.data import Split, load_split, shared_questions
from bench.inputs.model_card import CardFile, ModelCard, PathSource
from bench.inputs.prompts import NO_EXEMPLARS, Exemplars, choose_exemplars
from bench.inputs.task import Generate, Role, Task, TaskFile
from bench.inputs.weights import RemoteWeights, Trust, Weights, find_weights
from bench.runs.adapting import to_tune, with_adapter
from bench.runs.cell import Cell, identity
from bench.runs.command import command_of
from bench.runs.result import CellFacts, SplitFacts, TaskFacts, Variant
from bench.runs.wish import DEFAULTS, UNTOUCHED, Change, Quick, Settings, Untouched, Wish
from bench.scoring.asking import Asking
from bench.types import Dtype


@dataclass(frozen=True, slots=True)
class Missing:
    """A cell that cannot run here. `what` is the task or the model that is missing, or the pair."""

    what: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class TaskData:
    """A task and the splits that some cell of the sweep needs; one may be unavailable."""

    file: TaskFile
    splits: dict[Role, Split | Unavailable | None]

    def split(self, role: Role) -> Split:
        """Raises Unavailable where the split is not on this machine."""
        found = self.splits[role]
        if found is None:
            raise Unavailable(f"the task names no {role} split", f"add data.splits.{role} to it")
        if isinstance(found, Unavailable):
            raise found
        return found


def plan(
    tasks: Sequence[TaskFile],
    cards: Sequence[CardFile],
    wishes: Sequence[Wish],
    settings: Settings = DEFAULTS,
    *,
    data_dir: Path | None,
    offline: bool,
) -> tuple[list[Cell], list[Missing]]:
    """Every cell that can run on this machine, by task, model and variant, and every one that cannot."""
    for file in tasks:
        _check_code(file.task, allowed=settings.allow_code)
    weights = {file.card.name: _weights(file, settings.trust, offline=offline) for file in cards}
    cells: dict[str, Cell] = {}
    missing: dict[Missing, None] = {}
    for file in tasks:
        data = _data(file, cards, wishes, data_dir=data_dir, offline=offline)
        for card, wish in product(cards, wishes):
            match _planned(data, card, weights[card.card.name], wish, settings):
                case Cell() as cell:
                    cells[cell.facts.id] = cell
                case Missing() as lack:
                    missing[lack] = None
    return list(cells.values()), list(missing)


def _planned(
    data: TaskData,
    file: CardFile,
    weights: Weights | RemoteWeights | Unavailable | None,
    wish: Wish,
    settings: Settings,
) -> Cell | Missing:
    try:
        if file.mistake:
            return _cannot_run(data, file, settings, file.mistake)
        if isinstance(weights, Unavailable) and isinstance(file.card.source, PathSource):
            # The card says that they are here, and they are not: that is a failure.
            return _cannot_run(data, file, settings, str(weights))
        return _cell(data, file, weights, wish, settings)
    except Unavailable as error:
        task, model = data.file.task.name, file.card.name
        what = f"{model} on {task}"
        if error is weights:
            what = f"model {model}"
        elif error in data.splits.values():
            what = f"task {task}"
        return Missing(what, error.reason, error.remedy)


def _cannot_run(data: TaskData, card: CardFile, settings: Settings, reason: str) -> Cell:
    """One for the model on the task, whatever variants are wished."""
    plain = Wish(Choices(exemplars=0, dtype="float32"))
    return replace(_cell(data, card, None, plain, Settings(limit=settings.limit)), reason=reason)


def _check_code(task: Task, *, allowed: bool) -> None:
    code = next((name for name in task.metrics if name.startswith("evaluate:")), None)
    if code and not allowed:
        raise UsageError(f"task {task.name}: its metric {code} is Python code; --allow-code lets it run")


def _weights(file: CardFile, trust: Trust, *, offline: bool) -> Weights | RemoteWeights | Unavailable | None:
    try:
        return find_weights(file, offline=offline, trust=trust)
    except Unavailable as error:
        return error


def _data(
    file: TaskFile, cards: Sequence[CardFile], wishes: Sequence[Wish], *, data_dir: Path | None, offline: bool
) -> TaskData:
    def load(role: Role) -> Split | Unavailable | None:
        try:
            return load_split(file, role, data_dir=data_dir, offline=offline)
        except Unavailable as error:
            return error

    roles: set[Role] = set()
    for card, wish in product(cards, wishes):
        roles.update(_roles(card.card, _exemplar_count(file.task, card.card, wish.choices)))
        if isinstance(_change(card.card, wish), Quick):
            roles.add("train")
    return TaskData(file, {role: load(role) for role in roles})


def _roles(card: ModelCard, exemplars: int) -> list[Role]:
    """The splits that a cell reads."""
    learnt: list[Role] = [card.learns_from] if card.learns_from else []
    shown: list[Role] = ["exemplars"] if exemplars else []
    return ["test", *learnt, *shown]


def _exemplar_count(task: Task, card: ModelCard, choices: Choices) -> int:
    if card.architecture == "baseline":
        return 0
    return task.exemplars if choices.exemplars is None else choices.exemplars


def _change(card: ModelCard, wish: Wish) -> Change:
    """A baseline has no weights to change."""
    return UNTOUCHED if card.architecture == "baseline" else wish.change


def _cell(
    data: TaskData,
    file: CardFile,
    weights: Weights | RemoteWeights | Unavailable | None,
    wish: Wish,
    settings: Settings,
) -> Cell:
    if isinstance(weights, Unavailable):
        raise weights
    task, card, change = data.file.task, file.card, _change(file.card, wish)
    count = _exemplar_count(task, card, wish.choices)
    splits: dict[Role, Split] = {role: data.split(role) for role in _roles(card, count)}
    leaks = {
        m: None for role in splits if role != "test" for m in shared_questions(splits["test"], splits[role])
    }
    if leaks:
        raise FileError(list(leaks))
    variant = _variant(task, card, wish.choices, count, settings.seed)
    exemplars = NO_EXEMPLARS
    if count:
        exemplars = choose_exemplars(splits["exemplars"].items, count, settings.seed, variant.exemplar_choice)
    test = splits["test"].items
    limit = settings.limit if settings.limit is not None and settings.limit < len(test) else None
    facts = CellFacts(
        id="",
        task=_task_facts(task),
        model=card,
        weights=weights.revision if weights else None,
        variant=variant,
        data={role: _split_facts(split) for role, split in splits.items()},
        exemplar_ids=_shown(exemplars),
        limit=limit,
        engine_version=ENGINE_VERSION,
        command=command_of(data.file, card, variant, change, settings, limit, splits["test"]),
    )
    train = splits[card.learns_from].items if card.learns_from else ()
    cell = Cell(
        facts=facts.model_copy(update={"id": identity(facts)}),
        asking=Asking(task, exemplars, variant.prompt, variant.generate, settings.seed),
        items=test[:limit],
        opening=Opening(
            card,
            weights,
            variant.dtype,
            train,
            settings.seed,
            variant.quantize,
            settings.trust,
            more=variant.more,
        ),
        home=data.file.path.parent,
    )
    match change:
        case Untouched():
            return cell
        case Adapter():
            return with_adapter(cell, change)
        case Quick():
            return to_tune(cell, change, data.split("train"), splits["test"], settings.seed)


def _shown(exemplars: Exemplars) -> tuple[str, ...]:
    """The ids of exemplars that every question shows; drawn for each, they follow from the seed."""
    return tuple(item.id for item in exemplars.pool) if exemplars.choice == "fixed" else ()


def _variant(task: Task, card: ModelCard, choices: Choices, exemplars: int, seed: int) -> Variant:
    """Raises Unavailable where the card or the task does not go with the choices."""
    if card.architecture == "baseline":
        return Variant(dtype=None, exemplars=0, seed=seed, more=choices.outside)
    style = choices.prompt or card.style
    dtype = _best_dtype() if choices.dtype in (None, "auto") else choices.dtype
    if dtype == "float16" and card.architecture == "encoder-decoder":
        reason = f"{card.name} is an encoder-decoder: T5's activations overflow in float16"
        raise Unavailable(reason, "use --dtype bfloat16 or float32")
    if style == "chat" and not card.chat:
        raise Unavailable(f"{card.name} is no chat model", "leave --prompt chat out")
    generate = _generate(task, choices) if choices.generate else None
    # Without exemplars or samples nothing is drawn, and the seed changes no number.
    draws = exemplars or (generate and generate.temperature)
    return Variant(
        dtype=dtype,
        exemplars=exemplars,
        seed=seed if draws else 0,
        prompt=style,
        exemplar_choice=(choices.exemplar_choice or task.exemplar_choice) if exemplars else "fixed",
        generate=generate,
        quantize=choices.quantize or "none",
        more=choices.outside,
    )


def _generate(task: Task, choices: Choices) -> Generate:
    if task.generate is None:
        raise Unavailable(f"task {task.name} says nothing on generating", "add a generate section to it")
    given = choices.model_dump(include={"samples", "temperature", "max_new_tokens"}, exclude_none=True)
    try:
        return Generate.model_validate(task.generate.model_dump() | given)
    except ValidationError as error:
        first = error.errors()[0]
        flags = "".join(f"{flag(str(key))}: " for key in first["loc"])
        raise UsageError(flags + first["msg"].removeprefix("Value error, ")) from error


def _best_dtype() -> Dtype:
    from bench.engines.loading import best_dtype

    return best_dtype()


def _task_facts(task: Task) -> TaskFacts:
    words = {"name", "version", "title", "description", "notice", "license", "prompt", "system"}
    return TaskFacts(sha256=task.digest(), view=task.scoring.view, **task.model_dump(include=words))


def _split_facts(split: Split) -> SplitFacts:
    return SplitFacts(split=split.name, source=split.source, rows=len(split.items), sha256=split.sha256)
