"""What an engine accepts; a card is checked against these rules when it is read.

`bench/engines/kinds.py: EngineKind` extends them with how the engine is opened.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from bench.config import Strict
from bench.plugins import Registry
from bench.types import Reads

if TYPE_CHECKING:
    from bench.inputs.located import Trust
    from bench.inputs.model_card import ModelCard

TRANSFORMERS = "transformers"
"""The engine of a card that does not name one."""
LLAMA_CPP = "llama.cpp"
"""The engine of GGUF files as they are."""
OPENAI = "openai"
"""The engine of servers with the OpenAI interface."""

Architecture = Literal["decoder", "encoder-decoder", "baseline", "unknown"]
"""`unknown` is for imported runs whose program does not report it; a card in a file may not use it."""

SourceKind = Literal["hub", "package", "path"]
"""Where weights are: on the hub, in an installed package, or at a path."""


class NoSettings(Strict):
    """For engines that have no settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRules:
    """What an engine accepts.

    `sources` are the places it loads weights from; empty for an engine without weights. `files` are
    glob patterns of the weight files it reads; their digest is part of a cell's identity. `choices`
    are the variant choices it supports: `dtype`, `quantize`, `lora`, `adapter`, `prompt` (chat
    templates), `generate`, and any that other packages add. `settings` validates the card's `settings`.
    `needs` has the modules that the engine imports and that may not be installed, with the command that
    installs each. `check_access` raises Unavailable where the engine queries a server that it cannot reach
    or that the user has not allowed; it gets the card, what the user allows, and whether the network is off.
    """

    reads: Reads
    architectures: frozenset[Architecture]
    sources: frozenset[SourceKind] = frozenset()
    files: tuple[str, ...] = ()
    choices: frozenset[str] = frozenset()
    settings: type[Strict] = NoSettings
    needs: Mapping[str, str] = field(default_factory=dict[str, str])
    check_access: "Callable[[ModelCard, Trust, bool], None]" = lambda _card, _trust, _offline: None


RULES = Registry("bench.engines", "engine", EngineRules)
