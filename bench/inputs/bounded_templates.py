"""Jinja templates of strangers, in a sandbox, and with an end.

Jinja's sandbox keeps a template from files and code, but not from growing or running without limit. Here
everything that a template does is counted (`template_budget.py`): filters, tests and calls where they are
made, operators where the sandbox hands them over, and the rest by calls that are put into the compiled
template.
"""

import traceback
from collections.abc import Callable, Mapping
from functools import wraps
from string import Formatter
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateRuntimeError, nodes
from jinja2.compiler import CodeGenerator
from jinja2.filters import do_round
from jinja2.runtime import Context, LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bench.inputs import template_budget as budget

SOURCE = 50_000
"""Characters that a template may have."""
_PRECISION = 300
"""The digits that 'round' may keep: all that a number has."""
_UNUSED = ("pprint", "random", "urlize")
"""Filters that no prompt needs: one draws, and two take a time that grows with a square or worse."""
_JINJAS_OWN = ("_loop_vars", "_block_vars")
"""Arguments that Jinja adds to calls."""
_NO_METHODS = frozenset({"encode", "from_bytes", "fromkeys", "to_bytes"})
"""Methods that no prompt needs: their results would have to be counted, too."""


def in_bounds(template: Template, values: Mapping[str, object]) -> str:
    """The text of a BoundedEnvironment's template; raises a TemplateRuntimeError beyond the budget."""
    budget.begin()
    return template.render(values)


def place_in_template(error: BaseException) -> str:
    """Where a rendering failed, for messages: ", line 2 of the template"; "" where it is not known."""
    steps = traceback.extract_tb(error.__traceback__)
    line = next((step.lineno for step in reversed(steps) if step.filename == "<template>"), None)
    return f", line {line} of the template" if line else ""


def _rounded(value: Any, precision: int = 0, method: Any = "common") -> Any:
    if not isinstance(value, (int, float)) or abs(precision) > _PRECISION:
        budget.refuse("the filter 'round'")
    return do_round(value, precision, method)


