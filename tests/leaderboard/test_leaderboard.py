"""The board: what stands side by side, what is set apart, and bytes that do not change."""

import csv
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st
from sealing import reseal, resettle, sealed

from bench.board.board import Board, make_board
from bench.board.exporting import as_csv, as_latex, as_markdown
from bench.board.frontier import efficient, frontiers
from bench.errors import BenchError
from bench.inputs.cards import all_cards
from bench.results.answers import Answered, read_answered
from bench.results.result import DoneResult
from bench.results.store import Run, read_runs
from bench.scoring.metrics import measure
from conftest import ITEMS, ROOT, TASK, write_lines
from leaderboard.build import make_site, write_site
from leaderboard.overview import overview_of
from leaderboard.pages import pages_of, renderer
from leaderboard.site import Site, content_of
from outside import bench_without
from played import answered

Bench = Callable[..., Result]


def files(site: Site) -> dict[str, bytes]:
    """Every file of the site, rendered."""
    content = content_of(site)
    render = renderer(content)
    return {page.path: render(page) for page in pages_of(content)}


def board(results: Path) -> Board:
    runs = [run for run in read_answered(results) if isinstance(run, Answered)]
    return make_board(runs, [file.card for file in all_cards()], [])


@pytest.fixture
def results(bench: Bench, anatomy: Path, project: Path) -> Path:
    assert bench("run", "-m", "family:baseline", "-t", "anatomy").exit_code == 0
    return project / "results"


def test_rows_stand_by_accuracy_with_the_chance_level_and_the_models_not_measured(results: Path) -> None:
    [table] = board(results).tasks
    accuracies = [row.result.metrics.accuracy.value for row in table.rows]
    assert accuracies == sorted(accuracies, reverse=True)
    assert len(table.rows) == 3
    assert table.chance == pytest.approx(1 / 3)
    assert len(table.unmeasured) == len(all_cards()) - 3


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("limit", "partial run: 2 drawn of 3 questions"),
        ("limit file", "partial run: the first 2 of 3 questions"),
        ("version", "version 1 of the task; the table shows version 2"),
        ("task", "the task file was different, though its version was the same"),
        ("data", "different test data"),
        ("engine", "scored by engine version 0; the table shows 2"),
    ],
)
def test_runs_that_may_not_be_compared_are_set_apart_with_the_reason(
    bench: Bench, anatomy: Path, results: Path, change: str, reason: str
) -> None:
    words = ["run", "-m", "chance", "-t", "anatomy"]
    match change:
        case "limit":
            words += ["--limit", "2"]
        case "limit file":
            words += ["--limit", "2", "--limit-order", "file"]
        case "version":
            anatomy.write_text(TASK.replace("version: 1", "version: 2"), encoding="utf-8")
        case "task":
            anatomy.write_text(TASK.replace("Answer:", "Reply:"), encoding="utf-8")
        case "engine":
            [path] = results.glob("anatomy/chance/*/result.json")
            resettle(path, lambda text: text.replace('"engine_version": 2', '"engine_version": 0'))
            words += ["--seed", "1"]
        case _:
            write_lines(anatomy.parent / "test.jsonl", ITEMS[:2])
    assert bench(*words).exit_code == 0
    [table] = board(results).tasks
    assert {row.apart for row in table.apart} == {reason}
    assert len(table.apart) + len(table.rows) == 4
    assert len(table.rows) == (1 if change == "version" else 3)


def test_the_same_results_give_the_same_bytes_in_any_process(results: Path, project: Path) -> None:
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-m", "bench", "leaderboard", "build", "--out", f"site{seed}"],
            cwd=project, env=os.environ | {"PYTHONHASHSEED": seed}, check=True, capture_output=True,
        )  # fmt: skip
    first, second = (
        {path.relative_to(site): path.read_bytes() for path in sorted(site.rglob("*")) if path.is_file()}
        for site in (project / "site1", project / "site2")
    )
    assert first == second


def test_rows_of_other_machines_and_other_training_data_say_so(
    bench: Bench, anatomy: Path, results: Path
) -> None:
    [table] = board(results).tasks
    assert "cores" in table.machine
    assert {row.tags for row in table.rows} == {(), ("trained on 3 items",)}
    [path] = results.glob("anatomy/chance/*/result.json")
    reseal(path, lambda text: re.sub(r'"processor": "[^"]*"', '"processor": "Abacus"', text))
    [table] = board(results).tasks
    assert table.machine == ""
    assert any("Abacus" in tag for row in table.rows for tag in row.tags)


