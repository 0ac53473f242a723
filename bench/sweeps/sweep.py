"""A sweep: all cells of one command, started as the executor has room, and their results."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from bench.cells.cell import CannotRun, Cell, NeedsTuning, Planned, Runnable
from bench.errors import BenchError
from bench.results.files import digest
from bench.results.identity import CANNOT_RUN, folder_of_result, summary_in
from bench.results.journal import NAME, is_leased, is_locked
from bench.results.mirrored import fetch, send
from bench.results.result import CannotRunResult, DoneResult, FailedResult, Result
from bench.results.store import begin, find_run, forget_failure, records_bytes, rewrite, write_run
from bench.results.summary import check_not_newer
from bench.scoring.metrics import load_metrics, measure
from bench.scoring.record import clustered
from bench.sweeps import events
from bench.sweeps.events import Busy, Event, Last, Note, Skipped, Terms
from bench.sweeps.executor import Executor, ExecutorKind
from bench.sweeps.finishing import lacks_latency
from bench.sweeps.leased import summaries_of
from bench.sweeps.probe_run import lacking
from bench.sweeps.work import cannot_run

Watch = Callable[[Planned, Event], None]
"""Called with every event of a sweep, in the sweep's thread."""


def run_sweep(
    cells: Sequence[Planned],
    results: Path,
    terms: Terms,
    kind: ExecutorKind,
    watch: Watch,
    order: Sequence[Planned] | None = None,
) -> list[Result]:
    """Run the cells, in `order`, and pass each event to `watch`; returns the results in the cells' own order.

    A cell may remove or rename the results folder. Runs that are gone at the end are run once more. Raises
    as `sweep` does.
    """
    terms = replace(terms, jobs=max(1, min(terms.jobs, len(cells))))
    with closing(kind.open(results, terms)) as executor:
        ended = _ended(order or cells, results, terms, executor, watch)
        if gone := _gone(ended, results):
            again = [cell for cell in cells if cell.id in gone]
            for cell in again:
                watch(cell, Note("its files were removed while other cells ran: it is run once more"))
            ended |= _ended(again, results, terms, executor, watch)
    return [ended[cell.id] for cell in cells if cell.id in ended]


def _ended(
    cells: Sequence[Planned], results: Path, terms: Terms, executor: Executor, watch: Watch
) -> dict[str, Result]:
    """The results of the cells, by the cells' ids."""
    ended: dict[str, Result] = {}
    for cell, event in sweep(cells, results, terms, executor):
        watch(cell, event)
        match event:
            case DoneResult() | FailedResult() | CannotRunResult():
                ended[cell.id] = event
            case Skipped(result=result):
                ended[cell.id] = result
            case _:
                pass
        if isinstance(done := ended.get(cell.id), DoneResult):  # a process may have been killed before it did
            send(results, summary_in(folder_of_result(done)))
    return ended


def _gone(ended: Mapping[str, Result], results: Path) -> set[str]:
    """The ids of finished cells whose files are gone; failures that are gone are written again."""
    gone: set[str] = set()
    for key, result in ended.items():
        if isinstance(result, CannotRunResult):
            continue
        folder = folder_of_result(result)
        if summary_in(results / folder).is_file():
            continue
        if isinstance(result, DoneResult):
            gone.add(key)
        else:
            begin(results)
            write_run(results, folder, result, None)
    return gone


def sweep(
    cells: Sequence[Planned], results: Path, terms: Terms, executor: Executor
) -> Iterator[tuple[Planned, Event]]:
    """Run the cells in order as the executor has room; yields the events of each, to its last.

    Finished cells are skipped. A cell that another sweep works on waits while others run. Raises a
    FileError before anything runs where a newer version wrote a cell's result, and a StoreError where
    the results folder cannot be written.
    """
    _prepare(cells, results)
    yield from ((cell, cannot_run(cell, results)) for cell in cells if isinstance(cell, CannotRun))
    runnable = [cell for cell in cells if not isinstance(cell, CannotRun)]
    yield from _run(runnable, results, terms, executor)


