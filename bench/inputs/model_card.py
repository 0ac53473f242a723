"""A model card: a YAML file in `model_cards/` with where the weights are and facts about the model."""

from typing import Annotated, Any, Literal, cast

from pydantic import Discriminator, Field, Tag, model_validator

from bench.config import Name, Strict
from bench.inputs.engine_rules import TRANSFORMERS, Architecture, SourceKind
from bench.numbers import Positive, Scalar
from bench.types import PromptStyle

GgufName = Annotated[str, Field(pattern=r"^(?:[\w. -]+/)*[\w. -]+\.gguf$")]


class HubSource(Strict):
    """A repository of the hub; `file` is the GGUF file in it that runs, the first one where it is split."""

    hub: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    revision: str = "main"
    file: GgufName | None = Field(default=None, exclude_if=lambda file: file is None)


class PackageSource(Strict):
    """A GGUF file inside an installed Python package; with `sha256`, no other file of that name is used."""

    package: str
    file: Annotated[str, Field(pattern=r"\.gguf$")]
    requirement: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        default=None, exclude_if=lambda digest: digest is None
    )


Settings = dict[str, Scalar]


class PathSource(Strict):
    """A folder of safetensors weights, or a GGUF file; a relative path starts at the card's folder."""

    path: Annotated[str, Field(pattern=r"^[^\x00]+$")]


class ProgramSource(Strict):
    """A model that another program ran, with that program's arguments; only in imported runs."""

    program: str
    arguments: Settings = Field(default_factory=dict)


_SOURCES = {"hub": HubSource, "package": PackageSource, "path": PathSource, "program": ProgramSource}


def _kind(raw: Any) -> str | None:
    for key, source in _SOURCES.items():
        if isinstance(raw, source) or (isinstance(raw, dict) and key in raw):
            return f"{key} source"
    return None


Source = Annotated[
    Annotated[HubSource, Tag("hub source")]
    | Annotated[PackageSource, Tag("package source")]
    | Annotated[PathSource, Tag("path source")]
    | Annotated[ProgramSource, Tag("program source")],
    Discriminator(
        _kind, custom_error_type="card_source", custom_error_message="needs one of hub, package, path"
    ),
]


FileSource = Annotated[
    Annotated[HubSource, Tag("hub source")]
    | Annotated[PackageSource, Tag("package source")]
    | Annotated[PathSource, Tag("path source")],
    Discriminator(
        _kind, custom_error_type="card_source", custom_error_message="needs one of hub, package, path"
    ),
]
"""Where one GGUF file is."""


def _is_unset(value: object) -> bool:
    """Whether a fact is left out of result files, as in those from before cards could state it."""
    return not value


class ModelCard(Strict):
    """`engine` is None for a model that another program ran; `source` is None for a model without weights.

    `context` is the longest input in tokens; `released` is YYYY-MM.
    """

    name: Name
    title: str
    family: str
    engine: str | None = TRANSFORMERS
    settings: Settings = Field(default_factory=dict)
    """Settings of the engine; part of a cell's identity."""
    source: Source | None = None
    gguf: dict[Annotated[str, Field(pattern=r"^[\w.+-]+$")], FileSource] = Field(
        default_factory=dict[str, FileSource], exclude_if=_is_unset
    )
    """GGUF files of the model that the engine llama.cpp can run, by names for `--gguf`."""
    architecture: Architecture
    parameters: Positive | None = None
    text_parameters: Positive | None = Field(default=None, exclude_if=_is_unset)
    """Those of the text part, where the files also hold a vision or an audio part."""
    active_parameters: Positive | None = Field(default=None, exclude_if=_is_unset)
    """Those that a token uses, or that the publisher calls effective."""
    download_bytes: Positive | None = Field(default=None, exclude_if=_is_unset)
    """The size of the files that the engine reads, as they are."""
    context: Positive | None = None
    license: str
    gated: bool = Field(default=False, exclude_if=_is_unset)
    """Whether the hub gives the files only to accounts that accepted the publisher's terms."""
    chat: bool = False
    prompt: PromptStyle | None = None
    """The prompt style; by default `chat` for a chat model, else `plain`."""
    languages: tuple[str, ...] = ()
    released: Annotated[str, Field(pattern=r"^\d{4}-\d{2}$")] | None = None
    learns_from: Literal["train"] | None = None
    base: Annotated[str, Field(pattern=r"^[\w.-]+(/[\w.-]+)?$")] | None = Field(
        default=None, exclude_if=_is_unset
    )
    """The model that it was tuned from: a card's name or a hub id."""
    trained_on: tuple[Annotated[str, Field(min_length=1)], ...] = Field(default=(), exclude_if=_is_unset)
    """Tasks and data sets, by name or hub id, whose training questions it was tuned on."""
    references: tuple[str, ...] = ()
    note: str = ""

    @property
    def style(self) -> PromptStyle:
        """The prompt style that applies when a variant does not choose one."""
        return self.prompt or ("chat" if self.chat else "plain")

    @property
    def is_baseline(self) -> bool:
        """Whether it is a baseline: an engine without a language model."""
        return self.architecture == "baseline"

    @model_validator(mode="before")
    @classmethod
    def _engine_has_its_own_key(cls, raw: Any) -> Any:
        """Read the old form of a card, `source: {engine: NAME, settings: {…}}`."""
        if not isinstance(raw, dict):
            return raw
        card = cast("dict[str, Any]", raw)
        source = card.get("source")
        if not isinstance(source, dict) or "engine" not in source:
            return card
        old = cast("dict[str, Any]", source)
        if unknown := sorted(old.keys() - {"engine", "settings"}):
            raise ValueError(f"source.{unknown[0]}: cannot be combined with source.engine")
        if twice := sorted(old.keys() & card.keys()):
            raise ValueError(f"{twice[0]} is given both in source and beside it: keep the one beside source")
        return {key: value for key, value in card.items() if key != "source"} | old


DESCRIPTIONS = tuple(name for name, key in ModelCard.model_fields.items() if key.exclude_if is _is_unset)
"""Keys that describe a model and move no score: the board takes them from today's card."""


def source_kind(card: ModelCard) -> SourceKind | None:
    """Where the card's weights are; None for a model without weights, or one that another program ran."""
    match card.source:
        case HubSource():
            return "hub"
        case PackageSource():
            return "package"
        case PathSource():
            return "path"
        case _:
            return None
