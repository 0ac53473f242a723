"""A results folder -> its board, with a sentence on each run that is not shown."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bench.board.board import Board, make_board, unranked
from bench.board.board_file import arranged
from bench.board.candidates import hardware
from bench.board.contamination import test_of
from bench.errors import FileError
from bench.inputs.cards import CardFile
from bench.results.answers import Answered, AnyRun, read_answered
from bench.results.answers_cache import read_cached
from bench.results.check import entry_of, run_folders
from bench.results.contamination import ContaminationTest, read_tests
from bench.results.result import CannotRunResult
from bench.types import PublishedTexts


def read_board(
    results: Path, cards: Sequence[CardFile], texts: PublishedTexts = "full"
) -> tuple[Board, list[AnyRun]]:
    """The board of a results folder, and its runs; models of the cards without a run are listed as such.

    Every record is read and checked. Raises a FileError where the folder's `board.yaml` has mistakes.
    """
    read = read_answered(results, "full" if texts == "full" else "answers")
    runs, damaged = _shown(results, read)
    return arranged(make_board(runs, [file.card for file in cards], damaged), results), runs


def read_board_quickly(results: Path, cards: Sequence[CardFile], *, ranked: bool) -> Board:
    """The same board, from the cache where it has a run (`bench/results/answers_cache.py`).

    Unless `ranked`, its tables are those of `unranked`.
    """
    runs, damaged = _shown(results, read_cached(results))
    make = make_board if ranked else unranked
    return arranged(make(runs, [file.card for file in cards], damaged), results)


def _shown(results: Path, read: Sequence[AnyRun | FileError]) -> tuple[list[AnyRun], tuple[str, ...]]:
    """The runs that the board shows, and a sentence on each other."""
    runs, copies = _without_copies([run for run in read if not isinstance(run, FileError)])
    errors = [str(error) for error in read if isinstance(error, FileError)]
    tests = list(read_tests(results))
    errors += [str(error) for error in tests if isinstance(error, FileError)]
    sound = [test for test in tests if not isinstance(test, FileError)]
    return [_with_test(run, sound) for run in runs], (*errors, *copies, *_without_result(results))


def _with_test(run: AnyRun, tests: Sequence[ContaminationTest]) -> AnyRun:
    """The run with the test of the published order that belongs to it."""
    if not tests or not isinstance(run, Answered):
        return run
    return replace(run, contamination=test_of(run.result.cell, tests))


def _without_result(results: Path) -> Iterator[str]:
    """A sentence on each folder whose run is unfinished, or has lost its summary."""
    for folder in run_folders(results, without_result=True):
        entry = entry_of(results, folder)
        answered = f"{len(entry.unfinished.records) if entry.unfinished else 0} questions are answered"
        if entry.state == "parts":
            answered = f"{entry.shards} are there (bench results merge)"
        yield f"{entry.folder}: {entry.wrong or f'not finished, {answered}'}"


def _without_copies(runs: Sequence[AnyRun]) -> tuple[list[AnyRun], list[str]]:
    """One run of each cell, with the others of its cell on other machines, and a sentence on each copy.

    A finished run is shown rather than a failed one, one with texts rather than one without, and one of the
    machine with most runs: the costs in a table can then be compared.
    """
    number = Counter(_machine(run) for run in runs)
    cells: dict[str, list[AnyRun]] = {}
    copies: list[str] = []
    for run in sorted(
        runs, key=lambda run: (_machine(run) is None, _texts(run) != "full", -number[_machine(run)])
    ):
        same = cells.setdefault(_cell_id(run), [])
        # A failed run says nothing that a finished one does not, wherever it failed.
        if kept := next((each for each in same if _machine(run) in (None, _machine(each))), None):
            copies.append(f"{run.folder}: a copy of {kept.folder}")
        else:
            same.append(run)
    shown = {id(same[0]): _with_others(same) for same in cells.values()}
    return [shown[id(run)] for run in runs if id(run) in shown], copies


def _with_others(same: Sequence[AnyRun]) -> AnyRun:
    """The first run of a cell, which has the results of the others."""
    first, *others = same
    elsewhere = tuple(run.result for run in others if isinstance(run, Answered))
    return replace(first, elsewhere=elsewhere) if isinstance(first, Answered) else first


def _machine(run: AnyRun) -> str | None:
    """What a finished run ran on; None for a failed one."""
    return hardware(run.result.provenance) if isinstance(run, Answered) else None


def _cell_id(run: AnyRun) -> str:
    """Equal for two runs of the same cell."""
    return str(run.folder) if isinstance(run.result, CannotRunResult) else run.result.cell.id


def _texts(run: AnyRun) -> str:
    return run.result.texts if isinstance(run, Answered) else ""
