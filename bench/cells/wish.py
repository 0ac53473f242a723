"""What a sweep is asked to run: its variants, and the settings that they share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.errors import Unavailable
from bench.inputs.adapter import Adapter
from bench.inputs.adapter_source import find_adapter
from bench.inputs.choices import Choices
from bench.inputs.engine_rules import LLAMA_CPP, RULES
from bench.inputs.weights import NO_TRUST, Trust
from bench.types import LimitOrder


@dataclass(frozen=True, slots=True)
class Untouched:
    """The model with its own weights."""


@dataclass(frozen=True, slots=True)
class Quick:
    """A LoRA tuning with the default recipe, first; `minutes` is its budget."""

    minutes: float = 10.0


Change = Untouched | Adapter | Quick
UNTOUCHED = Untouched()


@dataclass(frozen=True, slots=True)
class Settings:
    """What all variants share. `limit` is how many items to ask, None for all; `limit_order` is which.

    `allow_code` allows metrics that are Python code (`evaluate:PATH`); it does not affect scores.
    """

    limit: int | None = None
    seed: int = 0
    trust: Trust = NO_TRUST
    allow_code: bool = False
    limit_order: LimitOrder = "drawn"


DEFAULTS = Settings()
_OF_ENGINES = ("dtype", "quantize", "lora", "lora_minutes", "adapter")
"""Choices that not every engine has."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A variant to run; `change` is what its `lora`, `lora_minutes` and `adapter` ask for.

    It is Unavailable where the hub does not give the adapter.
    """

    choices: Choices
    change: Change | Unavailable = UNTOUCHED


def wishes_of(variants: Sequence[Choices], *, offline: bool) -> list[Wish]:
    """The variants with their adapters, each read once; raises a BenchError where a folder is not one.

    Where they name several engines, each engine takes those of the choices that it has.
    """
    if len({choices.engine for choices in variants}) > 1:
        variants = list(dict.fromkeys(map(_own_choices, variants)))
    names = dict.fromkeys(choices.adapter for choices in variants if choices.adapter is not None)
    adapters = {name: _located(name, offline=offline) for name in names}
    return [Wish(choices, _change(choices, adapters)) for choices in variants]


def _own_choices(choices: Choices) -> Choices:
    """The choices without those that the named engine does not have."""
    if choices.engine is None:
        return choices
    has = RULES.get(choices.engine).choices
    others = {name for name in _OF_ENGINES if name.removesuffix("_minutes") not in has}
    others |= set() if choices.engine == LLAMA_CPP else {"gguf"}
    return choices.model_copy(update=dict.fromkeys(others))


def _located(name: str, *, offline: bool) -> Adapter | Unavailable:
    try:
        return find_adapter(name, offline=offline)
    except Unavailable as error:
        return error


def _change(choices: Choices, adapters: Mapping[str, Adapter | Unavailable]) -> Change | Unavailable:
    if choices.adapter is not None:
        return adapters[choices.adapter]
    if choices.lora == "quick":
        return Quick() if choices.lora_minutes is None else Quick(choices.lora_minutes)
    return UNTOUCHED