def test_a_summary_that_does_not_say_what_its_records_say_is_not_shown(results: Path) -> None:
    [path] = results.glob("anatomy/majority/*/result.json")
    before = path.read_text(encoding="utf-8")
    reseal(path, lambda text: text.replace('"correct": 1', '"correct": 3', 1))
    assert before != path.read_text(encoding="utf-8")
    site = make_site(results, all_cards())
    assert any("says 3 of 3, its records say 1 of 3" in damage for damage in site.board.damaged)


def test_a_failed_cell_is_on_the_page_with_its_reason_and_never_a_number(
    bench: Bench, results: Path, project: Path
) -> None:
    from tiny import add_card, save_causal

    weights = save_causal(project / "weights", "llama")
    (weights / "model.safetensors").write_bytes(b"not a tensor")
    add_card(project, "broken", weights)
    bench("run", "-m", "broken", "-t", "anatomy")
    site = make_site(results, all_cards())
    index = files(site)["tasks/anatomy.html"].decode()
    assert re.search(
        r'>broken \([\w, -]+\)</a>: <span class="failed">failed</span>, the weights cannot be loaded', index
    )
    assert index.count(">broken (") == 1
    assert "broken" not in "".join(re.findall(r"<table.*?</table>", index, re.DOTALL))


@pytest.mark.parametrize(
    ("damage", "message"),
    [("{", "not JSON"), ('{"schema_version": 9}', "written by a newer version")],
)
def test_a_damaged_result_is_named_on_the_page_and_in_the_terminal(
    bench: Bench, results: Path, damage: str, message: str
) -> None:
    [path] = results.glob("anatomy/chance/*/result.json")
    path.write_text(damage, encoding="utf-8")
    built = bench("leaderboard", "build")
    assert built.exit_code == 0
    assert message in built.stderr
    index = Path("site/index.html").read_text(encoding="utf-8")
    assert "Not shown: damaged, duplicate or unfinished" in index
    assert message in index
    assert "Majority letter" in Path("site/tasks/anatomy.html").read_text(encoding="utf-8")


def test_what_was_only_begun_is_named_and_not_shown(bench: Bench, anatomy: Path, results: Path) -> None:
    [chance] = results.glob("anatomy/chance/*")
    [majority] = results.glob("anatomy/majority/*")
    (chance / "result.json").unlink()
    (majority / "result.json").unlink()
    (majority / "records.jsonl").rename(majority / "unfinished.jsonl")
    built = bench("leaderboard", "build")
    assert built.exit_code == 0
    for folder in (chance, majority):
        assert f"not shown: {folder.relative_to(results)}: " in built.stderr
    assert "records without a result.json" in Path("site/index.html").read_text(encoding="utf-8")


def test_texts_from_tasks_and_models_are_shown_as_text(bench: Bench, anatomy: Path, project: Path) -> None:
    hostile = '<script>alert(1)</script><img src=x onerror="alert(2)">'
    write_lines(
        anatomy.parent / "test.jsonl", [row | {"question": f"{hostile} {row['id']}"} for row in ITEMS]
    )
    anatomy.write_text(TASK.replace("title: Anatomy", f"title: '{hostile}'"), encoding="utf-8")
    bench("run", "-m", "chance", "-t", "anatomy")
    for name, data in files(make_site(project / "results", all_cards())).items():
        if name.endswith(".html") and name not in ("404.html", "measured.html"):
            assert b"<script>alert" not in data
            assert b"<img" not in data
            assert b"&lt;script&gt;" in data


def test_a_site_replaces_an_earlier_one_and_nothing_else(results: Path, project: Path) -> None:
    site = make_site(results, all_cards())
    write_site(site, project / "out")
    (project / "out" / "mine.txt").write_text("kept", encoding="utf-8")
    (project / "out" / "runs" / "mine.txt").write_text("kept", encoding="utf-8")
    [old] = (project / "out" / "runs" / "anatomy" / "chance").iterdir()
    [folder] = (results / "anatomy" / "chance").iterdir()
    for path in [*folder.iterdir()]:
        path.unlink()
    write_site(make_site(results, all_cards()), project / "out")
    assert not old.parent.exists()
    assert (project / "out" / "runs" / "mine.txt").exists()
    assert (project / "out" / "mine.txt").read_text(encoding="utf-8") == "kept"


