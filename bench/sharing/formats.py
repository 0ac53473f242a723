"""The formats of `bench export`, one row each. A row loads what it needs when it is used.

Another package adds a format as an entry point of the group `bench.exports`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.plugins import Registry

if TYPE_CHECKING:  # the command's help must be quick
    from bench.board.board import Row, TaskBoard
    from bench.sharing.export import Export, Finished, Publisher


@dataclass(frozen=True, slots=True)
class Printed:
    """Text on stdout. `render` gives the text of one task's table; `several` says whether the texts of
    several tasks may follow each other.
    """

    render: "Callable[[TaskBoard], str]"
    several: bool = False


@dataclass(frozen=True, slots=True)
class PrintedRows:
    """Text on stdout, made of the rows of all chosen tasks together, task by task."""

    render: "Callable[[Sequence[Row]], str]"


@dataclass(frozen=True, slots=True)
class Selected:
    """What is to be exported: the tables of the chosen tasks, as the page shows them, and every finished
    run of them that has a date, with its records.
    """

    tables: "tuple[TaskBoard, ...]"
    runs: "tuple[Finished, ...]"
    publisher: "Publisher"


@dataclass(frozen=True, slots=True)
class Files:
    """Files in a folder. `publisher` says whether they name who publishes the runs, and where."""

    make: "Callable[[Selected], Export]"
    publisher: bool = False


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """`help` is what `bench export NAME --help` says; its first sentence stands in the list of formats."""

    name: str
    help: str
    output: Printed | PrintedRows | Files


def _csv(rows: "Sequence[Row]") -> str:
    from bench.board.exporting import as_csv

    return as_csv(rows)


def _json(rows: "Sequence[Row]") -> str:
    from bench.board.exporting import as_json

    return as_json(rows)


def _markdown(table: "TaskBoard") -> str:
    from bench.board.exporting import as_markdown

    return as_markdown(table)


def _latex(table: "TaskBoard") -> str:
    from bench.board.exporting import as_latex

    return as_latex(table)


def _hub(selected: Selected) -> "Export":
    from bench.sharing.hub import hub_export

    return hub_export(selected.tables, selected.publisher)


def _every_eval_ever(selected: Selected) -> "Export":
    from bench.sharing.every_eval_ever import every_eval_ever_export

    return every_eval_ever_export(selected.runs, selected.publisher)


def _lm_eval(selected: Selected) -> "Export":
    from bench.sharing.lm_eval import lm_eval_export

    return lm_eval_export(selected.runs)


_OWN = (
    ExportFormat(
        "csv",
        "Print all tasks' tables as CSV. Shares are in [0, 1], sizes in bytes; a missing value is empty.",
        PrintedRows(_csv),
    ),
    ExportFormat(
        "json", "Print all tasks' tables as JSON. The keys are the columns of csv.", PrintedRows(_json)
    ),
    ExportFormat("markdown", "Print a Markdown table for each task.", Printed(_markdown, several=True)),
    ExportFormat("latex", "Print a LaTeX table for each task (booktabs).", Printed(_latex, several=True)),
    ExportFormat(
        "hub",
        "Write results for a model's repository on the Hugging Face hub. These are the runs that the page "
        "compares: model-index metadata for the README.md, and .eval_results files where the questions "
        "come from a data set of the hub.",
        Files(_hub, publisher=True),
    ),
    ExportFormat(
        "every-eval-ever",
        "Write runs in the schema of Every Eval Ever. Every finished run is written, with its answers.",
        Files(_every_eval_ever, publisher=True),
    ),
    ExportFormat(
        "lm-eval",
        "Write runs as lm-evaluation-harness writes its own. Every finished run is written, with its "
        "samples.",
        Files(_lm_eval),
    ),
)
EXPORTS = Registry("bench.exports", "export format", ExportFormat, {row.name: row for row in _OWN})
