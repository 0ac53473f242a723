"""The files of a site and the bytes of each. Any process can render any of them: equal runs, equal bytes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from bench.runs.answers import UNREAD, Answered
from bench.runs.compare import told
from bench.stats.metrics import metric_title
from leaderboard import formats
from leaderboard.board import Board, Row, TaskBoard, page_of
from leaderboard.comparing import against_first, answers_script, row_names, script
from leaderboard.frontier import frontiers
from leaderboard.listing import as_csv, as_json, choices, kinds, listed
from leaderboard.models import ModelPage, model_pages, page_of_model
from leaderboard.questions import Listing, Question, answers, listings, prompts, questions_of

STATIC = Path(__file__).parent / "static"
Texts = Literal["full", "answers", "none"]
"""All words; answers without the words of questions, prompts and replies; nothing but totals."""
Kind = Literal["index", "404", "nojekyll", "static", "data", "compare", "list", "question", "model", "run"]


@dataclass(frozen=True, slots=True)
class Options:
    """`url` is where the site will stand, with a slash at its end, `picture` a PNG of it."""

    texts: Texts = "full"
    noindex: bool = False
    url: str = ""
    picture: bytes = b""


@dataclass(frozen=True, slots=True)
class Page:
    """A file of the site by its path, and what it shows: which task, and what there by its place."""

    path: str
    kind: Kind
    task: int = 0
    at: int = 0


@dataclass(frozen=True, slots=True)
class Site:
    """A board with the runs behind it, as the pages show them."""

    board: Board
    runs: tuple[Answered, ...]
    options: Options


def pages_of(site: Site) -> list[Page]:
    """Every file of the site, none rendered yet."""
    board, asks = site.board, site.options.texts != "none"
    found = [Page("index.html", "index"), Page("404.html", "404"), Page(".nojekyll", "nojekyll")]
    found += [Page(path.name, "static", at=at) for at, path in enumerate(_static())]
    found += [Page("board.png", "static", at=-1)] if site.options.picture else []
    for number, table in enumerate(board.tasks):
        found += [Page(f"data/{table.task.name}{end}", "data", number) for end in (".csv", ".json", ".js")]
        found += [Page(f"data/answers/{table.task.name}.js", "data", number)] if asks else []
        if len(table.rows) > 1:
            found.append(Page(f"compare/{table.task.name}.html", "compare", number))
        if asks and table.rows:
            questions = questions_of(table)
            lists = enumerate(listings(table, questions))
            found += [Page(one.page, "list", number, at) for at, one in lists]
            found += [Page(one.page, "question", number, at) for at, one in enumerate(questions)]
    found += [Page(one.page, "model", at=at) for at, one in enumerate(model_pages(board))]
    found += [Page(page_of(run), "run", at=at) for at, run in enumerate(site.runs)]
    return found


def renderer(site: Site) -> Callable[[Page], bytes]:
    """What renders the pages of a site; it keeps what many of them need."""
    return _Renderer(site).bytes_of


class _Renderer:
    def __init__(self, site: Site) -> None:
        self.site = site
        self.environment = _environment(site.options)
        self.cells = _Cells(self.environment)
        self.rows = {
            row.result.cell.id: row for table in site.board.tasks for row in (*table.rows, *table.apart)
        }
        self.numbers = {table.task.name: at for at, table in enumerate(site.board.tasks)}
        self.questions = cache(self._questions)
        self.lists = cache(self._lists)
        self.models = cache(self._models)

    def bytes_of(self, page: Page) -> bytes:
        makers: dict[Kind, Callable[[Page], str]] = {
            "index": lambda _: self._show("index.html", page, board=self.site.board),
            "404": lambda _: self._show("404.html", page, root=self.site.options.url),  # shown at any depth
            "nojekyll": lambda _: "",  # GitHub Pages would leave out what begins with an underscore
            "data": self._data,
            "compare": self._compare,
            "list": self._list,
            "question": self._question,
            "model": lambda one: self._show("model.html", page, model=self.models()[one.at]),
            "run": self._run,
        }
        if page.kind == "static":
            return self.site.options.picture if page.at < 0 else _static()[page.at].read_bytes()
        return makers[page.kind](page).encode()

    def _show(self, template: str, page: Page, **values: object) -> str:
        places = {"root": "../" * page.path.count("/"), "path": page.path}
        return self.environment.get_template(template).render({**places, **values})

    def _table(self, page: Page) -> TaskBoard:
        return self.site.board.tasks[page.task]

    def _questions(self, task: int) -> list[Question]:
        return questions_of(self.site.board.tasks[task])

    def _lists(self, task: int) -> list[Listing]:
        return list(listings(self.site.board.tasks[task], self.questions(task)))

    def _models(self) -> list[ModelPage]:
        return model_pages(self.site.board)

    def _data(self, page: Page) -> str:
        table = self._table(page)
        if page.path.startswith("data/answers/"):
            return answers_script(table, self.questions(page.task))
        if page.path.endswith(".js"):
            return script(table.task.name, listed(table.rows))
        return as_csv(table.rows) if page.path.endswith(".csv") else as_json(table.rows)

    def _compare(self, page: Page) -> str:
        table = self._table(page)
        return self._show("compare.html", page, table=table, against=against_first(table))

    def _list(self, page: Page) -> str:
        listing = self.lists(page.task)[page.at]
        return self._show("questions.html", page, table=self._table(page), listing=listing)

    def _question(self, page: Page) -> str:
        table, asked = self._table(page), self.questions(page.task)
        question = asked[page.at]
        return self._show(
            "question.html",
            page,
            table=table,
            question=question,
            before=asked[page.at - 1] if page.at else None,
            after=asked[page.at + 1] if page.at + 1 < len(asked) else None,
            answers=self.cells.answers(page.task, table, question),
            prompts=prompts(table, question),
        )

    def _run(self, page: Page) -> str:
        run = self.site.runs[page.at]
        cell, row = run.result.cell, self.rows.get(run.result.cell.id)
        if row is None:
            return self._show("failed.html", page, result=run.result, cell=cell)
        tally, task = Markup(), self.numbers[cell.task.name]
        others = 0 if row.apart else len(self.site.board.tasks[task].rows) - 1
        if self.site.options.texts != "none" and not row.apart:
            tally = self.cells.tally(task, self.questions(task), row, "../" * page.path.count("/"))
        values = {"row": row, "result": row.result, "cell": cell, "letters": _letters(row), "tally": tally}
        return self._show("run.html", page, others=others, **values)


class _Cells:
    """The lines of long lists, of parts that are rendered once: a large site has millions."""

    def __init__(self, environment: Environment) -> None:
        module: Any = environment.get_template("cells.html").module
        self.wrote: Callable[[str], Markup] = module.wrote
        self.answer: Callable[[str, bool, str], Markup] = cache(module.answer)
        self.given: Callable[[str, str, bool], Markup] = cache(module.given)
        self.opening: Callable[[Row, str], Markup] = module.opening
        self.naming: Callable[[Row], Markup] = module.naming
        self.asked: Callable[[Question, str], Markup] = module.asked
        self.kept: dict[tuple[int, str], list[Markup]] = {}

    def answers(self, task: int, table: TaskBoard, question: Question) -> Markup:
        """A row of the table for each answer to the question."""
        if (heads := self.kept.get((task, "answers"))) is None:
            heads = [self.opening(row, "../../") for row in table.rows]
            self.kept[task, "answers"] = heads
            self.kept[task, "names"] = [self.naming(row) for row in table.rows]
        found = [
            f"{head}{question.number}{name}{self.answer(one.letter, one.is_right, one.status)}{one.scores}"
            f"{self.wrote(one.completion) if one.completion else ''}</td></tr>"
            for head, name, one in zip(heads, self.kept[task, "names"], answers(table, question), strict=True)
        ]
        return Markup("\n".join(found))  # noqa: S704 (parts that a template escaped, and numbers)

    def tally(self, task: int, questions: Sequence[Question], row: Row, root: str) -> Markup:
        """An item of the list for each of the row's answers."""
        if (links := self.kept.get((task, root))) is None:
            links = self.kept[task, root] = [self.asked(question, root) for question in questions]
        answered = row.answers
        letters = answered.chosen.replace(UNREAD, formats.DASH)
        each = zip(letters, answered.truth, answered.right.tolist(), strict=True)
        parts = zip(links, each, strict=True)
        return Markup("\n".join(f"{link}{self.given(*one)}" for link, one in parts))  # noqa: S704


