"""The site as files: what is published with and without words, by one process and by several."""

import json
import re
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

import pytest
from click.testing import Result

from bench.board.plain import plain_words
from bench.errors import BenchError
from bench.inputs.cards import all_cards
from bench.results.answers import Answered, read_answered
from bench.results.check import check
from bench.results.store import Run, read_runs
from conftest import ITEMS, ROOT, TASK, TRAIN, write_lines
from leaderboard import build
from leaderboard.build import make_site, write_site
from leaderboard.pages import pages_of, renderer
from leaderboard.site import Options, content_of

Bench = Callable[..., Result]
WORDS = [text for item in ITEMS for text in (str(item["question"]), *item["options"]) if len(text) > 5]


@pytest.fixture
def results(bench: Bench, anatomy: Path, project: Path) -> Path:
    assert bench("run", "-m", "family:baseline", "-t", "anatomy").exit_code == 0
    return project / "results"


def texts_of(folder: Path) -> dict[str, str]:
    paths = (path for path in sorted(folder.rglob("*")) if path.suffix in (".html", ".js", ".json", ".csv"))
    return {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in paths}


def test_several_processes_write_the_bytes_that_one_writes(
    results: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert write_site(make_site(results, all_cards()), project / "one") > 10
    monkeypatch.setattr("bench.results.answers.MANY", 2)
    monkeypatch.setattr(build, "CHUNK", 3)
    write_site(make_site(results, all_cards()), project / "several")
    assert texts_of(project / "one") == texts_of(project / "several")


@pytest.mark.parametrize(("texts", "question_pages"), [("full", 3), ("answers", 3), ("none", 0)])
def test_words_are_published_only_where_they_may_be(
    bench: Bench, results: Path, texts: str, question_pages: int
) -> None:
    built = bench("leaderboard", "build", "--texts", texts, "--noindex")
    assert built.exit_code == 0, built.output
    pages = texts_of(Path("site"))
    asked = [name for name in pages if re.fullmatch(r"questions/anatomy/[0-9a-f]{12}\.html", name)]
    assert len(asked) == question_pages
    assert ("data/answers/anatomy.js" in pages) == (texts != "none")
    shown = {word for word in WORDS for page in pages.values() if word in page}
    assert shown == (set(WORDS) if texts == "full" else set())
    for name, page in pages.items():
        if name.endswith(".html"):
            assert 'content="noindex, nofollow"' in page
            for link in re.findall(r'href="([^":#]+)', page):
                assert (Path("site") / Path(name).parent / link.partition("?")[0]).resolve().exists(), (
                    name,
                    link,
                )


def test_a_copy_without_words_is_sound_and_stands_beside_whole_runs(bench: Bench, results: Path) -> None:
    result = bench("results", "strip", "--out", "copy", "--task", "anatomy")
    assert result.exit_code == 0
    assert result.stdout.count("copied: ") == 3
    assert not any(word in path.read_text() for path in Path("copy").rglob("*.json*") for word in WORDS)
    assert list(check(Path("copy"))) == []
    whole, bare = (
        [run for run in read_runs(folder) if isinstance(run, Run)] for folder in (results, Path("copy"))
    )
    assert [run.result.metrics for run in whole] == [run.result.metrics for run in bare]
    # A table may have both: the questions' words then come from the run that has them.
    [kept] = Path("copy").glob("anatomy/chance/*")
    for path in kept.iterdir():
        (results / path.relative_to("copy")).write_bytes(path.read_bytes())
    assert list(check(results)) == []
    [table] = make_site(results, []).board.tasks
    assert len(table.rows) == 3
    assert not any(row.apart for row in table.rows)
    assert "there already: " in bench("results", "strip", "--out", "copy").stdout
    refused = bench("results", "strip", "--out", "results")
    assert refused.exit_code == 2
    assert "is the results folder itself" in refused.stderr
    assert bench("leaderboard", "build").exit_code == 0
    assert "site holds no runs" in bench("results", "strip", "--out", "site").stderr
    assert "no runs on task 'nothing'" in bench("results", "strip", "--out", "c", "--task", "nothing").stderr
    assert not Path("c").exists()


def test_a_shared_link_shows_a_picture_and_an_address(bench: Bench, results: Path) -> None:
    Path("shot.png").write_bytes(b"\x89PNG picture")
    words = ["leaderboard", "build", "--picture", "shot.png"]
    assert bench(*words).exit_code == 2
    assert bench(*words, "--url", "example.org").exit_code == 2
    assert bench(*words, "--url", "https://example.org/board").exit_code == 0
    index = Path("site/index.html").read_text(encoding="utf-8")
    assert '<meta property="og:image" content="https://example.org/board/board.png">' in index
    assert Path("site/board.png").read_bytes() == b"\x89PNG picture"
    own = next(Path("site/models").glob("*.html")).read_text(encoding="utf-8")
    assert re.search(r'og:url" content="https://example.org/board/models/[\w-]+\.html"', own)
    Path("shot.png").write_bytes(b"GIF89a")
    assert "shot.png is not a PNG" in bench(*words, "--url", "https://example.org").stderr


def test_a_model_s_page_has_its_variants_side_by_side() -> None:
    """Of the committed runs: every number of the page stands in a result file."""
    content = content_of(make_site(ROOT / "results", []))
    name = "smollm2-135m-instruct-q4_1"
    [page] = [page for page in pages_of(content) if page.path == f"models/{name}.html"]
    text = renderer(content)(page).decode()
    runs = [
        run
        for run in read_answered(ROOT / "results")
        if isinstance(run, Answered) and run.result.cell.model.name == name and run.answers
    ]
    assert len(runs) > 4
    for run in runs:
        metrics = json.loads((ROOT / "results" / run.folder / "result.json").read_text())["metrics"]
        assert f">{', '.join(plain_words(run.result.cell.variant))}</a>" in text
        assert f"{100 * metrics['accuracy']['value']:.1f}\u202f%</td>" in text
        for letter, count in metrics["chosen"].items():
            row = re.search(rf'<tr><th scope="row">{letter}</th>.*', text)
            assert row
            assert f"{100 * count / metrics['accuracy']['total']:.1f}\u202f%" in "".join(
                re.findall(rf'<tr><th scope="row">{letter}</th>.*', text)
            )
    assert "weights in memory" in text
    assert "Option text, per token" in text


def test_a_run_that_changes_under_a_build_is_told(results: Path) -> None:
    site = make_site(results, [])
    for path in results.rglob("records.jsonl"):
        path.write_text(path.read_text(encoding="utf-8") * 2, encoding="utf-8")
    with pytest.raises(BenchError, match="was changed while it was read; run the command again"):
        write_site(site, results.parent / "out")


def test_answers_are_those_of_the_records_and_words_are_read_again() -> None:
    generated = [
        run
        for run in read_answered(ROOT / "results")
        if isinstance(run, Answered) and run.answers and run.answers.written
    ]
    [run] = [
        one
        for one in read_runs(ROOT / "results")
        if isinstance(one, Run) and one.folder == generated[0].folder
    ]
    answers = generated[0].answers
    assert answers
    assert tuple(answers.records()) == run.records
    assert answers.record(7) == run.records[7]
    assert answers.chosen == "".join(record.model_output.final_answer or "-" for record in run.records)
    assert answers.right.tolist() == [record.is_correct for record in run.records]


def test_the_page_shows_the_sample_and_no_empty_extra_column(bench: Bench, anatomy: Path) -> None:
    columns = "columns: {id: id, extra: {context: ctx}}\n  sample: {items: 2}"
    anatomy.write_text(TASK.replace("columns: {id: id}", columns), encoding="utf-8")
    empty: list[object] = ["", [""], None]
    write_lines(
        anatomy.parent / "test.jsonl",
        [item | {"ctx": "Words." if n == 0 else empty[n % 3]} for n, item in enumerate(ITEMS)],
    )
    write_lines(anatomy.parent / "train.jsonl", [item | {"ctx": "x"} for item in TRAIN])
    ran = bench("run", "-m", "majority", "-t", "anatomy")
    note = "2 of 3 questions, drawn by seed 0 (data.sample)"
    assert f"warning: task anatomy, test split: {note}" in ran.stderr
    assert bench("leaderboard", "build").exit_code == 0
    pages = texts_of(Path("site"))
    assert note in pages["tasks/anatomy.html"]
    asked = [
        text for name, text in pages.items() if re.fullmatch(r"questions/anatomy/[0-9a-f]{12}\.html", name)
    ]
    assert len(asked) == 2
    for text in asked:
        assert ("<summary>context</summary>" in text) == ("Words." in text)


def first_question(options: Options) -> str:
    """The page of a question of the committed runs."""
    content = content_of(make_site(ROOT / "results", [], options))
    own = "questions/medqa_sample/[0-9a-f]{12}"
    page = next(page for page in pages_of(content) if re.match(own, page.path))
    return renderer(content)(page).decode()


def test_options_without_words_keep_prompts_on_the_disk() -> None:
    whole = first_question(Options("full"))
    assert "not published here" not in whole
    assert "<summary>The prompt of" in whole
    text = first_question(Options("answers"))
    assert "not published here" in text
    assert "<summary>The prompt of" not in text
    assert "What it wrote" not in text


def test_scores_have_a_true_minus() -> None:
    content = content_of(make_site(ROOT / "results", []))
    page = next(page for page in pages_of(content) if fnmatch(page.path, "questions/*_sample/[0-9a-f]*.html"))
    text = renderer(content)(page).decode()
    assert re.search(r"\u2212\d+\.\d{3}\b", text)
    assert not re.search(r"[ >\u00a0]-\d+\.\d{3}\b", text)
