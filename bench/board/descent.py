"""What models were tuned from and on, as today's cards say: a run keeps the card that it was made with."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from bench.inputs.model_card import DESCRIPTIONS, HubSource, ModelCard, PackageSource
from bench.results.answers import Answered, AnyRun
from bench.results.result import CellFacts

LEAK = "tuned on this task's training questions"


def described(runs: Iterable[AnyRun], cards: Sequence[ModelCard]) -> list[AnyRun]:
    """The runs with the descriptions of today's card, where it is still a card of the same weights."""
    latest = {card.name: card for card in cards}
    return [_described(run, latest) if isinstance(run, Answered) else run for run in runs]


def _described(run: Answered, latest: Mapping[str, ModelCard]) -> Answered:
    cell = run.result.cell
    card = latest.get(cell.model.name)
    if card is None or not _has_same_weights(card, cell):
        return run
    model = cell.model.model_copy(update={key: getattr(card, key) for key in DESCRIPTIONS})
    if model == cell.model:
        return run
    update = {"cell": cell.model_copy(update={"model": model})}
    return replace(run, result=run.result.model_copy(update=update))


def _has_same_weights(card: ModelCard, cell: CellFacts) -> bool:
    """Whether today's card names the weights that ran, though it may now say more exactly which."""
    match card.source, cell.model.source:
        case PackageSource() as now, PackageSource() as then:
            return now.model_copy(update={"sha256": then.sha256}) == then
        case HubSource() as now, HubSource() as then if now != then:
            return now.revision == cell.weights and now.model_copy(update={"revision": then.revision}) == then
        case now, then:
            return now == then


def leak(cell: CellFacts) -> str:
    """`LEAK` where the model's card names the task or its data set as training data, else ""."""
    if not cell.model.trained_on:
        return ""
    data_sets = (split.source.partition("[")[0] for split in cell.data.values())
    names = {name.casefold() for name in (cell.task.name, *data_sets)}
    return LEAK if names & {name.casefold() for name in cell.model.trained_on} else ""


def is_base(base: ModelCard, model: ModelCard) -> bool:
    """Whether the one was tuned from the other."""
    names = {base.name, base.source.hub if isinstance(base.source, HubSource) else base.name}
    return model.base in names and model.name != base.name