def _letters(row: Row) -> list[tuple[str, int, int, int]]:
    """For each letter: how often it was right, chosen, and both."""
    metrics, answered = row.result.metrics, row.answers
    both = [one for one, right in zip(answered.truth, answered.right, strict=True) if right]
    names = sorted(metrics.truth.keys() | metrics.chosen.keys())
    return [
        (name, metrics.truth.get(name, 0), metrics.chosen.get(name, 0), both.count(name)) for name in names
    ]


def _static() -> list[Path]:
    return sorted(STATIC.iterdir())


def _environment(options: Options) -> Environment:
    environment = Environment(
        loader=PackageLoader("leaderboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    own: tuple[Callable[..., Any], ...] = (told, kinds, choices, row_names, page_of_model, frontiers)
    shown: tuple[Callable[..., Any], ...] = (
        formats.percent, formats.count, formats.cut, formats.size, formats.number, formats.seconds,
        formats.or_dash, formats.short_digest, formats.estimate, metric_title, formats.view_name,
        formats.status_name, formats.differ, formats.costs, formats.circumstances, formats.points,
        formats.told_reason,
    )  # fmt: skip
    filters: dict[str, Any] = {one.__name__: one for one in (*own, *shown)}
    given: dict[str, Any] = {"options": options}
    environment.filters.update(filters)
    environment.globals.update(given)
    return environment
