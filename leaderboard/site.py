"""A site: the board with the runs behind it, and what many of its pages are made from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from bench import wording
from bench.board import facts
from bench.board.board import Board, Row, TaskBoard
from bench.board.changes import describe_change
from bench.board.citing import citation, short_citation
from bench.board.clustered import clusters_across, clusters_on, clusters_sentence, in_clusters
from bench.board.columns import columns_of, filter_words, has_values, known
from bench.board.contamination import Tested, notes
from bench.board.curves import confidence_charts
from bench.board.frontier import frontiers
from bench.board.leading import leading
from bench.board.pairs import row_names
from bench.board.plain import variant_name
from bench.board.probe_charts import probe_parts
from bench.board.probe_words import probe_facts, probe_tags
from bench.board.sensitivity import format_name
from bench.board.subjects import subjects
from bench.board.terms import TERMS
from bench.board.variants import rows_apart, rows_by_model
from bench.board.when_right import not_given, when_right
from bench.results.answers import AnyRun
from bench.stats.metrics import metric_title
from bench.types import PublishedTexts
from bench.views import view_title
from leaderboard.long_lists import LongLists
from leaderboard.model_pages import ModelPage, model_pages, page_of_model
from leaderboard.question_pages import Listing, Question, listings, questions_of


@dataclass(frozen=True, slots=True)
class Options:
    """`url` is the site's address, with a slash at its end, or ""; `picture` is a PNG of it, or b""."""

    texts: PublishedTexts = "full"
    noindex: bool = False
    url: str = ""
    picture: bytes = b""


@dataclass(frozen=True, slots=True)
class Site:
    """A board with the runs behind it, how they are published, and the tests of the published order."""

    board: Board
    runs: tuple[AnyRun, ...]
    options: Options
    tested: tuple[Tested, ...] = ()

    def tests_of(self, task: str, model: str = "") -> list[Tested]:
        """The tests on a task, of one model or of all."""
        return [each for each in self.tested if each.of(model, task)]


@dataclass(frozen=True, slots=True)
class Content:
    """A site, and what its pages share, by name or by the path of its page.

    `tables` are by the task's name, `rows` by the run's id, `runs`, `models` and `lists` by path;
    `questions` and `lists` take a task's name, `question_at` a path. What is expensive is made when it is
    first asked for, and kept.
    """

    site: Site
    environment: Environment
    tables: Mapping[str, TaskBoard]
    rows: Mapping[str, Row]
    runs: Mapping[str, AnyRun]
    long_lists: LongLists
    models: Callable[[], Mapping[str, ModelPage]]
    questions: Callable[[str], Sequence[Question]]
    question_at: Callable[[str], Question]
    lists: Callable[[str], Mapping[str, Listing]]

    @property
    def shows_questions(self) -> bool:
        return self.site.options.texts != "none"

    @property
    def has_comparison(self) -> bool:
        """Whether a task has two comparable runs."""
        return any(len(table.rows) > 1 for table in self.tables.values())

    def render(self, template: str | Template, path: str, **values: object) -> str:
        """A page from one of our templates, or from one that `environment` has read.

        Every template knows `root`, the way from the page to the site's folder, its own `path`, and
        `site_nav`, the pages that every page links to.
        """
        places = {"root": root_of(path), "path": path, "site_nav": _site_nav(self)}
        return self.environment.get_template(template).render({**places, **values})


def page_of(folder: Path) -> str:
    """The path of a run's page: that of its folder, so that links last."""
    return str(PurePosixPath("runs", *folder.parts)) + ".html"


def page_of_task(name: str) -> str:
    return f"tasks/{name}.html"


def root_of(path: str) -> str:
    """ "models/a.html" -> "../"."""
    return "../" * path.count("/")


def _site_nav(content: Content) -> list[tuple[str, str]]:
    """The pages that every page links to, each a title and a path."""
    compare = [("Compare", "compare.html")] if content.has_comparison else []
    first = [("Overview", "index.html"), ("Tasks", "tasks.html")]
    return [*first, *compare, ("How it is measured", "measured.html")]


def content_of(site: Site) -> Content:
    """The content of a site; no question is read yet."""
    tables = {table.task.name: table for table in site.board.tasks}

    @cache
    def questions(task: str) -> Sequence[Question]:
        return questions_of(tables[task])

    @cache
    def by_path(task: str) -> Mapping[str, Question]:
        return {question.page: question for question in questions(task)}

    @cache
    def lists(task: str) -> Mapping[str, Listing]:
        return {listing.page: listing for listing in listings(tables[task], questions(task))}

    @cache
    def models() -> Mapping[str, ModelPage]:
        return {model.page: model for model in model_pages(site.board)}

    has_clusters = any(clusters_on(table) for table in site.board.tasks)
    environment = _environment(site, has_clusters=has_clusters)
    return Content(
        site=site,
        environment=environment,
        tables=tables,
        rows={row.result.cell.id: row for table in site.board.tasks for row in table.every_row},
        runs={page_of(run.folder): run for run in site.runs},
        long_lists=LongLists(environment),
        models=models,
        questions=questions,
        question_at=lambda path: by_path(PurePosixPath(path).parent.name)[path],
        lists=lists,
    )


def _environment(site: Site, *, has_clusters: bool) -> Environment:
    environment = Environment(
        loader=PackageLoader("leaderboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    functions: tuple[Callable[..., Any], ...] = (
        wording.percent, wording.count, wording.cut, wording.size, wording.number, wording.seconds,
        wording.or_dash, wording.short_digest, wording.points, wording.plain_points, wording.score,
        wording.whole, citation, short_citation,
        facts.estimate, metric_title, view_title, facts.status_name, facts.unanswered,
        facts.different_answers, facts.costs, facts.circumstances, facts.failure_reason,
        describe_change, filter_words, has_values, known, row_names, page_of, page_of_model, page_of_task,
        when_right, not_given, confidence_charts, probe_facts, probe_parts, probe_tags, format_name,
        notes, frontiers, leading, rows_apart, rows_by_model, subjects, variant_name,
        clusters_across, clusters_sentence, in_clusters,
    )  # fmt: skip
    filters: dict[str, Any] = {function.__name__: function for function in functions}
    values: dict[str, Any] = {"options": site.options, "columns_of": cache(columns_of), "TERMS": TERMS}
    values["tests_of"] = site.tests_of
    values["has_clusters"] = has_clusters
    environment.filters.update(filters)
    environment.globals.update(values)
    return environment
