"""What an engine takes, as it declares it: a card is checked against that when it is read.

The engine itself (`bench/engines/kinds.py: EngineKind`) adds how it is opened.
"""

from dataclasses import dataclass
from typing import Literal

from bench.config import Strict
from bench.plugins import Registry
from bench.types import Reads

TRANSFORMERS = "transformers"
"""The engine of a card that names none."""

Architecture = Literal["decoder", "encoder-decoder", "baseline", "unknown"]
"""`unknown` is of a model that another program ran and did not report; no card in a file may say it."""

SourceKind = Literal["hub", "package", "path"]
"""The places that weights come from."""


class NoSettings(Strict):
    """Of an engine that has no settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRules:
    """`sources` are the kinds of places whose weights it loads; none for an engine without weights.

    `files` are patterns of the files there that it reads; their digest is part of a cell's identity.
    `choices` are the variant choices that it carries out: of ours `dtype`, `quantize`, `lora`, `adapter`,
    `prompt` (chat templates) and `generate`, and any of another package. `settings` is the model of the
    card's `settings`.
    """

    reads: Reads
    architectures: frozenset[Architecture]
    sources: frozenset[SourceKind] = frozenset()
    files: tuple[str, ...] = ()
    choices: frozenset[str] = frozenset()
    settings: type[Strict] = NoSettings


RULES = Registry("bench.engines", "engine", EngineRules)
