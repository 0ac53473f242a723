"""The budget of one rendering of a template: how much it may do, read and make.

Every part of a template that runs, every value that is read and every character that is made counts, and what
multiplies is counted before it is computed. Unlike a limit of time, this is the same everywhere.

What an operation reads is weighed with all its parts, one by one. So a list that holds one list twice, which
holds one list twice, and so on, counts as much as its text would, and the weighing itself has an end.
"""

import re
import threading
from collections.abc import Iterable, Iterator, Mapping, MappingView
from math import prod
from typing import Any, NoReturn, cast

from jinja2 import TemplateRuntimeError
from jinja2.runtime import LoopContext, Macro

BUDGET = 2_000_000
"""Steps and characters that one rendering may take: the text of a long book, or about a second."""
READ = 8
"""Characters that are read, or could be made by an estimate, and count for one."""
SQUARE = 256
"""Steps of an operation in square time that count for one."""
PART = 4
"""What a part of a value, or of a template that runs, counts for."""
CALL = 20
"""What a call counts for, beside what it makes."""
BITS = 10_000
"""The length of a whole number."""
KEY = 60
"""The bits of a number that may be a key: the hashes of longer ones can be made equal."""
_FORMATTED = re.compile(r"%[^a-zA-Z%]*")
_DIGITS = re.compile(r"\d+")
_BY_NUMBERS = frozenset({
    "batch", "center", "expandtabs", "indent", "ljust", "rjust", "slice", "zfill"
})  # fmt: skip
"""Filters and methods whose result grows with a number."""
_BY_REFERENCE = frozenset({
    "attr", "batch", "count", "d", "default", "first", "items", "last", "length", "list", "map", "reject",
    "rejectattr", "reverse", "select", "selectattr", "slice",
    "defined", "none", "undefined",
})  # fmt: skip
"""Filters and tests that do not look into the parts of a value."""
_SQUARED = frozenset({"striptags", "unique", "wordwrap"})
"""Filters and methods that can take a time that grows with the square of what they read."""


class _Spent(threading.local):
    """What the rendering of this thread has used so far."""

    amount = 0


_spent = _Spent()


def begin() -> None:
    """Begin the rendering of a template in this thread, with all of the budget."""
    _spent.amount = 0


def charge(amount: int) -> None:
    """Count steps or characters; raises a TemplateRuntimeError beyond the budget."""
    _spent.amount += amount
    if _spent.amount > BUDGET:
        raise TemplateRuntimeError(f"takes more than {BUDGET:,} steps and characters")


def refuse(what: str) -> NoReturn:
    """Raise a TemplateRuntimeError for an operation that would be too large."""
    raise TemplateRuntimeError(f"{what} would make more than {BUDGET:,} characters or values")


def charge_estimate(what: str, amount: int) -> None:
    """Count what an operation is about to make."""
    if amount > BUDGET:
        refuse(what)
    charge(amount)


def extent(value: object) -> int:
    """The characters, digits or parts of a value itself, at least 1."""
    if isinstance(value, (str, list, tuple, dict)):
        return max(1, len(cast("Any", value)))
    if isinstance(value, int):
        bits = value.bit_length()
        if bits > BITS:
            refuse("a whole number")
        return 1 + bits // 3
    return max(1, len(value.name or "")) if isinstance(value, Macro) else 1


def weigh(value: object) -> int:
    """The extents of a value and of all its parts, charged while they are found."""
    weight, parts = 0, [value]
    while parts:
        part = parts.pop()
        own = extent(part)
        weight += own
        if isinstance(part, str):
            charge(PART + own // READ)
            continue
        charge(PART * own)
        if isinstance(part, (list, tuple)):
            parts += cast("list[object]", part)
        elif isinstance(part, dict):
            for pair in cast("dict[object, object]", part).items():
                parts += pair
        elif isinstance(part, LoopContext):
            raise TemplateRuntimeError("'loop' is no value: use one of its attributes, such as loop.index")
    return weight


def times(factor: object) -> int:
    """How often, at most, a number, or the parts of a value, repeat the other factor of a product."""
    return max(1, abs(factor)) if isinstance(factor, int) else extent(factor)


def read(kind: str, name: str, values: Iterable[object]) -> None:
    """Count what an operation reads, and refuse one whose operands could multiply to too much.

    No operation multiplies more than two of its operands, except those in square time.
    """
    given = list(values)
    indented = name == "tojson" and len(given) > 2  # by a number, for each level
    by_number, shallow = indented or name in _BY_NUMBERS, kind != "call" and name in _BY_REFERENCE
    size = extent if shallow else weigh
    sizes = sorted(times(one) if by_number and isinstance(one, int) else size(one) for one in given)
    multiplies = by_number or not (shallow or kind == "test")
    amount = (prod(sizes[-2:]) if multiplies else sizes[-1]) // READ
    if indented or name in _SQUARED:
        amount += sizes[-1] * prod(sizes[-2:]) // SQUARE
    charge_estimate(f"the {kind} '{name}'", CALL + amount)


def read_format(text: str, specs: Iterable[str], fields: int, values: Iterable[object]) -> None:
    """The same for a format, whose fields may each show all values, and have widths."""
    given = list(specs)
    widths = [digits for spec in given for digits in _DIGITS.findall(spec)]
    if any(set("*{") & set(spec) for spec in given):
        raise TemplateRuntimeError("a width must be written into the format, not be given by a value")
    if any(len(width) > len(str(BUDGET)) for width in widths):
        refuse("format")
    shown = fields * sum(map(weigh, values)) // READ
    charge_estimate("format", len(text) + sum(map(int, widths)) + shown)


def read_percent(text: str, right: object) -> None:
    """The same for the operator % of a text."""
    if isinstance(right, Mapping):  # a name stands between the sign and the width
        specs, values = [text.replace("*", "").replace("{", "")], [cast("object", right)]
    else:
        specs = [spec.replace("{", "") for spec in _FORMATTED.findall(text)]
        values = list(cast("tuple[object, ...]", right)) if isinstance(right, tuple) else [right]
    read_format(text, specs, text.count("%"), values)


def made(result: Any) -> Any:
    """The result of an operation, counted; what would be made step by step is made at once."""
    if isinstance(result, str):
        charge(max(1, len(result)))
    elif isinstance(result, (Iterator, MappingView)) and not isinstance(result, LoopContext):
        return list(steps(cast("Iterable[object]", result)))
    else:
        charge(extent(result))
    return result


def text(value: Any) -> str:
    """A value as it is written, counted."""
    if not isinstance(value, str):
        weigh(value)
    return made(value if isinstance(value, str) else str(value))


def steps(values: Iterable[Any]) -> Iterator[Any]:
    """The values of a loop, each of them counted."""
    for value in values:
        charge(1)
        yield value


def counted(value: Any, cost: int) -> Any:
    """The value, after steps that cost this."""
    charge(cost)
    return value


def weighed(value: Any) -> Any:
    """The value, before all of it is read."""
    weigh(value)
    return value


def key(value: Any) -> Any:
    """A key of a mapping: nothing whose hash takes long to compute, or can be made equal to others'."""
    if isinstance(value, tuple) or (isinstance(value, int) and value.bit_length() > KEY):
        raise TemplateRuntimeError("a key must be a text or a number of fewer digits")
    return value
