"""A line that says what a figure or a table was made from. Pure."""

from collections.abc import Sequence

from bench.board.board import TaskBoard
from bench.wording import short_digest


def citation(tables: Sequence[TaskBoard]) -> str:
    """The tasks with the digests of their questions, the engine's versions, and the newest run's date."""
    tasks = "; ".join(f"{table.task.name}, data {short_digest(table.data_sha256)}" for table in tables)
    results = [row.result for table in tables for row in (*table.rows, *table.apart)]
    engines = sorted({result.cell.engine_version for result in results})
    dates = [result.provenance.finished[:10] for result in results if result.provenance.finished]
    words = ["SLM Bench", tasks, *[f"engine {' and '.join(map(str, engines))}" for _ in engines[:1]]]
    return ", ".join([*filter(None, words), *[f"newest run of {max(dates)}" for _ in dates[:1]]])