def test_a_mark_that_names_files_elsewhere_removes_nothing_there(results: Path, project: Path) -> None:
    write_site(make_site(results, all_cards()), project / "out")
    (project / "precious.txt").write_text("mine", encoding="utf-8")
    with (project / "out" / ".slm-bench-site").open("ab") as mark:
        mark.write(b"../precious.txt\n\xff\n")
    write_site(make_site(results, all_cards()), project / "out")
    assert (project / "precious.txt").exists()


@pytest.mark.usefixtures("quiz")
def test_a_board_of_baselines_says_how_many_there_are_and_compares_them_with_nothing(
    results: Path, bench: Bench
) -> None:
    assert bench("run", "-m", "chance", "-t", "quiz").exit_code == 0
    overview = overview_of(content_of(make_site(results, [])))
    assert overview
    told = {group.name: group.heading for group in overview.groups if "baseline" in group.heading}
    assert told == {"baselines": "3 baselines"}


def test_a_copied_run_is_shown_once_and_named(results: Path) -> None:
    shutil.copytree(results / "anatomy", results / "copy" / "anatomy")
    site = make_site(results, all_cards())
    assert len(site.runs) == 3
    assert sum("a copy of anatomy/" in damage for damage in site.board.damaged) == 3


def test_a_folder_with_other_files_is_not_written_over(results: Path, project: Path) -> None:
    (project / "out").mkdir()
    (project / "out" / "thesis.txt").write_text("dear", encoding="utf-8")
    with pytest.raises(BenchError, match="was not made by this command"):
        write_site(make_site(results, all_cards()), project / "out")
    assert [path.name for path in (project / "out").iterdir()] == ["thesis.txt"]


def test_without_results_the_command_says_what_to_do(bench: Bench) -> None:
    built = bench("leaderboard", "build")
    assert built.exit_code == 2
    assert "there is no results folder results: run 'bench run' first" in built.stderr
    served = bench("leaderboard", "serve")
    assert "run 'bench leaderboard build' first" in served.stderr


def finished(records: int, right: int, title: str, memory: int, kind: str = "decoder") -> Answered:
    """A run of a golden file, with so many of its questions right, from the first on."""
    [run] = read_runs(ROOT / "tests" / "golden" / "schema-4")
    assert isinstance(run, Run)
    assert isinstance(run.result, DoneResult)
    one = run.records[0]
    made = [
        one.model_copy(
            update={"question_id": f"q{n}", "question": f"{n}?", "is_correct": n < right, "scores": {}}
        )
        for n in range(records)
    ]
    model = run.result.cell.model.model_copy(
        update={"title": title, "name": title.lower(), "architecture": kind}
    )
    cell = run.result.cell.model_copy(update={"model": model, "id": title, "limit": None})
    metrics = measure(made, {})
    cost = run.result.cost.model_copy(update={"peak_memory_bytes": memory})
    result = run.result.model_copy(update={"cell": cell, "metrics": metrics, "cost": cost})
    return answered(Run(Path(title), result, tuple(made)))


def headline_of(*runs: Answered) -> str:
    [table] = make_board(runs, [], []).tasks
    return table.headline


def test_a_headline_says_which_models_are_best() -> None:
    best = finished(400, 300, "Best", 4_000_000_000)
    near = finished(400, 297, "Near", 1_000_000_000)
    poor = finished(400, 100, "Poor", 500_000_000)
    assert headline_of(best, near, poor) == (
        "Best and Near may be best, with no significant difference between them; "
        "Near needs 25\u202f% of the memory."
    )
    assert headline_of(best, poor) == "Best is best, by a significant margin."
    guess = finished(400, 298, "Guess", 1, kind="baseline")
    assert headline_of(best, guess, poor) == "No model is significantly better than the baseline Guess."
    assert headline_of(guess) == "Only baselines have been run so far."
    assert headline_of(poor) == "Poor is the only run so far."
    sure = finished(400, 390, "Sure", 1, kind="baseline")
    assert headline_of(best, poor, sure) == "No model may be best: the baseline Sure is ahead."
    close = finished(400, 295, "Close", 1)
    assert headline_of(best, close) == (
        "Only Best may be best, at rank 1–2: not every other row is significantly worse by itself."
    )


