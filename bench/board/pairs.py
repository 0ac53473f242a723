"""Two runs compared on the same questions: whether that is possible, and the result in a sentence. Pure."""

from bench.board.board import TaskBoard
from bench.board.changes import format_difference
from bench.board.comparable import are_comparable
from bench.board.facts import names_of
from bench.results.answers import Answered
from bench.stats.paired import Paired
from bench.stats.ranking import detectable

SIGNIFICANT = 0.05


def reason_not_comparable(first: Answered, second: Answered) -> str:
    """Why the two cannot be compared; "" where they can."""
    cells = first.result.cell, second.result.cell
    if cells[0].limit != cells[1].limit:
        return "they were asked different numbers of questions"
    if cells[0].limit_order != cells[1].limit_order:
        return "one was asked the first questions, and one a draw of them"
    if not are_comparable(*cells):
        if cells[0].variant.program != cells[1].variant.program:
            return "they were scored by different programs"
        return "they have different versions of the task, its data or the engine"
    if first.answers.truth != second.answers.truth:
        return "they were asked different questions"
    return ""


def describe_pair(first: str, second: str, pair: Paired) -> str:
    """The difference in a sentence, with its interval and p; `static/compare.js` says the same."""
    right = f"{pair.both + pair.only_first:,} and {pair.both + pair.only_second:,} right"
    total = pair.both + pair.only_first + pair.only_second + pair.neither
    if pair.p > SIGNIFICANT:
        verdict = f"No significant difference between {first} and {second}"
    else:
        better, worse = (second, first) if pair.difference > 0 else (first, second)
        verdict = f"{better} is significantly better than {worse}"
    return f"{verdict}: {right} of {total:,}; second minus first: {format_difference(pair)}."


def describe_detectable(pair: Paired) -> str:
    """The smallest difference that these questions usually show between two models that differ as often."""
    total = pair.both + pair.only_first + pair.only_second + pair.neither
    if not (differ := (pair.only_first + pair.only_second) / total):
        return "This test set shows no difference between the two: both were right on the same questions."
    least = 100 * detectable(total / pair.effect, differ)
    return f"This test set can show differences of at least {least:.1f} points, in 80 of 100 cases."


def row_names(table: TaskBoard) -> list[str]:
    """The rows' names in comparisons."""
    return names_of([row.result.cell for row in table.rows])
