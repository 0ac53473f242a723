"""Which runs of a task are compared with each other, and why others are not. Pure."""

from collections import Counter
from collections.abc import Sequence

from bench.results.answers import Answered, AnyRun
from bench.results.result import CannotRunResult, CellFacts

OURS = "our engine"


def are_comparable(first: CellFacts, second: CellFacts) -> bool:
    """Whether two runs answered the same task, on the same data, by one version of our engine.

    A run of another program has no such version. It has the digest of a task of ours only where it was
    imported as that task, and then it was asked exactly the same.
    """
    engines = {cell.engine_version for cell in (first, second) if not cell.variant.program}
    return _asked(first) == _asked(second) and len(engines) <= 1


def _asked(cell: CellFacts) -> tuple[int, str, str, int]:
    task, test = cell.task, cell.data["test"]
    return task.version, task.sha256, test.sha256, test.rows


def _same_but_prompt(first: CellFacts, second: CellFacts) -> bool:
    """Whether two complete runs would be comparable if their prompts were the same."""
    same = first.task.version == second.task.version and first.engine_version == second.engine_version
    data = first.data["test"].sha256 == second.data["test"].sha256
    return same and data and first.limit == second.limit


def main_cell(runs: Sequence[AnyRun]) -> CellFacts | None:
    """The cell that decides what the table compares: of the newest version, with most complete runs.

    None where no model could be asked anything.
    """
    complete = Counter(
        (_asked(run.result.cell), run.result.cell.engine_version)
        for run in runs
        if isinstance(run, Answered) and run.result.cell.limit is None
    )
    return max(
        (run.result.cell for run in runs if not isinstance(run.result, CannotRunResult)),
        key=lambda cell: (
            complete[_asked(cell), cell.engine_version] > 0,
            cell.task.version,
            cell.engine_version,
            complete[_asked(cell), cell.engine_version],
            cell.task.sha256,
            cell.id,
        ),
        default=None,
    )


def format_of(run: AnyRun) -> str:
    """The format of the prompt that a run was asked in, "" for the task's own."""
    return "" if isinstance(run.result, CannotRunResult) else run.result.cell.variant.format


def in_format_words(cell: CellFacts) -> str:
    """Why a run in another format is not in the table."""
    return f"asked in the format '{cell.variant.format}' of the prompt"


def why_apart(cell: CellFacts, main: CellFacts) -> str:
    """Why a run is not comparable with the table, "" where it is."""
    if cell.variant.format and _same_but_prompt(cell, main):
        return in_format_words(cell)
    if cell.limit is not None:
        which = f"{cell.limit:,} drawn" if cell.limit_order == "drawn" else f"the first {cell.limit:,}"
        return f"partial run: {which} of {cell.data['test'].rows:,} questions"
    if are_comparable(cell, main):
        return ""
    if cell.task.version != main.task.version:
        return f"version {cell.task.version} of the task; the table shows version {main.task.version}"
    same_task = cell.task.sha256 == main.task.sha256
    same_program = cell.variant.program == main.variant.program
    if not same_task and not same_program:
        programs = cell.variant.program or OURS, main.variant.program or OURS
        return "scored by {}; the table shows runs of {}".format(*programs)
    if same_program and cell.engine_version != main.engine_version:
        return f"scored by engine version {cell.engine_version}; the table shows {main.engine_version}"
    if not same_task:
        return "the task file was different, though its version was the same"
    return "different test data"