def test_a_finished_run_is_shown_rather_than_a_failure_or_a_copy_without_words(
    bench: Bench, results: Path
) -> None:
    assert bench("results", "strip", "--out", "results/a-copy").exit_code == 0
    [run] = results.glob("anatomy/chance/*/result.json")
    failed = json.loads(run.read_text(encoding="utf-8"))
    kept = {key: failed[key] for key in ("schema_version", "cell", "provenance")}
    path = results / "a-failure" / run.relative_to(results)
    path.parent.mkdir(parents=True)
    path.write_text(sealed(kept | {"status": "failed", "reason": "x", "traceback": ""}), encoding="utf-8")
    board = make_site(results, []).board
    [table] = board.tasks
    assert not table.failures
    assert {row.answers.texts for row in table.rows} == {"full"}
    assert sum(": a copy of anatomy/" in damage for damage in board.damaged) == 4


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"final_answer":"A"', '"final_answer":"AB"', "an answer that is not one of its options"),
        ('"answer_gt":"B"', '"answer_gt":"\u03a9"', "an answer that is not one of its options"),
        ('"answer_gt":"B"', '"answer_gt":""', "an answer that is not one of its options"),
        ('"question_id":"q1"', '"question_id":"q\\ud800"', "not a record"),
    ],
)
def test_a_foreign_run_never_ends_the_build(
    bench: Bench, results: Path, old: str, new: str, message: str
) -> None:
    [folder] = results.glob("anatomy/majority/*")
    text = (folder / "records.jsonl").read_text(encoding="utf-8")
    assert (old in text) or old.startswith('"final')
    data = (
        re.sub(r'"final_answer":"\w"', new, text, count=1)
        if old.startswith('"final')
        else text.replace(old, new)
    )
    (folder / "records.jsonl").write_text(data, encoding="utf-8")
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    result["records_sha256"] = hashlib.sha256(data.encode()).hexdigest()
    (folder / "result.json").write_text(sealed(result), encoding="utf-8")
    built = bench("leaderboard", "build")
    assert built.exit_code == 0
    assert message in built.stderr
    assert len(make_site(results, []).board.tasks[0].rows) == 2


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("name", "../../escaped", "String should match pattern"),
        ("title", "half \ud800", "not JSON"),
    ],
)
def test_a_summary_with_impossible_words_is_named(
    bench: Bench, results: Path, project: Path, key: str, value: str, message: str
) -> None:
    [path] = results.glob("anatomy/majority/*/result.json")
    result = json.loads(path.read_text(encoding="utf-8"))
    result["cell"]["task"][key] = value
    path.write_text(json.dumps(result) if key == "title" else sealed(result), encoding="utf-8")
    before = sorted(project.parent.rglob("*"))
    built = bench("leaderboard", "build")
    assert built.exit_code == 0
    assert message in built.stderr
    new = set(project.parent.rglob("*")) - set(before)
    assert all((project / "site") in (one, *one.parents) for one in new)


def test_no_id_of_a_question_is_published_without_texts(bench: Bench, results: Path) -> None:
    """Neither in a failure's reason nor in what is said of a damaged run."""
    [path] = results.glob("anatomy/majority/*/result.json")
    kept = json.loads(path.read_text(encoding="utf-8"))
    kept = {key: kept[key] for key in ("schema_version", "cell", "provenance")}
    failure = {"status": "failed", "reason": "item SECRET-7: no token", "traceback": ""}
    [damaged] = results.glob("anatomy/tfidf/*/records.jsonl")
    damaged.write_text(
        damaged.read_text("utf-8").replace('"is_correct":false', '"is_correct":true', 1), "utf-8"
    )
    summary = damaged.with_name("result.json")
    content = json.loads(summary.read_text("utf-8"))
    digest = hashlib.sha256(damaged.read_bytes()).hexdigest()
    summary.write_text(sealed(content | {"records_sha256": digest}), encoding="utf-8")
    for public, shown in (("question 3: no token", "question 3: no token"), ("", "not published")):
        path.write_text(sealed(kept | failure | {"public_reason": public}), encoding="utf-8")
        assert bench("leaderboard", "build", "--texts", "none").exit_code == 0
        pages = [page.read_text("utf-8") for page in Path("site").rglob("*.html")]
        assert not [page for page in pages if "SECRET-7" in page or re.search(r"\bq[123]\b", page)]
        assert any(shown in page for page in pages)
        assert any("is_correct does not follow" in page for page in pages)