def _run(
    cells: Sequence[Runnable], results: Path, terms: Terms, executor: Executor
) -> Iterator[tuple[Runnable, Event]]:
    waiting = {cell.id: cell for cell in cells}
    running: set[str] = set()
    reported: set[str] = set()
    while waiting or running:
        for cell, end in _take_ready(waiting, reported, results, terms, executor):
            if end is None:
                running.add(cell.id)
                executor.start(cell)
            else:
                yield cell, end
        if not running:
            time.sleep(events.RETRY_SECONDS if waiting else 0)  # other sweeps work on all waiting cells
        elif report := executor.next_event(events.RETRY_SECONDS if waiting else None):
            cell, event = report
            if isinstance(event, Last):
                running.remove(cell.id)
            if isinstance(event, Busy):  # another sweep was faster to start it
                waiting[cell.id] = cell
            else:
                yield cell, event


def _prepare(cells: Sequence[Planned], results: Path) -> None:
    begin(results)
    fetch(results, dict.fromkeys(path for cell in cells for path in summaries_of(cell)))
    for cell in cells:
        check_not_newer(summary_in(results / cell.folder))


def _take_ready(
    waiting: dict[str, Runnable], reported: set[str], results: Path, terms: Terms, executor: Executor
) -> Iterator[tuple[Runnable, Busy | Skipped | None]]:
    """Take cells off `waiting` while there is room; yields each with None to start it, or with its end.

    A cell that another sweep works on stays waiting, and is reported as Busy once.
    """
    for cell in tuple(waiting.values()):
        if not executor.has_room(cell):
            return
        is_busy = is_locked(results, cell.id)
        end = None if is_busy else _skipped(cell, results, terms)
        if end or not (is_busy or is_leased(results, cell.id)):
            del waiting[cell.id]
            yield cell, end
        elif cell.id not in reported:
            reported.add(cell.id)
            yield cell, Busy()


def _skipped(cell: Runnable, results: Path, terms: Terms) -> Skipped | None:
    """The last event of a cell that needs no run; None for one that must run."""
    if isinstance(cell, NeedsTuning) or terms.fresh:
        return None
    if cell.shard and (run := find_run(results, cell.run_folder, cell.facts.id)):
        return Skipped(run.result) if isinstance(run.result, DoneResult) else None
    result = _finished_result(cell, results)
    lacks = result is None or lacks_latency(result, terms) or lacking(cell, result, terms)
    if result is None or lacks or (results / cell.folder / NAME).is_file():
        return None
    forget_failure(results, cell.run_folder.parent / CANNOT_RUN)
    return Skipped(result)


def _finished_result(cell: Cell, results: Path) -> DoneResult | None:
    """The result of the cell's finished run, with any metrics and clusters that its task names since.

    None without such a run.
    """
    run = find_run(results, cell.folder, cell.facts.id)
    if run is None or not isinstance(run.result, DoneResult):
        return None
    records = clustered(run.records, cell.items, run.result.texts)
    if set(cell.task.metrics) <= run.result.metrics.values.keys() and records == run.records:
        return run.result
    try:
        metrics = load_metrics(cell.task.metrics, cell.home)
    except BenchError:  # a finished cell stays finished; cells that run report the error
        return run.result
    result = run.result.model_copy(update={"metrics": measure(records, metrics)})
    if result.probes is not None and run.probed:
        from bench.results.probe_figures import figures

        probes = result.probes.model_copy(update=figures(records, run.probed, result.probes))
        result = result.model_copy(update={"probes": probes})
    if records == run.records:
        rewrite(results, cell.folder, result)
    else:
        data = records_bytes(records)
        result = result.model_copy(update={"records_sha256": digest(data)})
        write_run(results, cell.folder, result, data)
    return result
