"""A mistake in one row of a data set."""

from bench.inputs.odd_rows import OddKind

LEAVE_OUT = "correct the row, or leave it out with data.where"
"""The remedy for a row that no rule of the task settles."""
AS_TEXT = "write it as a text, in quotes, or name another column in data.columns"
"""The remedy for a value that is neither a text nor a number."""


class RowError(Exception):
    """`key` is the column, "" where the whole row is wrong.

    `kind` is given where the task's rules say what happens to such rows.
    """

    def __init__(self, key: str, text: str, kind: OddKind | None = None) -> None:
        super().__init__(f"{key}: {text}")
        self.key = key
        self.text = text
        self.kind: OddKind | None = kind
