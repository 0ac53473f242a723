"""What pydantic finds wrong with a value, in plain words."""

from collections.abc import Mapping, Sequence
from typing import cast

from pydantic_core import ErrorDetails

_EXPECTED: Mapping[str, str] = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "keys and values",
    "mapping_type": "keys and values",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number of {ge:g} or more",
    "less_than": "a number below {lt:g}",
    "less_than_equal": "a number of {le:g} or less",
    "too_short": "a list of {min_length} or more values",
    "too_long": "a list of {max_length} or fewer values",
    "string_too_short": "a text of {min_length} or more characters",
    "string_too_long": "a text of {max_length} or fewer characters",
    "string_pattern_mismatch": "a text of the form {pattern}",
}
"""The kinds of pydantic's errors that are about one value, with what should stand there."""


def is_of_value(detail: ErrorDetails) -> bool:
    """Whether the error says that a value is of the wrong type or out of bounds."""
    return detail["type"] in _EXPECTED


def expected(details: Sequence[ErrorDetails]) -> str:
    """One text for the errors of one value, of which a union has one for each of its types."""
    words = list(dict.fromkeys(_EXPECTED[one["type"]].format_map(one.get("ctx", {})) for one in details))
    if "a number" in words:
        words = [word for word in words if word != "a whole number"]
    either = f"{', '.join(words[:-1])} or {words[-1]}" if words[1:] else words[0]
    return f"expected {either}, not {shown(details[0]['input'])}"


def shown(value: object) -> str:
    """The value as YAML has it, cut; of keys and values the keys."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict) and value:
        return ", ".join(map(str, cast("Mapping[object, object]", value)))[:80]
    return f"{value!r:.80}"
