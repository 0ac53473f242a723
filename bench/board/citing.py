"""A line that says what a figure or a table was made from. Pure."""

from collections.abc import Sequence

from bench.board.board import TaskBoard
from bench.results.result import DoneResult
from bench.wording import short_digest


def citation(tables: Sequence[TaskBoard]) -> str:
    """The tasks with the digests of their questions, the engine's versions, and the newest run's date."""
    tasks = "; ".join(f"{table.task.name}, data {short_digest(table.data_sha256)}" for table in tables)
    engines = sorted({result.cell.engine_version for result in _results(tables)})
    words = ["SLM Bench", tasks, *[f"engine {' and '.join(map(str, engines))}" for _ in engines[:1]]]
    return ", ".join([*filter(None, words), *_newest(tables)])


def short_citation(tables: Sequence[TaskBoard]) -> str:
    """The number of tasks and the newest run's date: one line for any number of tasks."""
    return ", ".join(["SLM Bench", f"{len(tables)} tasks", *_newest(tables)])


def _newest(tables: Sequence[TaskBoard]) -> list[str]:
    """The newest run's date in words; empty where no run has one."""
    dates = [result.provenance.finished[:10] for result in _results(tables) if result.provenance.finished]
    return [f"newest run of {max(dates)}" for _ in dates[:1]]


def _results(tables: Sequence[TaskBoard]) -> list[DoneResult]:
    return [row.result for table in tables for row in table.every_row]
