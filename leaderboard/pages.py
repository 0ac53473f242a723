"""The files of a site: each kind is one row, and any process can render any file. Equal runs, equal bytes.

A package adds a kind by an entry point of the group `bench.pages` that names a `PageKind`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from bench.board.board import Row, TaskBoard
from bench.board.exporting import as_csv, as_json, as_latex, as_markdown, row_values
from bench.errors import BenchError
from bench.plugins import Registry
from bench.results.answers import Answered
from bench.results.result import CannotRunResult
from leaderboard.choice_data import choice_value
from leaderboard.compare_page import compare_page, compare_paths
from leaderboard.lone_pages import MEASURED, NOT_FOUND, STATIC_FILES
from leaderboard.overview import overview_of
from leaderboard.page_kind import PageKind
from leaderboard.question_pages import prompts
from leaderboard.scripts import answers_script, script, texts_script
from leaderboard.site import Content, page_of_task


@dataclass(frozen=True, slots=True)
class Page:
    """A file of the site, and the name of its kind."""

    path: str
    kind: str


def pages_of(content: Content) -> list[Page]:
    """Every file of the site, none rendered yet; raises a BenchError where two have one path."""
    pages: dict[str, Page] = {}
    for kind, row in PAGES.all().items():
        for path in row.paths(content):
            page = pages.setdefault(path, Page(path, kind))
            if page.kind != kind:
                raise BenchError(f"two kinds of page have the path {path}: {page.kind} and {kind}")
    return list(pages.values())


def renderer(content: Content) -> Callable[[Page], bytes]:
    """What makes the bytes of any file of the site."""
    kinds = PAGES.all()

    def render(page: Page) -> bytes:
        made = kinds[page.kind].render(content, page.path)
        return made if isinstance(made, bytes) else made.encode()

    return render


def _index(content: Content, path: str) -> str:
    return content.render("index.html", path, board=content.site.board, overview=overview_of(content))


def _tasks(content: Content, path: str) -> str:
    return content.render("tasks.html", path, board=content.site.board)


def _task(content: Content, path: str) -> str:
    return content.render("task.html", path, table=content.tables[PurePosixPath(path).stem])


def _picture_paths(content: Content) -> Iterator[str]:
    if content.site.options.picture:
        yield "board.png"


def _data_paths(content: Content) -> Iterator[str]:
    for task in content.tables:
        yield from (f"data/{task}{ending}" for ending in (".csv", ".json", ".tex", ".md", ".js"))


def _data(content: Content, path: str) -> str:
    task, ending = PurePosixPath(path).stem, PurePosixPath(path).suffix
    rows = content.tables[task].rows
    match ending:
        case ".csv":
            return as_csv(rows)
        case ".json":
            return as_json(rows)
        case ".tex":
            return as_latex(content.tables[task])
        case ".md":
            return as_markdown(content.tables[task])
        case _:
            return script(task, row_values(rows))


def _choice(content: Content, _path: str) -> str:
    board = content.site.board
    return script("choice", choice_value(board.tasks, board.weights, with_answers=content.shows_questions))


def _answers_paths(content: Content) -> Iterator[str]:
    if content.shows_questions:
        yield from (f"data/answers/{task}.js" for task in content.tables)


def _answers(content: Content, path: str) -> str:
    task = PurePosixPath(path).stem
    return answers_script(content.tables[task], content.questions(task))


def _texts_paths(content: Content) -> Iterator[str]:
    return (f"data/texts/{task}.js" for task in _tables_with_questions(content) if _has_texts(content, task))


def _has_texts(content: Content, task: str) -> bool:
    """Whether the words of the questions are published; a run may have been stripped of them."""
    return content.site.options.texts == "full" and bool(content.questions(task)[0].record.question)


def _texts(content: Content, path: str) -> str:
    task = PurePosixPath(path).stem
    return texts_script(content.tables[task], content.questions(task))


def _tables_with_questions(content: Content) -> Iterator[str]:
    if content.shows_questions:
        yield from (task for task, table in content.tables.items() if table.rows)


def _table_of(content: Content, path: str) -> TaskBoard:
    """Of a path in the folder of a task."""
    return content.tables[PurePosixPath(path).parent.name]


def _list_paths(content: Content) -> Iterator[str]:
    return (path for task in _tables_with_questions(content) for path in content.lists(task))


def _list(content: Content, path: str) -> str:
    table = _table_of(content, path)
    listing = content.lists(table.task.name)[path]
    groups = {question.record.group for question in content.questions(table.task.name)}
    return content.render(
        "questions.html",
        path,
        table=table,
        listing=listing,
        explores=path == next(iter(content.lists(table.task.name))),
        groups=sorted(filter(None, groups)),
        has_texts=_has_texts(content, table.task.name),
    )


def _question_paths(content: Content) -> Iterator[str]:
    tasks = _tables_with_questions(content)
    return (question.page for task in tasks for question in content.questions(task))


def _question(content: Content, path: str) -> str:
    table = _table_of(content, path)
    question, questions = content.question_at(path), content.questions(table.task.name)
    return content.render(
        "question.html",
        path,
        table=table,
        question=question,
        before=questions[question.number - 2] if question.number > 1 else None,
        after=questions[question.number] if question.number < len(questions) else None,
        answers=content.long_lists.answers(table, question),
        prompts=prompts(table, question),
    )


def _model(content: Content, path: str) -> str:
    return content.render("model.html", path, model=content.models()[path])


def _run(content: Content, path: str) -> str:
    run = content.runs[path]
    if not isinstance(run, Answered):
        cell = None if isinstance(run.result, CannotRunResult) else run.result.cell
        return content.render("failed.html", path, result=run.result, cell=cell)
    cell, row = run.result.cell, content.rows[run.result.cell.id]
    task = cell.task.name
    others = 0 if row.apart else len(content.tables[task].rows) - 1
    values = {"row": row, "result": row.result, "cell": cell, "letters": _letters(row)}
    return content.render("run.html", path, others=others, table=content.tables[task], **values)


def _letters(row: Row) -> list[tuple[str, int, int, int]]:
    """For each letter: how often it was right, chosen, and both."""
    metrics, answers = row.result.metrics, row.answers
    both = [letter for letter, right in zip(answers.truth, answers.right, strict=True) if right]
    names = sorted(metrics.truth.keys() | metrics.chosen.keys())
    return [
        (name, metrics.truth.get(name, 0), metrics.chosen.get(name, 0), both.count(name)) for name in names
    ]


_OWN = {
    "index": PageKind(lambda _: ["index.html"], _index),
    "tasks": PageKind(lambda _: ["tasks.html"], _tasks),
    "task": PageKind(lambda content: map(page_of_task, content.tables), _task),
    "measured": MEASURED,
    "not_found": NOT_FOUND,
    # Without it, GitHub Pages leaves out what begins with an underscore.
    "nojekyll": PageKind(lambda _: [".nojekyll"], lambda _content, _path: ""),
    "static": STATIC_FILES,
    "picture": PageKind(_picture_paths, lambda content, _: content.site.options.picture),
    "data": PageKind(_data_paths, _data),
    "choice": PageKind(lambda _: ["data/choice.js"], _choice),
    "answers": PageKind(_answers_paths, _answers),
    "texts": PageKind(_texts_paths, _texts),
    "compare": PageKind(compare_paths, compare_page),
    "list": PageKind(_list_paths, _list),
    "question": PageKind(_question_paths, _question),
    "model": PageKind(lambda content: content.models(), _model),
    "run": PageKind(lambda content: content.runs, _run),
}
PAGES = Registry("bench.pages", "kind of page", PageKind, _OWN)
