"""Two runs side by side: whether they may be compared, and what that comes to in words."""

from bench.runs.compare import in_points
from bench.runs.result import CellFacts
from bench.runs.store import Run
from bench.stats.paired import Paired


def comparable(cell: CellFacts) -> tuple[int, int, str, str]:
    """Runs are compared only where this is equal, and only if they are whole."""
    return cell.task.version, cell.engine_version, cell.task.sha256, cell.data["test"].sha256


def why_not(first: Run, second: Run) -> str:
    """Why the two may not be compared; "" where they may."""
    one, other = first.result.cell, second.result.cell
    if one.limit != other.limit:
        return "they were asked different numbers of questions"
    if comparable(one) != comparable(other):
        return "they are of other versions of the task, its data or the engine"
    if [record.question for record in first.records] != [record.question for record in second.records]:
        return "they were asked other questions"
    return ""


def words(first: str, second: str, found: Paired) -> str:
    """The difference in a sentence, with its interval and p."""
    both = f"{found.both + found.only_first} and {found.both + found.only_second} right"
    total = found.both + found.only_first + found.only_second + found.neither
    if found.p > 0.05:
        verdict = f"{first} and {second} cannot be told apart"
    else:
        better, worse = (second, first) if found.difference > 0 else (first, second)
        verdict = f"{better} is better than {worse}"
    return f"{verdict}: {both} of {total}, the second {in_points(found)}."
