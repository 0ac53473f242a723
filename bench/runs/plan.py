"""Tasks x models -> cells: what to run, under which identity, and what is not on this machine."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from pydantic import ValidationError

from bench.engines.engine import ENGINE_VERSION, Opening
from bench.engines.kinds import engine_package
from bench.errors import FileError, Unavailable, UsageError
from bench.inputs.adapter import (
    Adapter,
)
from bench.inputs.data import Split, load_split, shared_questions
from bench.inputs.model_card import AnyCard, BrokenCard, CardFile, ModelCard, PathSource
from bench.inputs.prompts import NO_EXEMPLARS, ExemplarChoice, Exemplars, choose_exemplars
from bench.inputs.task import Generate, Role, Task, TaskFile
from bench.inputs.weights import NO_TRUST, RemoteWeights, Trust, Weights, find_weights
from bench.runs.adapting import Quick, to_tune, with_adapter
from bench.runs.cell import CannotRun, Cell, NeedsTuning, Planned, identity
from bench.runs.command import command_of
from bench.runs.result import CellFacts, SplitFacts, Variant, task_facts
from bench.scoring.asking import Asking
from bench.types import Dtype, PromptStyle, Quantization


@dataclass(frozen=True, slots=True)
class Way:
    """How a model's weights are held and changed."""

    quantize: Quantization = "none"
    adapter: "Adapter | Quick | None" = None


@dataclass(frozen=True, slots=True)
class Wish:
    """The flags of a sweep that can change a number; None leaves it to the task or the card.

    `dtype` None is the device's best. `samples` and `max_new_tokens` are the task's own when None.
    """

    dtype: Dtype | None = None
    exemplars: int | None = None
    exemplar_choice: ExemplarChoice | None = None
    prompt: PromptStyle | None = None
    generate: bool = False
    samples: int | None = None
    temperature: float | None = None
    max_new_tokens: int | None = None
    limit: int | None = None
    seed: int = 0
    quantize: tuple[Quantization, ...] = ("none",)
    """Each of them is a variant of every model that has weights."""
    adapters: tuple[Adapter | Quick | None, ...] = (None,)
    """Each is a variant too: the untouched model, an adapter that is there, or a quick tuning."""
    trust: Trust = NO_TRUST
    allow_code: bool = False
    """Whether metrics that are code of their own may run; it changes no score."""


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
    tasks: Sequence[TaskFile], cards: Sequence[AnyCard], wish: Wish, *, data_dir: Path | None, offline: bool
) -> tuple[list[Planned], list[Missing]]:
    """Every cell that can run on this machine, by task and model, and every one that cannot."""
    for file in tasks:
        _check_code(file.task, allowed=wish.allow_code)
    weights = {file.name: _weights(file, wish.trust, offline=offline) for file in cards}
    found: dict[str | Missing, Planned | Missing] = {}
    for file in tasks:
        data = _data(file, cards, wish, data_dir=data_dir, offline=offline)
        for card, way in _ways(cards, wish):
            one = _planned(data, card, weights[card.name], wish, way)
            found[one if isinstance(one, Missing) else one.id] = one
    cells = [one for one in found.values() if not isinstance(one, Missing)]
    return cells, [one for one in found.values() if isinstance(one, Missing)]


def plan_all(
    tasks: Sequence[TaskFile],
    cards: Sequence[AnyCard],
    wishes: Sequence[Wish],
    *,
    data_dir: Path | None,
    offline: bool,
) -> tuple[list[Planned], list[Missing]]:
    """The cells of several wishes, task by task, each once."""
    cells: dict[str, Planned] = {}
    missing: dict[Missing, None] = {}
    for wish in wishes:
        found, lacking = plan(tasks, cards, wish, data_dir=data_dir, offline=offline)
        cells |= {cell.id: cell for cell in found}
        missing |= dict.fromkeys(lacking)
    places = {file.task.name: at for at, file in enumerate(tasks)}
    return sorted(cells.values(), key=lambda cell: places[cell.task.name]), list(missing)