def _guarded(kind: str, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if name == "sum" and any(isinstance(start, (list, tuple)) for start in (*args[2:], *kwargs.values())):
            raise TemplateRuntimeError("the filter 'sum' adds numbers only")
        if kind == "test" and isinstance(args[0], str) and name in ("odd", "even", "divisibleby"):
            raise TemplateRuntimeError(f"the test '{name}' is for numbers")  # % would format a text
        if name == "format":
            budget.read_percent(str(budget.weighed(args[0])), kwargs or args[1:])
        else:
            budget.read(kind, name, (*args, *kwargs.values()))
        return budget.made(function(*args, **kwargs))

    return guarded


class _Generator(CodeGenerator):
    """Counts what runs in loops and macros, and what comparisons and `~` read: the sandbox sees neither."""

    def visit_Template(self, node: nodes.Template, frame: Any = None) -> None:  # noqa: N802 (Jinja's name)
        _count(node)
        super().visit_Template(node, frame)

    def visit_Call(self, node: nodes.Call, frame: Any, forward_caller: bool = False) -> None:  # noqa: N802
        if isinstance(node.node, nodes.EnvironmentAttribute):  # one of ours: no call for the sandbox
            self.visit(node.node, frame)
            self.write("(")
            for argument in node.args:
                self.visit(argument, frame)
                self.write(", ")
            self.write(")")
        else:
            super().visit_Call(node, frame, forward_caller=forward_caller)

    def visit_Getitem(self, node: nodes.Getitem, frame: Any) -> None:  # noqa: N802
        sliced = isinstance(node.arg, nodes.Slice)
        self.write("environment.made(" if sliced else "(")
        super().visit_Getitem(node, frame)
        self.write(")")

    def _output_child_to_const(self, node: nodes.Expr, frame: Any, finalize: Any) -> str:
        if isinstance(node, nodes.TemplateData):
            return super()._output_child_to_const(node, frame, finalize)
        raise nodes.Impossible  # nothing is computed before it is counted


def _ours(name: str, *args: Any) -> nodes.Call:
    """A call of a function of BoundedEnvironment, which no template can write."""
    line = args[0].lineno
    return nodes.Call(nodes.EnvironmentAttribute(name), list(args), [], None, None, lineno=line)


def _count(node: Any) -> int:
    """The parts and characters of a node; puts calls that count into it and all below."""
    cost = len(node.data) if isinstance(node, nodes.TemplateData) else budget.PART
    cost += sum(_count(child) for child in node.iter_child_nodes())
    if isinstance(node, (nodes.Operand, nodes.Compare)):
        node.expr = _ours("weighed", node.expr)
    elif isinstance(node, nodes.Concat):
        node.nodes = [_ours("finalize", one) for one in node.nodes]
    elif isinstance(node, nodes.Pair):
        node.key = _ours("key", node.key)
    elif isinstance(node, (nodes.For, nodes.Macro, nodes.CallBlock, nodes.Block)):
        nothing, amount = nodes.Const(None, lineno=node.lineno), nodes.Const(cost)
        if isinstance(node, nodes.For):
            node.iter = _ours("steps", node.iter)
            node.test = node.test and _ours("counted", node.test, amount)
        node.body.insert(0, nodes.ExprStmt(_ours("counted", nothing, amount), lineno=node.lineno))
    return cost


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """Templates without globals or chance, whose work is bounded; undefined variables are errors."""

    code_generator_class = _Generator
    intercepted_binops = frozenset(ImmutableSandboxedEnvironment.default_binop_table)
    intercepted_unops = frozenset(ImmutableSandboxedEnvironment.default_unop_table)
    counted, key, made = staticmethod(budget.counted), staticmethod(budget.key), staticmethod(budget.made)
    steps, weighed = staticmethod(budget.steps), staticmethod(budget.weighed)

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False, optimized=False, finalize=budget.text)
        self.globals.clear()  # a prompt depends on its item alone
        for name in _UNUSED:
            del self.filters[name]
        self.filters["round"] = _rounded
        self.filters = {name: _guarded("filter", name, filter_) for name, filter_ in self.filters.items()}
        self.tests = {name: _guarded("test", name, test) for name, test in self.tests.items()}

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Whether a template may use this attribute."""
        return attr not in _NO_METHODS and super().is_safe_attribute(obj, attr, value)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """A part of a value; sorting and grouping by attributes takes parts, too."""
        budget.charge(budget.CALL)
        if not isinstance(argument, (str, int)):
            budget.weigh(argument)
        return super().getitem(obj, argument)

    def call_unop(self, context: Context, operator: str, arg: Any) -> Any:
        """The result of a sign; raises a TemplateRuntimeError where the number is too long."""
        budget.weigh(arg)
        return super().call_unop(context, operator, arg)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """The result of an operator; raises a TemplateRuntimeError where it would be too large."""
        budget.charge((budget.extent(left) + budget.extent(right)) // budget.READ)
        whole = isinstance(left, int) and isinstance(right, int)
        if operator == "%" and isinstance(left, str):
            budget.read_percent(left, right)
        elif operator == "**" and whole and left.bit_length() * abs(right) > budget.BITS:
            budget.refuse("a power")
        elif operator == "*" and not whole:
            budget.charge_estimate("a product", budget.times(left) * budget.times(right))
        return budget.made(super().call_binop(context, operator, left, right))

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        """The result of a call; raises a TemplateRuntimeError where it would be too large."""
        name = getattr(obj, "__name__", "")
        this = getattr(getattr(obj, "__wrapped__", obj), "__self__", None)  # the sandbox wraps str.format
        values = [*args, *(value for key, value in kwargs.items() if key not in _JINJAS_OWN)]
        if isinstance(obj, Macro):
            budget.charge(len(values))
        elif isinstance(this, str) and name in ("format", "format_map"):
            parsed = list(Formatter().parse(this))
            budget.read_format(this, (spec or "" for _, _, spec, _ in parsed), len(parsed), values)
        else:
            budget.read("call", name, [None if isinstance(this, LoopContext) else this, *values])
        budget.charge(budget.CALL)
        return budget.made(super().call(context, obj, *args, **kwargs))
