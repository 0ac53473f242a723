"""Mistakes of rows, each distinct one once."""

from collections import Counter
from collections.abc import Sequence

from bench.errors import Mistake
from bench.inputs.readers import Place
from bench.inputs.row_error import RowError
from bench.wording import counted

PlacedError = tuple[Place, RowError]


def distinct(mistakes: Sequence[PlacedError]) -> list[Mistake]:
    """Each distinct mistake at its first row, with the number of further rows that have it."""
    rows = Counter((error.key, error.text) for _, error in mistakes)
    first_mistakes: dict[tuple[str, str], Mistake] = {}
    for place, error in mistakes:
        more = rows[error.key, error.text] - 1
        text = error.text + (f" (and in {counted(more, 'more row')})" if more else "")
        first_mistakes.setdefault((error.key, error.text), Mistake(place.file, place.line, error.key, text))
    return list(first_mistakes.values())
