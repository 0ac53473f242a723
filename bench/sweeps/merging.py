"""The run of a cell whose shards are all answered: made of its parts, which are removed then."""

import shutil
from pathlib import Path

from bench.cells.cell import Cell
from bench.errors import FileError
from bench.results.identity import CANNOT_RUN, PARTS, summary_in
from bench.results.merge import complete, merge
from bench.results.mirrored import fetch, forget_below
from bench.results.parts import Part, part_files, read_parts
from bench.results.result import DoneResult
from bench.results.store import find_run, forget_failure, write_run
from bench.scoring.metrics import load_metrics


def merge_cell(cell: Cell, results: Path, count: int) -> DoneResult:
    """Merge the parts of the cell's `count` shards into its run.

    Where another sweep has merged them meanwhile, that run is returned. Raises a FileError where they are not
    one run, and a StoreError.
    """
    folder = results / cell.run_folder
    try:
        read = list(read_parts(part_files([folder])))
        if wrong := next((part for part in read if isinstance(part, FileError)), None):
            raise wrong
        parts = complete([part for part in read if isinstance(part, Part)], count=count)
    except (FileError, OSError):
        fetch(results, [summary_in(cell.run_folder)])
        before = find_run(results, cell.run_folder, cell.facts.id)
        if before and isinstance(before.result, DoneResult):
            return before.result
        raise
    run = merge(parts, load_metrics(cell.task.metrics, cell.home))
    write_run(results, cell.run_folder, run.result, run.records, run.probed)
    forget_failure(results, cell.run_folder.parent / CANNOT_RUN)
    shutil.rmtree(folder / PARTS, ignore_errors=True)
    forget_below(results, cell.run_folder / PARTS)
    return run.result