def _planned(
    data: TaskData,
    file: AnyCard,
    weights: Weights | RemoteWeights | Unavailable | None,
    wish: Wish,
    way: Way,
) -> Planned | Missing:
    try:
        if isinstance(file, BrokenCard):
            return _cannot_run(data, file.name, file.name, file.mistake)
        if isinstance(weights, Unavailable) and isinstance(file.card.source, PathSource):
            # The card says that they are here, and they are not: that is a failure.
            return _cannot_run(data, file.name, file.card.title, str(weights))
        return _cell(data, file, weights, wish, way)
    except Unavailable as error:
        task, model = data.file.task.name, file.name
        what = f"{model} on {task}"
        if error is weights:
            what = f"model {model}"
        elif error in data.splits.values():
            what = f"task {task}"
        return Missing(what, error.reason, error.remedy)


def _cannot_run(data: TaskData, name: str, title: str, reason: str) -> CannotRun:
    return CannotRun(data.file.task, _split_facts(data.split("test")), name, title, reason)


def _ways(cards: Sequence[AnyCard], wish: Wish) -> Iterator[tuple[AnyCard, Way]]:
    """Every card in each way that is wished; a baseline has no weights to hold otherwise or to tune."""
    for card in cards:
        if isinstance(card, BrokenCard) or card.card.is_baseline:
            yield card, Way()
        else:
            yield from ((card, Way(*one)) for one in product(wish.quantize, wish.adapters))


def _check_code(task: Task, *, allowed: bool) -> None:
    code = next((name for name in task.metrics if name.startswith("evaluate:")), None)
    if code and not allowed:
        raise UsageError(f"task {task.name}: its metric {code} is Python code; --allow-code lets it run")


def _weights(file: AnyCard, trust: Trust, *, offline: bool) -> Weights | RemoteWeights | Unavailable | None:
    if isinstance(file, BrokenCard):
        return None
    try:
        return find_weights(file, offline=offline, trust=trust)
    except Unavailable as error:
        return error


def _data(
    file: TaskFile, cards: Sequence[AnyCard], wish: Wish, *, data_dir: Path | None, offline: bool
) -> TaskData:
    def load(role: Role) -> Split | Unavailable | None:
        try:
            return load_split(file, role, data_dir=data_dir, offline=offline)
        except Unavailable as error:
            return error

    roles: set[Role] = set()
    for card in cards:
        if isinstance(card, BrokenCard):
            roles.add("test")
            continue
        roles.update(_roles(card.card, _exemplar_count(file.task, card.card, wish), wish.adapters))
    return TaskData(file, {role: load(role) for role in roles})


def _roles(card: ModelCard, exemplars: int, adapters: Sequence[Adapter | Quick | None] = ()) -> list[Role]:
    """The splits that a cell reads."""
    tuned = not card.is_baseline and any(isinstance(one, Quick) for one in adapters)
    learnt: list[Role] = [card.learns_from] if card.learns_from else ["train"] if tuned else []
    shown: list[Role] = ["exemplars"] if exemplars else []
    return ["test", *learnt, *shown]


def _exemplar_count(task: Task, card: ModelCard, wish: Wish) -> int:
    if card.is_baseline:
        return 0
    return task.exemplars if wish.exemplars is None else wish.exemplars


