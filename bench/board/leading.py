"""The rows that a first page shows where a table is long. Pure."""

from dataclasses import replace

from bench.board.board import TaskBoard
from bench.board.frontier import frontiers

MOST = 100
"""A table of no more rows is shown whole."""
BEST = 50


def leading(table: TaskBoard, most: int = MOST, best: int = BEST) -> TaskBoard:
    """The table with its best rows, those that no other beats on accuracy and a cost, and the baselines.

    Whatever one limit on a cost is, the most accurate row within it is among them.
    """
    if len(table.rows) <= most:
        return table
    unbeaten = {point.row.result.cell.id for drawing in frontiers(table) for point in drawing.efficient}
    places = [
        place
        for place, row in enumerate(table.rows)
        if place < best or row.result.cell.model.is_baseline or row.result.cell.id in unbeaten
    ]
    return replace(
        table,
        rows=tuple(table.rows[place] for place in places),
        by_view={
            view: tuple(standings[place] for place in places) for view, standings in table.by_view.items()
        },
    )
