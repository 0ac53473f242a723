"""Jinja templates of strangers, in a sandbox, and with an end.

Jinja's sandbox keeps a template from files and code, but not from growing or running without limit. Here
every loop's step, every call and every character that is made counts against a budget of one rendering, and
what multiplies texts is refused before it is computed. Unlike a limit of time, both are the same everywhere.
"""

import re
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from string import Formatter
from typing import Any, cast

from jinja2 import StrictUndefined, Template, TemplateRuntimeError, nodes
from jinja2.compiler import CodeGenerator
from jinja2.runtime import Context, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment

SOURCE = 200_000
"""Characters that a template may have."""
BUDGET = 2_000_000
"""Steps and characters that one rendering may take: the text of a long book, or about a second."""
PRODUCT = 20_000_000
"""What one operation may make, in characters or values, by an estimate from its arguments."""
CALL = 20
"""What a call counts for, beside what it makes."""
BITS = 10_000
"""The length of a whole number."""
_FORMATTED = re.compile(r"%[^a-zA-Z%]*")
_WIDTHS = re.compile(r"\d+")
_BY_NUMBERS = frozenset({"center", "indent", "batch", "slice", "tojson", "round"})
"""Filters whose result grows with a number."""
_UNUSED = ("random", "urlize")
"""Filters that no prompt needs: one draws, and one searches texts in a time that grows with their square."""
_STEPS, _OPERAND = "bounded_steps", "bounded_operand"


class _Spent(threading.local):
    """What the rendering of this thread has used so far."""

    amount = 0


_spent = _Spent()


def in_bounds(template: Template, values: Mapping[str, object]) -> str:
    """The text of a BoundedEnvironment's template; raises a TemplateRuntimeError beyond the budget."""
    _spent.amount = 0
    return template.render(values)


def place_in_template(error: BaseException) -> str:
    """Where a rendering failed, for messages: ", line 2 of the template"; "" where it is not known."""
    steps = traceback.extract_tb(error.__traceback__)
    line = next((step.lineno for step in reversed(steps) if step.filename == "<template>"), None)
    return f", line {line} of the template" if line else ""


def _charge(amount: int) -> None:
    _spent.amount += amount
    if _spent.amount > BUDGET:
        raise TemplateRuntimeError(f"takes more than {BUDGET:,} steps and characters")


def _refuse(what: str) -> None:
    raise TemplateRuntimeError(f"{what} would make more than {PRODUCT:,} characters or values")


def _extent(value: object, *, numbers: bool) -> int:
    """How much a value can add to or multiply a result, at least 1."""
    if isinstance(value, (str, bytes, list, tuple, dict, set)):
        return max(1, len(cast("Any", value)))
    return max(1, abs(value)) if numbers and isinstance(value, int) else 1


def _check(name: str, values: Iterable[object], *, numbers: bool) -> None:
    """Refuse an operation whose arguments could multiply to too much; charge for reading them."""
    product, total = 1, 1
    for value in values:
        product *= _extent(value, numbers=numbers)
        total += _extent(value, numbers=False)
    if product > PRODUCT:
        _refuse(name)
    _charge(total)


def _check_format(text: str, specs: Iterable[str], values: Iterable[object]) -> None:
    """Refuse to format where a width is too large; a width may be an argument too."""
    given = list(specs)
    widths = [min(PRODUCT, int(digits[:12])) for spec in given for digits in _WIDTHS.findall(spec)]
    by_value = any("*" in spec or "{" in spec for spec in given)
    if len(text) * max(widths, default=1) > PRODUCT:
        _refuse("format")
    _check("format", [text, *values], numbers=by_value)


def _check_percent(text: str, right: object) -> None:
    values = list(cast("tuple[object, ...]", right)) if isinstance(right, tuple) else [right]
    _check_format(text, _FORMATTED.findall(text), [] if isinstance(right, Mapping) else values)


def _made(result: Any) -> Any:
    """The result of an operation, counted."""
    _charge(_extent(result, numbers=False))
    return result


def _guarded(name: str, filter_: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(filter_)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if name == "format":
            _check_percent(str(args[0]), args[1:])
        else:
            _check(f"the filter '{name}'", (*args, *kwargs.values()), numbers=name in _BY_NUMBERS)
        return _made(filter_(*args, **kwargs))

    return guarded


def _steps(values: Any, characters: int) -> Iterator[Any]:
    """The values of a loop; each step also counts the literal `characters` in the loop's body."""
    for value in values:
        _charge(1 + characters)
        yield value


class _Generator(CodeGenerator):
    """Counts the steps of loops and the operands of `~`, which the sandbox does not see."""

    def visit_Template(self, node: nodes.Template, frame: Any = None) -> None:  # noqa: N802 (Jinja's name)
        for loop in node.find_all(nodes.For):
            characters = sum(len(part.data) for part in loop.find_all(nodes.TemplateData))
            loop.iter = _filtered(cast("nodes.Expr", loop.iter), _STEPS, nodes.Const(characters))
        for concatenation in node.find_all(nodes.Concat):
            concatenation.nodes = [_filtered(one, _OPERAND) for one in concatenation.nodes]
        super().visit_Template(node, frame)


def _filtered(node: nodes.Expr, name: str, *args: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, list(args), [], None, None, lineno=node.lineno)


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """Templates without globals or chance, whose work is bounded; undefined variables are errors."""

    code_generator_class = _Generator
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False, optimized=False, finalize=_made)
        self.globals.clear()  # a prompt depends on its item alone
        for name in _UNUSED:
            del self.filters[name]
        self.filters = {name: _guarded(name, filter_) for name, filter_ in self.filters.items()}
        self.filters |= {_STEPS: _steps, _OPERAND: _made}

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """The result of an operator; raises a TemplateRuntimeError where it would be too large."""
        whole = isinstance(left, int) and isinstance(right, int)
        if operator == "%" and isinstance(left, str):
            _check_percent(left, right)
        elif operator == "**" and whole and left.bit_length() * abs(right) > BITS:
            _refuse("a power")
        elif operator == "*" and whole and left.bit_length() + right.bit_length() > BITS:
            _refuse("a product")
        elif operator == "*" and not whole:
            _check("a product", (left, right), numbers=True)
        return _made(super().call_binop(context, operator, left, right))

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        """The result of a call; raises a TemplateRuntimeError where it would be too large."""
        this = getattr(getattr(obj, "__wrapped__", obj), "__self__", None)  # the sandbox wraps str.format
        values = (*args, *kwargs.values())
        if isinstance(this, str) and obj.__name__ in ("format", "format_map"):
            _check_format(this, (spec or "" for _, _, spec, _ in Formatter().parse(this)), values)
        elif not isinstance(obj, Macro):
            _check("a call", (this, *values), numbers=True)
        _charge(CALL)
        return _made(super().call(context, obj, *args, **kwargs))