def _cell(
    data: TaskData,
    file: CardFile,
    weights: Weights | RemoteWeights | Unavailable | None,
    wish: Wish,
    way: Way,
) -> Cell | NeedsTuning:
    if isinstance(weights, Unavailable):
        raise weights
    task, card = data.file.task, file.card
    count = _exemplar_count(task, card, wish)
    splits: dict[Role, Split] = {role: data.split(role) for role in _roles(card, count)}
    leaks = {
        m: None for role in splits if role != "test" for m in shared_questions(splits["test"], splits[role])
    }
    if leaks:
        raise FileError(list(leaks))
    variant = _variant(task, card, wish, count, way.quantize)
    exemplars = NO_EXEMPLARS
    if count:
        exemplars = choose_exemplars(splits["exemplars"].items, count, wish.seed, variant.exemplar_choice)
    test = splits["test"].items
    limit = wish.limit if wish.limit is not None and wish.limit < len(test) else None
    facts = CellFacts(
        id="",
        task=task_facts(task),
        model=card,
        weights=weights.revision if weights else None,
        variant=variant,
        data={role: _split_facts(split) for role, split in splits.items()},
        exemplar_ids=_shown(exemplars),
        limit=limit,
        engine_version=ENGINE_VERSION,
        engine_package=engine_package(card),
        command=command_of(data.file, card, variant, limit, splits["test"], wish.trust),
    )
    train = splits[card.learns_from].items if card.learns_from else ()
    cell = Cell(
        facts=facts.model_copy(update={"id": identity(facts)}),
        asking=Asking(task, exemplars, variant.prompt, variant.generate, wish.seed),
        items=test[:limit],
        opening=Opening(card, variant.dtype, train, wish.seed, way.quantize, wish.trust),
        weights=weights,
        home=data.file.path.parent,
    )
    match way.adapter:
        case None:
            return cell
        case Adapter():
            return with_adapter(cell, way.adapter)
        case Quick():
            return to_tune(cell, way.adapter, data.split("train"), splits["test"], wish.seed)


def _shown(exemplars: Exemplars) -> tuple[str, ...]:
    """The ids of exemplars that every question shows; drawn for each, they follow from the seed."""
    return tuple(item.id for item in exemplars.pool) if exemplars.choice == "fixed" else ()


def _variant(task: Task, card: ModelCard, wish: Wish, exemplars: int, quantize: Quantization) -> Variant:
    """Raises Unavailable where the card or the task does not go with what is wished."""
    if card.is_baseline:
        return Variant(dtype=None, exemplars=0, seed=wish.seed)
    style = wish.prompt or card.style
    dtype = wish.dtype or _best_dtype()
    if dtype == "float16" and card.architecture == "encoder-decoder":
        reason = f"{card.name} is an encoder-decoder: T5's activations overflow in float16"
        raise Unavailable(reason, "use --dtype bfloat16 or float32")
    if style == "chat" and not card.chat:
        raise Unavailable(f"{card.name} is no chat model", "leave --prompt chat out")
    generate = _generate(task, wish) if wish.generate else None
    # Without exemplars or samples nothing is drawn, and the seed changes no number.
    draws = exemplars or (generate and generate.temperature)
    return Variant(
        dtype=dtype,
        exemplars=exemplars,
        seed=wish.seed if draws else 0,
        prompt=style,
        exemplar_choice=(wish.exemplar_choice or task.exemplar_choice) if exemplars else "fixed",
        generate=generate,
        quantize=quantize,
    )


def _generate(task: Task, wish: Wish) -> Generate:
    if task.generate is None:
        raise Unavailable(f"task {task.name} says nothing on generating", "add a generate section to it")
    wished = {"samples": wish.samples, "temperature": wish.temperature, "max_new_tokens": wish.max_new_tokens}
    given = {key: value for key, value in wished.items() if value is not None}
    try:
        return Generate.model_validate(task.generate.model_dump() | given)
    except ValidationError as error:
        first = error.errors()[0]
        flag = "".join(f"--{str(key).replace('_', '-')}: " for key in first["loc"])
        raise UsageError(flag + first["msg"].removeprefix("Value error, ")) from error


def _best_dtype() -> Dtype:
    from bench.engines.loading import best_dtype

    return best_dtype()


def _split_facts(split: Split) -> SplitFacts:
    return SplitFacts(split=split.name, source=split.source, rows=len(split.items), sha256=split.sha256)
