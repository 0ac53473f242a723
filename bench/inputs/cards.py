"""Model cards as files: reading them, checking them against their engine, and selecting them by name."""

import fnmatch
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from bench.config import line_of, mistake_text, read_yaml
from bench.errors import BenchError, FileError, Mistake, UsageError, there_are
from bench.folders import display, is_name, safe_name, yaml_files
from bench.inputs.engine_rules import LLAMA_CPP, RULES, TRANSFORMERS, EngineRules
from bench.inputs.model_card import HubSource, ModelCard, ProgramSource, source_kind


@dataclass(frozen=True, slots=True)
class CardFile:
    """A card and its file; a relative path to weights starts at that file's folder."""

    card: ModelCard
    path: Path

    @property
    def name(self) -> str:
        return self.card.name


@dataclass(frozen=True, slots=True)
class BrokenCard:
    """A card that cannot be read, and why. `name` comes from its file's name."""

    name: str
    path: Path
    mistakes: tuple[Mistake, ...]

    @property
    def mistake(self) -> str:
        return str(FileError(self.mistakes))


AnyCard = CardFile | BrokenCard


def read_card(path: Path) -> CardFile:
    """Read one card; raises a FileError with all its mistakes."""
    card = read_yaml(path, ModelCard)
    mistakes = [_mistake(path, key, text) for key, text in _problems(card, path.stem)]
    if mistakes:
        raise FileError(mistakes)
    return CardFile(card, path)


def _mistake(path: Path, key: tuple[str, ...], text: str) -> Mistake:
    lines = (line_of(path, key[:end]) for end in range(len(key), 0, -1))
    old = (line_of(path, ("source", *key[:end])) for end in range(len(key), 0, -1))
    return Mistake(display(path), next(filter(None, (*lines, *old)), 1), ".".join(key), text)


Problem = tuple[tuple[str, ...], str]
"""A key of a card, and what is wrong with it."""


def _problems(card: ModelCard, stem: str) -> Iterator[Problem]:
    """What a card's own model cannot check: the file's name and what its engine accepts."""
    if card.name != stem:
        yield ("name",), f"'{card.name}' must be the file's name, '{stem}'"
    if card.architecture == "unknown":
        yield ("architecture",), "must be decoder, encoder-decoder or baseline"
    yield from _contradictions(card)
    if card.engine is None or isinstance(card.source, ProgramSource):
        yield ("source",), "program is for imported runs; a card needs one of hub, package, path"
        return
    try:
        rules = RULES.get(card.engine)
    except BenchError as error:
        yield ("engine",), str(error)
        return
    yield from engine_problems(card, rules)


def _contradictions(card: ModelCard) -> Iterator[Problem]:
    """Facts that cannot all be true."""
    parts = {"text_parameters": card.text_parameters, "active_parameters": card.active_parameters}
    for key, part in parts.items():
        if part and card.parameters is None:
            yield (key,), "parameters, of which these are a part, is missing"
        elif part and card.parameters and part > card.parameters:
            yield (key,), f"{part} is more than parameters, {card.parameters}"
    own = {card.name, card.source.hub if isinstance(card.source, HubSource) else card.name}
    if card.base in own:
        yield ("base",), f"'{card.base}' is the model itself; name the one that it was tuned from"


def engine_problems(card: ModelCard, rules: EngineRules) -> Iterator[Problem]:
    """What the card's engine, whose rules these are, does not take."""
    if card.architecture not in (*rules.architectures, "unknown"):
        known = ", ".join(sorted(rules.architectures))
        yield ("architecture",), f"the engine {card.engine} takes {known}, not {card.architecture}"
    if card.is_baseline != (rules.reads == "item"):
        yield (
            ("architecture",),
            f"the engine {card.engine} reads {rules.reads}s: "
            + ("not for baselines" if card.is_baseline else "for baselines only"),
        )
    kind = source_kind(card)
    if kind is None and rules.sources:
        yield ("source",), f"missing: the engine {card.engine} needs weights, from {_listed(rules.sources)}"
    elif kind is not None and kind not in rules.sources:
        takes = f"weights from {_listed(rules.sources)}" if rules.sources else "no weights"
        yield ("source",), f"the engine {card.engine} takes {takes}, not {kind}"
    yield from _file_problems(card)
    try:
        rules.settings.model_validate(card.settings)
    except ValidationError as error:
        for detail in error.errors():
            yield ("settings", *map(str, detail["loc"])), mistake_text(rules.settings, detail)


