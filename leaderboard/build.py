"""The board -> a static site. No request leaves it; it is whole without scripts."""

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from bench.errors import BenchError, UsageError
from bench.inputs.model_card import CardFile
from bench.runs.answers import MANY, Answered, read_answered, workers
from bench.runs.check import entry_of, run_folders
from bench.runs.result import DoneResult
from bench.types import PublishedTexts
from leaderboard.board import Board, make_board
from leaderboard.pages import Page, pages_of, renderer
from leaderboard.site import Content, Options, Site, content_of

MARK = ".slm-bench-site"
"""Lists what an earlier build wrote, so that the next one may replace it and nothing else."""
CHUNK = 50
"""Pages that a process renders at a time."""


def read_board(
    results: Path, cards: Sequence[CardFile], texts: PublishedTexts = "full"
) -> tuple[Board, list[Answered]]:
    """The board of a results folder, and its runs."""
    found = read_answered(results, "full" if texts == "full" else "answers")
    runs, copies = _without_copies([run for run in found if isinstance(run, Answered)])
    errors = [str(error) for error in found if not isinstance(error, Answered)]
    damaged = (*errors, *copies, *_without_result(results))
    return make_board(runs, [file.card for file in cards], damaged), runs


def make_site(results: Path, cards: Sequence[CardFile], options: Options = Options()) -> Site:  # noqa: B008 (frozen)
    """Read the runs; nothing is rendered yet."""
    board, runs = read_board(results, cards, options.texts)
    return Site(board, tuple(runs), options)


def _without_result(results: Path) -> Iterator[str]:
    """A word on each folder where a run was begun, or has lost its summary."""
    for folder in run_folders(results):
        if not (folder / "result.json").exists():
            entry = entry_of(results, folder)
            answered = len(entry.unfinished.records) if entry.unfinished else 0
            yield f"{entry.folder}: {entry.wrong or f'not finished, {answered} questions are answered'}"


def _without_copies(runs: Sequence[Answered]) -> tuple[list[Answered], list[str]]:
    """One run a cell, finished and with words where one is, and a word on each other folder of it."""
    first: dict[str, Answered] = {}
    copies: list[str] = []
    for run in sorted(runs, key=lambda run: (run.answers is None, _texts(run) != "full")):
        kept = first.setdefault(run.result.cell.id, run)
        if kept is not run:
            copies.append(f"{run.folder}: a copy of {kept.folder}")
    kept_runs = {id(run) for run in first.values()}
    return [run for run in runs if id(run) in kept_runs], copies


def _texts(run: Answered) -> str:
    return run.result.texts if isinstance(run.result, DoneResult) else ""


def write_site(site: Site, out: Path) -> int:
    """Replace what an earlier build wrote in the folder, and say how many files that makes."""
    content = content_of(site)
    pages = pages_of(content)
    replace_site(out, {page.path for page in pages}, lambda: _write_pages(content, pages, out))
    return len(pages)


def replace_site(out: Path, names: Collection[str], write: Callable[[], None]) -> None:
    """Let `write` make the named files of a site in the folder, in the place of an earlier site's.

    Refuses a folder that holds anything else.
    """
    mark = out / MARK
    if out.exists() and not mark.is_file() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} was not made by this command; give --out an empty or a new folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
        before = mark.read_text(encoding="utf-8", errors="replace").splitlines() if mark.is_file() else []
        mark.write_text("".join(f"{name}\n" for name in sorted({*before, *names})), encoding="utf-8")
        for folder in {(out / name).parent for name in names}:
            folder.mkdir(parents=True, exist_ok=True)
        write()
        _remove(out, sorted({*before} - {*names}))
        mark.write_text("".join(f"{name}\n" for name in sorted(names)), encoding="utf-8")
    except OSError as error:
        raise BenchError(f"the site cannot be written to {out}: {error.strerror}") from error
    except BrokenProcessPool as error:
        raise BenchError("a process that renders pages was ended from outside; is memory short?") from error


def _write_pages(content: Content, pages: Sequence[Page], out: Path) -> None:
    if len(content.site.runs) < MANY:
        _render(renderer(content), pages, out)
        return
    chunks = [pages[at : at + CHUNK] for at in range(0, len(pages), CHUNK)]
    with workers(initializer=_begin, initargs=(content.site, out)) as pool:
        list(pool.map(_render_here, chunks))


def _render(render: Callable[[Page], bytes], pages: Sequence[Page], out: Path) -> None:
    for page in pages:
        (out / page.path).write_bytes(render(page))


_here: list[Callable[[Sequence[Page]], None]] = []
"""In a worker: what renders the site that it was begun with."""


def _begin(site: Site, out: Path) -> None:
    render = renderer(content_of(site))
    _here.append(lambda pages: _render(render, pages, out))


def _render_here(pages: Sequence[Page]) -> None:
    _here[0](pages)


def _remove(out: Path, names: Sequence[str]) -> None:
    """Remove the named files, and the folders that are empty without them; nothing outside `out`."""
    for name in names:
        path = out / name
        if not path.resolve().is_relative_to(out.resolve()) or not path.is_file():
            continue
        path.unlink()
        for folder in path.parents:
            if folder == out or any(folder.iterdir()):
                break
            folder.rmdir()
