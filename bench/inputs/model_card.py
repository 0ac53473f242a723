"""A model card: a YAML file in `model_cards/` that says where weights are and what is known of them."""

import fnmatch
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from bench.config import Name, Strict, display, read_yaml, yaml_files
from bench.errors import FileError, Mistake, UsageError, did_you_mean
from bench.types import PromptStyle


class HubSource(Strict):
    hub: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    revision: str = "main"


class PackageSource(Strict):
    """A GGUF file inside an installed Python package."""

    package: str
    file: Annotated[str, Field(pattern=r"\.gguf$")]
    requirement: str


class PathSource(Strict):
    """A folder of safetensors weights, or a GGUF file; a relative path starts at the card's folder."""

    path: Annotated[str, Field(pattern=r"^[^\x00]+$")]


class EngineSource(Strict):
    """No weights: an engine registered under the entry point group `bench.engines`.

    `settings` are the engine's own; they are part of a cell's identity.
    """

    engine: str
    settings: dict[str, str | int | float | bool] = Field(default_factory=dict)


_SOURCES = {"hub": HubSource, "package": PackageSource, "path": PathSource, "engine": EngineSource}


def _kind(raw: Any) -> str | None:
    for key, source in _SOURCES.items():
        if isinstance(raw, source) or (isinstance(raw, dict) and key in raw):
            return f"{key} source"
    return None


Source = Annotated[
    Annotated[HubSource, Tag("hub source")]
    | Annotated[PackageSource, Tag("package source")]
    | Annotated[PathSource, Tag("path source")]
    | Annotated[EngineSource, Tag("engine source")],
    Discriminator(
        _kind,
        custom_error_type="card_source",
        custom_error_message="needs one of hub, package, path, engine",
    ),
]

Architecture = Literal["decoder", "encoder-decoder", "baseline", "unknown"]
"""`unknown` is of a model that another program ran and did not tell; no card in a file may say it."""


class ModelCard(Strict):
    name: Name
    title: str
    family: str
    source: Source
    architecture: Architecture
    parameters: Annotated[int, Field(gt=0)] | None = None
    context: Annotated[int, Field(gt=0)] | None = None
    license: str
    chat: bool = False
    prompt: PromptStyle | None = None
    """The style of prompt it is asked in: by default `chat` where it is a chat model, else `plain`."""
    languages: tuple[str, ...] = ()
    released: Annotated[str, Field(pattern=r"^\d{4}-\d{2}$")] | None = None
    learns_from: Literal["train"] | None = None
    references: tuple[str, ...] = ()
    note: str = ""

    @property
    def style(self) -> PromptStyle:
        return self.prompt or ("chat" if self.chat else "plain")


class CardFile(Strict):
    """A card and where it was read: a relative weights path starts at that folder.

    `mistake` says why it could not be read, and then nothing of the card but its name is known.
    """

    card: ModelCard
    path: Path
    mistake: str = ""


def read_card(path: Path) -> CardFile:
    """Read one card; raises a FileError with all its mistakes."""
    card = read_yaml(path, ModelCard)
    if card.name != path.stem:
        text = f"'{card.name}' must be the file's name, '{path.stem}'"
        raise FileError([Mistake(display(path), 1, "name", text)])
    if card.architecture == "unknown":
        text = "must be decoder, encoder-decoder or baseline"
        raise FileError([Mistake(display(path), 0, "architecture", text)])
    return CardFile(card=card, path=path)


def all_cards() -> list[CardFile]:
    """Every card of the registry, sorted by name; raises a FileError over all files at once."""
    return _read_cards(yaml_files("model_cards").values())


def cards_and_mistakes() -> tuple[list[CardFile], list[str]]:
    """Every card that can be read, and what is wrong with the others."""
    files = _read_cards(yaml_files("model_cards").values(), broken=True)
    return [file for file in files if not file.mistake], [file.mistake for file in files if file.mistake]


def _unread(path: Path, mistake: str) -> CardFile:
    name = re.sub(r"[^a-z0-9_.-]", "-", path.stem.lower()).lstrip("_.-") or "card"
    card = ModelCard(
        name=name,
        title=path.stem,
        family="unknown",
        source=EngineSource(engine="none"),
        architecture="baseline",
        license="unknown",
        note="Its card cannot be read, so nothing is known of it.",
    )
    return CardFile(card=card, path=path, mistake=mistake)


def _read_cards(paths: Iterable[Path], *, broken: bool = False) -> list[CardFile]:
    cards: list[CardFile] = []
    mistakes: list[Mistake] = []
    for path in paths:
        try:
            cards.append(read_card(path))
        except FileError as error:
            if broken:
                cards.append(_unread(path, str(error)))
            else:
                mistakes += error.mistakes
    if mistakes:
        raise FileError(mistakes)
    return cards


def find_cards(
    selection: str, is_available: Callable[[CardFile], bool], *, broken: bool = False
) -> list[CardFile]:
    """The cards that a selection names; where it gives names alone, no other file is read.

    Raises a FileError where one cannot be read, unless such are wanted too (`broken`).
    """
    known = yaml_files("model_cards")
    names = sorted({term.strip() for term in selection.split(",") if term.strip()})
    if names and all(name in known for name in names):
        return _read_cards((known[name] for name in names), broken=broken)
    return select_cards(selection, _read_cards(known.values(), broken=broken), is_available)


_COMPARISON = re.compile(r"^params(<=|>=|<|>)(\d+(?:\.\d+)?)([KMB]?)$", re.IGNORECASE)
_UNIT = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9}


def select_cards(
    selection: str, cards: Sequence[CardFile], is_available: Callable[[CardFile], bool]
) -> list[CardFile]:
    """The cards that any comma-separated term names.

    A term is `all`, `available` (asks `is_available`), a name, a glob, `family:F` or `params<1B`;
    UsageError when one names nothing.
    """
    chosen: dict[str, CardFile] = {}
    for term in filter(None, (part.strip() for part in selection.split(","))):
        wanted = is_available if term == "available" else partial(_matches, term)
        found = [file for file in cards if wanted(file)]
        if not found:
            slip = term.startswith("params") and not _COMPARISON.match(term)
            hint = "; a size is as in params<500M" if slip else did_you_mean(term, _terms(cards))
            raise UsageError(f"no model matches '{term}'{hint} (bench models list)")
        chosen |= {file.card.name: file for file in found}
    if not chosen:
        raise UsageError("no models are named; try --models all")
    return [chosen[name] for name in sorted(chosen)]


def _terms(cards: Iterable[CardFile]) -> set[str]:
    files = list(cards)
    return {f.card.name for f in files} | {f"family:{f.card.family}" for f in files} | {"all", "available"}


def _matches(term: str, file: CardFile) -> bool:
    card = file.card
    if term == "all":
        return True
    if term.startswith("family:"):
        return card.family == term.removeprefix("family:")
    if comparison := _COMPARISON.match(term):
        return _compares(card.parameters, *comparison.groups())
    return fnmatch.fnmatchcase(card.name, term)


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
