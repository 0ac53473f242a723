"""The page that compares models, on one task or over all."""

from collections.abc import Iterator

from bench.board.forest import contrasts_across, contrasts_on, forest
from leaderboard.site import Content

PAGE = "compare.html"
ACROSS = "difference-all-tasks"
"""The name of the drawing over all tasks."""


def compare_paths(content: Content) -> Iterator[str]:
    """None where no task has two comparable runs."""
    if content.has_comparison:
        yield PAGE


def compare_page(content: Content, path: str) -> str:
    """Every run compared with the first of its task, and every model with the best over all tasks.

    `static/compare.js` compares any others.
    """
    tables = [table for table in content.tables.values() if len(table.rows) > 1]
    each_task = [
        (table, contrasts, forest(contrasts, f"difference-{table.task.name}", f"on {table.task.title}"))
        for table in tables
        for contrasts in [contrasts_on(table)]
    ]
    weights = content.site.board.weights
    across = contrasts_across(tables, {table.task.name: weights[table.task.name] for table in tables})
    chart = across and forest(across, ACROSS, f"over {len(tables)} tasks")
    return content.render(PAGE, path, tables=tables, each_task=each_task, across=across, across_chart=chart)
