"""A word of the board with what it means."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Term:
    """`name` is a column's name or a word of its own; `plain` is for everybody, `exact` for a reviewer."""

    name: str
    title: str
    plain: str
    exact: str = ""