def test_what_an_exception_said_is_not_published_without_texts(bench: Bench, results: Path) -> None:
    [path] = results.glob("anatomy/majority/*/result.json")
    kept = json.loads(path.read_text(encoding="utf-8"))
    kept = {key: kept[key] for key in ("schema_version", "cell", "provenance")}
    failure = {"status": "failed", "reason": "ValueError: SECRET", "traceback": "ValueError: SECRET"}
    path.write_text(sealed(kept | failure), encoding="utf-8")
    for texts in ("full", "answers", "none"):
        assert bench("leaderboard", "build", "--texts", texts).exit_code == 0
        leaking = [page for page in Path("site").rglob("*.html") if "SECRET" in page.read_text()]
        assert bool(leaking) == (texts == "full")
        assert "ValueError" in Path("site/tasks/anatomy.html").read_text(encoding="utf-8")


def test_ranks_are_what_is_not_excluded() -> None:
    runs = [finished(400, right, name, 1) for name, right in (("A", 300), ("B", 297), ("C", 100))]
    [table] = make_board(runs, [], []).tasks
    assert [row.standing.text for row in table.rows if row.standing] == ["1–2", "1–2", "3"]
    assert [round(row.standing.above_chance, 3) for row in table.rows if row.standing] == [0.667, 0.657, 0.0]


def test_two_runs_are_compared_in_the_terminal(anatomy: Path, bench: Callable[..., Result]) -> None:
    Path("results").mkdir()
    assert "there are no runs in results" in bench("leaderboard", "show").stdout
    bench("run", "-m", "chance,majority", "-t", "anatomy")
    result = bench("compare", "chance", "majority")
    assert result.exit_code == 0, result.output
    names = "Chance (baseline) and Majority letter (baseline)"
    assert f"No significant difference between {names}: " in result.stdout
    assert "McNemar's p = " in result.stdout
    assert "only Chance (baseline): " in result.stdout
    assert "no finished run matches 'nobody'" in bench("compare", "chance", "nobody").output
    ids = [json.loads(path.read_text("utf-8"))["cell"]["id"] for path in Path("results").rglob("result.json")]
    for length, code in ((7, 2), (8, 0)):
        assert bench("compare", *(run[:length] for run in ids)).exit_code == code
    bench("run", "-m", "majority", "-t", "anatomy", "--limit", "2")
    assert "'majority' has several runs on anatomy: " in bench("compare", "chance", "majority").output
    shown = bench("leaderboard", "show").stdout
    assert "No model" in shown or "Only baselines have been run so far." in shown


def test_a_spreadsheet_takes_no_title_for_a_formula() -> None:
    [table] = make_board([finished(4, 2, "=1+1", 1)], [], []).tasks
    [row] = csv.DictReader(io.StringIO(as_csv(table.rows)))
    assert row["title"] == "'=1+1"


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=1, max_size=12))
def test_what_is_efficient_is_beaten_by_nothing_and_beats_the_rest(known: list[tuple[float, float]]) -> None:
    flags = efficient(known)
    kept = [one for one, is_kept in zip(known, flags, strict=True) if is_kept]
    assert kept
    for cost, value in known:
        beaten = any(c <= cost and v >= value and (c, v) != (cost, value) for c, v in kept)
        assert beaten == ((cost, value) not in kept)


def test_a_frontier_is_drawn_of_models_whose_costs_differ() -> None:
    runs = [finished(100, right, name, memory) for name, right, memory in (
        ("Big", 60, 4 * 10**9), ("Small", 55, 10**9), ("Poor", 40, 2 * 10**9)
    )]  # fmt: skip
    [table] = make_board([*runs, finished(100, 90, "Guess", 1, kind="baseline")], [], []).tasks
    [drawn] = frontiers(table)
    assert drawn.axis == "peak memory"
    assert {point.row.result.cell.model.title for point in drawn.efficient} == {"Big", "Small"}
    for point in drawn.points:
        assert 0 < point.x < 640
        assert 0 < point.high < point.y < point.low < 320


