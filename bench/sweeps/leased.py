"""A cell whose results are in a store: leased there while it runs, and sent before its last event."""

from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from bench.cells.cell import Cell, Planned
from bench.results.identity import CANNOT_RUN, summary_in
from bench.results.journal import lock_name
from bench.results.lease import CellLocked
from bench.results.mirrored import mirror_of
from bench.sweeps.events import Busy, Last

E = TypeVar("E")


def leased(cell: Cell, results: Path, events: Generator[E]) -> Generator[E | Busy]:
    """The events of a cell. In a mirror, the last one comes when the store has what they report.

    The last one is Busy where another machine works on the cell. Raises a StoreError where the store cannot
    be reached; what was computed is on disk then.
    """
    mirror = mirror_of(results)
    if mirror is None:
        yield from events
        return
    last: E | Busy = Busy()
    summaries = summaries_of(cell)
    try:
        with mirror.leases.lease(lock_name(cell.id)), closing(events):
            mirror.fetch(summaries)
            for event in events:
                if isinstance(event, Last):
                    last = event
                else:
                    yield event
            for summary in summaries:
                mirror.send(summary)
                if summary.parent.name == CANNOT_RUN:
                    mirror.forget_removed(summary)
    except CellLocked:
        pass
    yield last


def summaries_of(cell: Planned) -> list[Path]:
    """The summaries that say whether a cell is done, or cannot run."""
    folders = [cell.folder]
    if isinstance(cell, Cell):
        folders += [cell.run_folder, cell.run_folder.parent / CANNOT_RUN]
    return list(dict.fromkeys(map(summary_in, folders)))
