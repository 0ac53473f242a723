"""Command-line flags for the choices of a variant, made from the pydantic model of a sweep file's variants.

`bench --help` must not import pydantic, so the flags are made when their command is called.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bench.errors import BenchError, UsageError
from bench.types import Value

if TYPE_CHECKING:
    from pydantic import ValidationError

    from bench.inputs.choices import Choices

F = TypeVar("F", bound=Callable[..., None])
TUNINGS = ("lora", "adapter")
"""Choices that exclude each other: a quick tuning and an adapter are never combined in one variant."""


@dataclass(frozen=True, slots=True)
class ChosenFlags:
    """The values of the given flags, by choice; each combination is a variant."""

    model: "type[Choices]"
    values: Mapping[str, tuple[Value, ...]]

    def variants(self, written: "Sequence[Choices]" = ()) -> "tuple[Choices, ...]":
        """The variants of a sweep file (one with no choices, if it has none), overridden by the flags."""
        return tuple(choices for base in written or (self.model(),) for choices in self._override(base))

    def _override(self, base: "Choices") -> "Iterator[Choices]":
        values = {name: (value,) for name, value in base.made.items()} | dict(self.values)
        names = [name for name in self.model.model_fields if name in values]
        axes = [[(name, value) for value in values[name]] for name in names if name not in TUNINGS]
        tunings = [(name, value) for name in TUNINGS for value in values.get(name, ())]
        for combination in product(*axes, *([tunings] if tunings else [])):
            yield _validated(self.model, dict(combination))


def _validated(model: "type[Choices]", values: Mapping[str, Value]) -> "Choices":
    from pydantic import ValidationError

    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise UsageError(_describe_errors(error)) from error


def _describe_errors(error: "ValidationError") -> str:
    """The errors, with the names of flags instead of keys."""
    from bench.inputs.choices import NeedsGenerate, flag

    texts: list[str] = []
    for detail in error.errors():
        name = flag(str(detail["loc"][0]))
        match detail:
            case {"ctx": {"error": NeedsGenerate()}}:
                texts.append(f"{name} needs --generate")
            case _:
                texts.append(f"{name}: {detail['msg'].removeprefix('Value error, ')}")
    return "; ".join(texts)


class _CommaSeparated(click.Option):
    """An option that takes several values, separated by commas."""

    def type_cast_value(self, ctx: click.Context, value: str | None) -> tuple[Value, ...]:
        parts = [] if value is None else value.split(",")
        return tuple(dict.fromkeys(self.type(part.strip(), self, ctx) for part in parts))

    def make_metavar(self, ctx: click.Context) -> str:
        return f"{super().make_metavar(ctx)}[,...]"


class _Placeholder(click.Option):
    """Marks where a command lists the flags of the choices `names`, or of all choices if it is empty.

    It is not a flag itself.
    """

    def __init__(self, declarations: Sequence[str], *, names: Sequence[str], several: bool) -> None:
        super().__init__(declarations)
        self.names = names
        self.several = several

    @property
    def model(self) -> "type[Choices]":
        """The model of the choices; includes those of other packages only if `names` is empty."""
        from bench.inputs.choices import Choices, choices_model

        return Choices if self.names else choices_model()

    def options(self) -> list[click.Option]:
        schemas: dict[str, Mapping[str, Any]] = self.model.model_json_schema()["properties"]
        return [_option(name, schemas[name], several=self.several) for name in self.names or schemas]

    def chosen(self, params: dict[str, Any]) -> "ChosenFlags | Choices":
        """Removes the flags' values from a command's parameters; a Choices if each flag has one value."""
        model = self.model
        given = {name: _tuple(params.pop(name)) for name in self.names or model.model_fields}
        values = {name: several for name, several in given.items() if several}
        flags = ChosenFlags(model, values)
        return flags if self.several else flags.variants()[0]


def _tuple(value: Value | tuple[Value, ...] | None) -> tuple[Value, ...]:
    match value:
        case None:
            return ()
        case tuple():
            return value
        case _:
            return (value,)


class ChoiceCommand(click.Command):
    """A command that has flags for choices."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        params = super().get_params(ctx)
        own = [param for param in params if not isinstance(param, _Placeholder)]
        made: list[click.Parameter] = []
        for param in params:
            if isinstance(param, _Placeholder):
                made += [_check_name(option, own) for option in param.options()]
            else:
                made.append(param)
        return made

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        for param in self.params:
            if isinstance(param, _Placeholder):
                ctx.params["choices"] = param.chosen(ctx.params)
        return rest


def variant_flags(function: F) -> F:
    """Flags for all choices, each with one value or several; `choices` is a ChosenFlags.

    The command is a ChoiceCommand.
    """
    return click.option("--choices", cls=_Placeholder, names=(), several=True)(function)


def choice_flags(*names: str) -> Callable[[F], F]:
    """Flags for these choices with one value each; `choices` is a Choices. The command is a ChoiceCommand."""
    return click.option("--choices", cls=_Placeholder, names=names, several=False)


def _check_name(option: click.Option, others: Sequence[click.Parameter]) -> click.Option:
    """The option; raises a BenchError if another option has the same name."""
    from bench.inputs.choices import origin

    taken = {name for other in others for name in (other.name, *other.opts, *other.secondary_opts)}
    if taken & {option.name, *option.opts, *option.secondary_opts}:
        raise BenchError(
            f"{origin(option.name or '')} has the same name as another flag; its package must rename it"
        )
    return option


def _option(name: str, schema: Mapping[str, Any], *, several: bool) -> click.Option:
    from bench.inputs.choices import flag, origin

    text = str(schema["description"])
    value = next(part for part in schema.get("anyOf", [schema]) if part.get("type") != "null")
    kind = _type(value)
    if kind is None:
        raise BenchError(f"{origin(name)} has a type that is not supported for flags; see CONTRIBUTING.md")
    if kind is click.BOOL:
        return click.Option([f"{flag(name)}/{flag(f'no_{name}')}"], default=None, help=text)
    if kind is click.STRING and "pattern" in value:
        option = _CommaSeparated if several else click.Option
        return option([flag(name)], type=kind, metavar="NAME", help=text)
    if kind is click.STRING:  # may hold a comma
        return click.Option([flag(name)], multiple=several, metavar=name.upper(), help=text)
    option = _CommaSeparated if several else click.Option
    metavar = None if isinstance(kind, click.Choice) else "N"
    return option([flag(name)], type=kind, metavar=metavar, help=text)


def _type(schema: Mapping[str, Any]) -> click.ParamType[Value] | None:
    """The click type for values with this JSON schema, or None."""
    match schema:
        case {"enum": [*words]}:
            return click.Choice(words)
        case {"const": word}:
            return click.Choice([word])
        case {"type": "integer"}:
            return click.IntRange(*_bounds(schema))
        case {"type": "number"}:
            return click.FloatRange(*_bounds(schema))
        case {"type": "boolean"}:
            return click.BOOL
        case {"type": "string"}:
            return click.STRING
        case _:
            return None


def _bounds(schema: Mapping[str, Any]) -> tuple[Any, Any, bool, bool]:
    """Lowest and highest value, and whether each is excluded."""
    from bench.numbers import MOST

    low, high = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    highest = schema.get("maximum") if high is None else high
    return (
        schema.get("minimum") if low is None else low,
        None if highest == MOST else highest,
        low is not None,
        high is not None,
    )