def test_numbers_of_points_that_stand_close_do_not_cover_each_other() -> None:
    runs = [finished(100, 40 + n % 3, f"Model {n}", (10 + n) * 10**8) for n in range(20)]
    [table] = make_board(runs, [], []).tasks
    [drawn] = frontiers(table)
    places = [point.label for point in drawn.points if point.label]
    assert len(places) == 20
    for at, (left, bottom) in enumerate(places):
        assert 0 < left < 625
        assert 10 <= bottom <= 320
        for other_left, other_bottom in places[at + 1 :]:
            assert abs(left - other_left) >= 15 or abs(bottom - other_bottom) >= 10


def test_a_board_is_exported_in_four_forms(anatomy: Path, bench: Callable[..., Result]) -> None:
    bench("run", "-m", "family:baseline", "-t", "anatomy")
    rows = json.loads(bench("export", "json").stdout)
    table = list(csv.DictReader(io.StringIO(bench("export", "csv").stdout)))
    assert [row["run"] for row in table] == [row["run"] for row in rows]
    markdown = bench("export", "markdown").stdout
    assert markdown.count("\n| ") == 2 + len(rows)
    assert "| 1–3 | TF-IDF + logistic regression | baseline | " in markdown
    latex = bench("export", "latex").stdout
    assert latex.count(r" \\") == 1 + len(rows)
    assert r"\%" in latex
    wrong = bench("export", "csv", "--task", "nothing")
    assert wrong.exit_code == 2
    assert "no runs on task 'nothing' (tasks with runs: anatomy)" in wrong.output


def test_csv_and_json_hold_all_tasks_with_the_name_of_each(quiz: Path, bench: Callable[..., Result]) -> None:
    bench("run", "-m", "chance", "-t", "quiz,medqa_sample")
    rows = json.loads(bench("export", "json").stdout)
    assert [row["task"] for row in rows] == ["medqa_sample", "quiz"]
    printed = bench("export", "csv").stdout
    assert printed.startswith("task,")
    assert printed.count("rank_best") == 1
    table = list(csv.DictReader(io.StringIO(printed)))
    assert [(row["task"], row["run"]) for row in table] == [(row["task"], row["run"]) for row in rows]
    alone = csv.DictReader(io.StringIO(bench("export", "csv", "--task", "quiz").stdout))
    assert [row["task"] for row in alone] == ["quiz"]


def test_partial_runs_are_shown_with_their_numbers_and_marked(
    anatomy: Path, bench: Callable[..., Result]
) -> None:
    bench("run", "-m", "chance", "-t", "anatomy", "--limit", "2")
    lines = [line.split() for line in bench("leaderboard", "show").stdout.splitlines()]
    assert lines[0] == ["Anatomy:", "no", "complete", "run", "yet"]
    assert lines[1] == ["Anatomy:", "partial", "runs,", "not", "comparable"]
    [row] = [line for line in lines if line[:1] == ["chance"]]
    assert row[1:4] == ["baseline,", "2", "drawn"]
    assert row[5] == "%"
    assert row[7].endswith("/2")
    bench("run", "-m", "majority", "-t", "anatomy")
    shown = bench("leaderboard", "show").stdout
    assert shown.startswith("Anatomy   ")
    assert "Only baselines have been run so far." in shown
    assert shown.index("Majority letter") < shown.index("Anatomy: partial runs, not comparable")


def test_an_export_takes_no_words_for_markup() -> None:
    [table] = make_board([finished(4, 2, r"a|b_<c>&\d%", 1)], [], []).tasks
    assert r"a\|b\_\<c\>&\\d%" in as_markdown(table)
    assert r"a|b\_<c>\&\textbackslash{}d\%" in as_latex(table)


def test_a_board_is_built_without_the_libraries_that_run_models(results: Path, project: Path) -> None:
    """So that a page can be published by a machine that has only docs/board-requirements.txt."""
    heavy = ("torch", "transformers", "datasets", "sklearn", "peft", "accelerate", "evaluate", "pandas")
    output = bench_without(heavy, project, ["leaderboard", "build"], ["results", "check"])
    assert (project / "site" / "index.html").is_file()
    assert "sound: 3 done" in output