def _file_problems(card: ModelCard) -> Iterator[Problem]:
    named = isinstance(card.source, HubSource) and card.source.file
    if named and card.engine == TRANSFORMERS:
        yield ("source", "file"), "the engine transformers reads whole repositories; use engine: llama.cpp"
    elif isinstance(card.source, HubSource) and not named and card.engine == LLAMA_CPP:
        yield ("source", "file"), "missing: the engine llama.cpp needs the name of one GGUF file"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def all_cards() -> list[CardFile]:
    """Every card in the `model_cards` folders, sorted by name; raises a FileError with all mistakes."""
    cards, mistakes = cards_and_mistakes()
    if mistakes:
        raise FileError(mistakes)
    return cards


def cards_and_mistakes() -> tuple[list[CardFile], list[Mistake]]:
    """Every card in the `model_cards` folders that can be read, sorted, and the mistakes of the others."""
    return split_broken(map(read_any_card, yaml_files("model_cards").values()))


def split_broken(files: Iterable[AnyCard]) -> tuple[list[CardFile], list[Mistake]]:
    """The cards that can be read, and the mistakes of the others."""
    cards: list[CardFile] = []
    mistakes: list[Mistake] = []
    for file in files:
        if isinstance(file, CardFile):
            cards.append(file)
        else:
            mistakes += file.mistakes
    return cards, mistakes


def read_any_card(path: Path) -> AnyCard:
    """One card; a BrokenCard where it cannot be read."""
    try:
        return read_card(path)
    except FileError as error:
        return BrokenCard(_name_of(path), path, error.mistakes)


def _name_of(path: Path) -> str:
    """The file's name, made safe as a folder name where it is none that a card may have."""
    return path.stem if is_name(path.stem) else safe_name(path.stem, "card")


def find_cards(selection: str, is_available: Callable[[CardFile], bool]) -> list[CardFile]:
    """The cards that a selection matches; a card that it does not match may be broken.

    Raises a FileError where a card that it matches by name cannot be read, and a UsageError where a term
    matches nothing.
    """
    cards, mistakes = split_broken(find_any_cards(selection, is_available))
    if mistakes:
        raise FileError(mistakes)
    return cards


def find_any_cards(selection: str, is_available: Callable[[CardFile], bool]) -> list[AnyCard]:
    """As `find_cards`, with broken cards as BrokenCard: a name, a glob or `all` selects them.

    A selection of plain names reads those files only.
    """
    paths = _paths_of_names(selection)
    if paths:
        return [read_any_card(path) for path in paths]
    files = [read_any_card(path) for path in yaml_files("model_cards").values()]
    return select_cards(selection, files, is_available)


def _paths_of_names(selection: str) -> list[Path]:
    """The files of a selection that holds only names of cards; empty where any term is not a name."""
    known = yaml_files("model_cards")
    names = sorted({term.strip() for term in selection.split(",") if term.strip()})
    return [known[name] for name in names] if all(name in known for name in names) else []


_COMPARISON = re.compile(r"^params(<=|>=|<|>)(\d+(?:\.\d+)?)([KMB]?)$", re.IGNORECASE)
_UNIT = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9}


def select_cards(
    selection: str, cards: Sequence[AnyCard], is_available: Callable[[CardFile], bool]
) -> list[AnyCard]:
    """The cards that match any of the comma-separated terms, sorted by name.

    A term is `all`, `available` (calls `is_available`), a name, a glob, `family:F` or `params<1B`.
    Raises a UsageError where a term matches nothing.
    """
    chosen: dict[str, AnyCard] = {}
    for term in filter(None, (part.strip() for part in selection.split(","))):
        matches = [file for file in cards if _matches(term, file, is_available)]
        if not matches:
            slip = term.startswith("params") and not _COMPARISON.match(term)
            hint = "; write a size as in params<500M" if slip else there_are(term, _terms(cards))
            raise UsageError(f"no model matches '{term}'{hint} (bench models list)")
        chosen |= {file.name: file for file in matches}
    if not chosen:
        raise UsageError("no models are named; try --models all")
    return [chosen[name] for name in sorted(chosen)]


def _terms(cards: Iterable[AnyCard]) -> set[str]:
    files = list(cards)
    families = {f"family:{file.card.family}" for file in files if isinstance(file, CardFile)}
    return {file.name for file in files} | families | {"all", "available"}


def _matches(term: str, file: AnyCard, is_available: Callable[[CardFile], bool]) -> bool:
    if term == "all" or fnmatch.fnmatchcase(file.name, term):
        return True
    if isinstance(file, BrokenCard):
        return False
    if term == "available":
        return is_available(file)
    if term.startswith("family:"):
        return file.card.family == term.removeprefix("family:")
    comparison = _COMPARISON.match(term)
    return comparison is not None and _compares(file.card.parameters, *comparison.groups())


def _compares(parameters: int | None, sign: str, number: str, unit: str) -> bool:
    if parameters is None:
        return False
    bound = float(number) * _UNIT[unit.upper()]
    match sign:
        case "<":
            return parameters < bound
        case "<=":
            return parameters <= bound
        case ">":
            return parameters > bound
        case _:
            return parameters >= bound
