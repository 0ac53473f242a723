"""A results folder -> its board, with a sentence on each run that is not shown."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.board.board import Board, make_board, unranked
from bench.board.board_file import arranged
from bench.errors import FileError
from bench.inputs.cards import CardFile
from bench.results.answers import Answered, AnyRun, read_answered
from bench.results.answers_cache import read_cached
from bench.results.check import entry_of, run_folders
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
    return runs, (*errors, *copies, *_without_result(results))


def _without_result(results: Path) -> Iterator[str]:
    """A sentence on each folder whose run is unfinished, or has lost its summary."""
    for folder in run_folders(results, without_result=True):
        entry = entry_of(results, folder)
        answered = len(entry.unfinished.records) if entry.unfinished else 0
        yield f"{entry.folder}: {entry.wrong or f'not finished, {answered} questions are answered'}"


def _without_copies(runs: Sequence[AnyRun]) -> tuple[list[AnyRun], list[str]]:
    """One run of each cell, and a sentence on each other folder of it.

    A finished run is kept rather than a failed one, one with texts rather than one without.
    """
    first: dict[str, AnyRun] = {}
    copies: list[str] = []
    for run in sorted(runs, key=lambda run: (not isinstance(run, Answered), _texts(run) != "full")):
        kept = first.setdefault(_cell_id(run), run)
        if kept is not run:
            copies.append(f"{run.folder}: a copy of {kept.folder}")
    kept_runs = {id(run) for run in first.values()}
    return [run for run in runs if id(run) in kept_runs], copies


def _cell_id(run: AnyRun) -> str:
    """Equal for two runs of the same cell."""
    return str(run.folder) if isinstance(run.result, CannotRunResult) else run.result.cell.id


def _texts(run: AnyRun) -> str:
    return run.result.texts if isinstance(run, Answered) else ""
