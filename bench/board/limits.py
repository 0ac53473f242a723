"""Limits: the most that a model may need, and what it does need. Pure."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.errors import UsageError
from bench.wording import latency, number, size

PERMISSIVE = frozenset({"apache-2.0", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "isc", "mit", "unlicense"})
"""Licences that allow any use and ask for little but to be named."""
_BYTES = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12} | {
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip
_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0}
_JOULES = {"j": 1.0, "kj": 1000.0, "wh": 3600.0}


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that a model may need; None and "" are no limit.

    `memory` and `disk` are bytes, `p50` and `p95` seconds of a question asked alone, and `joules` those of
    one answer. `licence` is a licence's name, or "permissive" for those of `PERMISSIVE`, and `languages` are
    codes as in model cards. `machine` is the `hardware` on which the costs were measured; "" is any.
    """

    memory: int | None = None
    p50: float | None = None
    p95: float | None = None
    disk: int | None = None
    joules: float | None = None
    licence: str = ""
    languages: tuple[str, ...] = ()
    machine: str = ""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a model was measured to need, in the units of `Limits`; None is unknown.

    `languages` are those that its card states, () where it states none. `weights` are bytes in memory,
    which are part of `memory`.
    """

    memory: int | None
    p50: float | None
    p95: float | None
    disk: int | None
    joules: float | None
    licence: str
    languages: tuple[str, ...] = ()
    weights: int | None = None


def _joules(value: float) -> str:
    return f"{number(value)}\u202fJ"


_COSTS: tuple[tuple[str, str, str, Callable[..., str]], ...] = (
    ("memory", "{} of memory", "memory", size),
    ("p50", "{} for one answer", "latency", latency),
    ("p95", "{} for 95 of 100 answers", "latency", latency),
    ("disk", "{} on disk", "size on disk", size),
    ("joules", "{} for one answer", "energy", _joules),
)
"""A limit's name, its text around the value, what has to be measured for it, and the value's text."""
COSTS = tuple(name for name, *_ in _COSTS)
LONGEST = 80
"""Characters of a description of limits."""
LANGUAGES = "languages"
"""Stands in `unknown` for a card that states no languages."""


def over(needs: Needs, limits: Limits) -> tuple[str, ...]:
    """What of the needs is beyond a limit, in words."""
    words = [
        text.format(format_value(need))
        for name, text, _, format_value in _COSTS
        if (need := getattr(needs, name)) is not None
        and (limit := getattr(limits, name)) is not None
        and need > limit
    ]
    if limits.licence and not _is_allowed(needs.licence, limits.licence):
        words.append(f"the licence {needs.licence}")
    absent = [language for language in limits.languages if language not in needs.languages]
    if needs.languages and absent:
        words.append(f"no support for {join(absent)}")
    return tuple(words)


def unknown(needs: Needs, limits: Limits) -> tuple[str, ...]:
    """What is not known although there is a limit on it."""
    words = [
        measured
        for name, _, measured, _ in _COSTS
        if getattr(limits, name) is not None and getattr(needs, name) is None
    ]
    if limits.languages and not needs.languages:
        words.append(LANGUAGES)
    return tuple(dict.fromkeys(words))


def describe_limits(limits: Limits) -> str:
    """ "within 4 GB of memory and 500 ms for one answer and with a permissive licence"; "" without limits.

    Longer than `LONGEST`, it is "within all of your limits".
    """
    terms: list[str] = []
    if limits.licence:
        terms.append(
            "a permissive licence" if _is_permissive(limits.licence) else f"the licence {limits.licence}"
        )
    if limits.languages:
        terms.append(f"support for {join(limits.languages)}")
    costs = _values(limits)
    parts = f"within {join(costs)}" if costs else "", f"with {join(terms)}" if terms else ""
    text = " and ".join(filter(None, parts))
    return text if len(text) <= LONGEST else "within all of your limits"


def describe_needs(needs: Needs) -> str:
    """ "8.9 GB of memory and 1.4 s for one answer": memory and p50, as far as they are known."""
    return join(_values(Needs(needs.memory, needs.p50, None, None, None, "")))


def describe_costs(needs: Needs) -> str:
    """ "8.9 GB, 1.4 s": memory and p50 in a list of models, as far as they are known."""
    memory = "" if needs.memory is None else size(needs.memory)
    return ", ".join(filter(None, [memory, "" if needs.p50 is None else latency(needs.p50)]))


def _values(costs: Limits | Needs) -> list[str]:
    return [
        text.format(format_value(value))
        for name, text, _, format_value in _COSTS
        if (value := getattr(costs, name)) is not None
    ]


def join(words: Sequence[str]) -> str:
    """["a", "b", "c"] -> "a, b and c"."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _is_permissive(licence: str) -> bool:
    return licence.casefold() == "permissive"


def _is_allowed(licence: str, limit: str) -> bool:
    if _is_permissive(limit):
        return licence.casefold() in PERMISSIVE
    return licence.casefold() == limit.casefold()


def read_bytes(text: str) -> int:
    """ "4GB" -> 4000000000, "512 MiB" -> 536870912; raises a UsageError."""
    return math.floor(_read(text, _BYTES, "4GB or 512MiB"))


def read_seconds(text: str) -> float:
    """ "500ms" -> 0.5; raises a UsageError."""
    return _read(text, _SECONDS, "500ms or 1.5s")


def read_joules(text: str) -> float:
    """ "20J" -> 20.0; raises a UsageError."""
    return _read(text, _JOULES, "20J or 0.01Wh")


def _read(text: str, units: dict[str, float] | dict[str, int], examples: str) -> float:
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*([a-zA-Z]+)\s*", text, re.ASCII)
    factor = units.get(match[2].casefold()) if match else None
    value = float(match[1]) * factor if match and factor else 0.0
    if not 0.0 < value < math.inf:
        raise UsageError(f"'{text}' is not a limit; write a number above 0 with its unit, such as {examples}")
    return value
