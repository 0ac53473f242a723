"""The board -> a static site. No request leaves it; it is whole without scripts; equal runs, equal bytes."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from bench.errors import BenchError, UsageError
from bench.inputs.model_card import CardFile
from bench.runs.compare import told
from bench.runs.store import Run, existing, read_runs
from leaderboard import formats
from leaderboard.board import Board, Row, TaskBoard, make_board, page_of
from leaderboard.frontier import Frontier, frontiers
from leaderboard.listing import as_csv, as_json, choices, kinds, listed
from leaderboard.questions import Question, answers, listings, prompts, questions_of

MARK = ".slm-bench-site"
"""Lists what an earlier build wrote, so that the next one may replace it and nothing else."""


@dataclass(frozen=True, slots=True)
class Site:
    """Pages and files by their path in the site."""

    files: dict[str, bytes]
    runs: int
    damaged: tuple[str, ...]


def read_board(results: Path, cards: Sequence[CardFile]) -> tuple[Board, list[Run]]:
    """The board of a results folder, and its runs."""
    found = list(read_runs(existing(results)))
    runs, copies = _without_copies([run for run in found if isinstance(run, Run)])
    damaged = (*(str(error) for error in found if not isinstance(error, Run)), *copies)
    return make_board(runs, [file.card for file in cards], damaged), runs


def make_site(results: Path, cards: Sequence[CardFile]) -> Site:
    """Read the runs and render every page; nothing is written."""
    board, runs = read_board(results, cards)
    static = Path(__file__).parent / "static"
    files = {path.name: path.read_bytes() for path in sorted(static.iterdir())}
    asked = {table.task.name: questions_of(table) for table in board.tasks}
    files |= {name: page.encode() for name, page in _pages(board, runs, asked)}
    for table in board.tasks:
        files[f"data/{table.task.name}.csv"] = as_csv(table.rows).encode()
        files[f"data/{table.task.name}.json"] = as_json(table.rows).encode()
    return Site(files=files, runs=len(runs), damaged=board.damaged)


def _without_copies(runs: Sequence[Run]) -> tuple[list[Run], list[str]]:
    """One run a cell, and a word on each folder that holds the same cell again."""
    first: dict[str, Run] = {}
    copies: list[str] = []
    for run in runs:
        kept = first.setdefault(run.result.cell.id, run)
        if kept is not run:
            copies.append(f"{run.folder}: a copy of {kept.folder}")
    return list(first.values()), copies


def _pages(
    board: Board, runs: Sequence[Run], asked: Mapping[str, Sequence[Question]]
) -> Iterator[tuple[str, str]]:
    environment = _environment()
    yield "index.html", environment.get_template("index.html").render(board=board, root="")
    yield "404.html", environment.get_template("404.html").render(root="")
    yield ".nojekyll", ""  # GitHub Pages would leave out what begins with an underscore
    shown = {row.result.cell.id for table in board.tasks for row in table.rows}
    for table in board.tasks:
        yield from _question_pages(environment, table, asked[table.task.name])
    for run in runs:
        page = page_of(run)
        root = "../" * page.count("/")
        template = "run.html" if run.result.status == "done" else "failed.html"
        yield (
            page,
            environment.get_template(template).render(
                run=run,
                result=run.result,
                cell=run.result.cell,
                root=root,
                letters=_letters(run),
                pages=[question.page for question in asked[run.result.cell.task.name]]
                if run.result.cell.id in shown
                else [],
            ),
        )


def _question_pages(
    environment: Environment, table: TaskBoard, found: Sequence[Question]
) -> Iterator[tuple[str, str]]:
    """Lists of the table's questions, and a page of its own for each."""
    if not found:
        return
    list_page, own_page = (
        environment.get_template("questions.html"),
        environment.get_template("question.html"),
    )
    for listing in listings(table, found):
        yield listing.page, list_page.render(table=table, listing=listing, root="../../")
    for before, question, after in zip([None, *found], found, [*found[1:], None], strict=False):
        yield (
            question.page,
            own_page.render(
                table=table,
                question=question,
                before=before,
                after=after,
                answers=answers(table, question),
                prompts=prompts(table, question),
                root="../../",
            ),
        )


def _letters(run: Run) -> list[tuple[str, int, int, int]]:
    """For each letter: how often it was right, chosen, and both."""
    truth = Counter(record.answer_gt for record in run.records)
    chosen = Counter(record.model_output.final_answer for record in run.records)
    both = Counter(record.answer_gt for record in run.records if record.is_correct)
    names = sorted(truth.keys() | {name for name in chosen if name})
    return [(name, truth[name], chosen[name], both[name]) for name in names]


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("leaderboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {
        "percent": formats.percent,
        "count": formats.count,
        "cut": formats.cut,
        "size": formats.size,
        "number": formats.number,
        "seconds": formats.seconds,
        "or_dash": formats.or_dash,
        "short_digest": formats.short_digest,
        "estimate": formats.estimate,
        "metric_name": formats.metric_name,
        "view_name": formats.view_name,
        "status_name": formats.status_name,
        "differ": formats.differ,
        "costs": formats.costs,
        "circumstances": formats.circumstances,
        "told": told,
        "kinds": kinds,
        "frontiers": _frontiers,
        "choices": choices,
        "island": island,
    }
    environment.filters.update(filters)
    return environment


def _frontiers(table: TaskBoard) -> list[Frontier]:
    return frontiers(table.rows, table.chance)


def island(rows: Sequence[Row]) -> Markup:
    """The rows as JSON inside a page: nothing in it can end its element."""
    text = json.dumps(listed(rows), ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace("&", "\\u0026"))  # noqa: S704 (escaped here)


def write_site(site: Site, out: Path) -> None:
    """Replace what an earlier build wrote in the folder; refuses a folder that holds anything else."""
    mark = out / MARK
    if out.exists() and not mark.is_file() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} was not made by this command; give --out an empty or a new folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
        before = mark.read_text(encoding="utf-8", errors="replace").splitlines() if mark.is_file() else []
        mark.write_text("".join(f"{name}\n" for name in sorted({*before, *site.files})), encoding="utf-8")
        for name, data in site.files.items():
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        _remove(out, sorted(set(before) - site.files.keys()))
        mark.write_text("".join(f"{name}\n" for name in sorted(site.files)), encoding="utf-8")
    except OSError as error:
        raise BenchError(f"the site cannot be written to {out}: {error.strerror}") from error


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
