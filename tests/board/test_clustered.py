"""A task that names its clusters: from the column to every place where an interval or a test is shown."""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from bench.board.clustered import in_clusters
from bench.board.when_right import WhenRight
from bench.results.answers import Answered, read_answered
from bench.results.answers_cache import read_cached
from bench.stats.clusters import Clusters
from bench.stats.confidence import confidence_of
from conftest import TASK, TRAIN, write_lines
from played import add_fake

Bench = Callable[..., Result]
COLUMN = "columns: {id: id, cluster: case}"
TWELVE = "Questions come in 12 clusters (cases, sources); intervals and tests take that into account."


def rows(cases: list[object]) -> list[dict[str, object]]:
    return [
        {"id": f"q{n}", "question": f"Which is {n}?", "options": ["one", "two", str(n)]}
        | {"answer": n % 3, "case": case}
        for n, case in enumerate(cases)
    ]


@pytest.fixture
def task(project: Path) -> Path:
    """60 questions: 10 cases of five, two of four, and two questions without a case."""
    cases: list[object] = [f"case {n // 5}" for n in range(50)] + [7, 7, 7, 7] + ["", None]
    write_lines(project / "tasks" / "test.jsonl", rows(cases))
    write_lines(project / "tasks" / "train.jsonl", [row | {"case": "other"} for row in TRAIN])
    path = project / "tasks" / "quiz.yaml"
    path.write_text(TASK.replace("anatomy", "quiz").replace("columns: {id: id}", COLUMN), encoding="utf-8")
    add_fake(project, "first", accuracy=0.4)
    add_fake(project, "second", accuracy=0.9)
    return path


def run_all(bench: Bench) -> None:
    result = bench("run", "--models", "first,second,chance", "--tasks", "quiz", "--dtype", "float32")
    assert result.exit_code == 0, result.output


def runs() -> dict[str, Answered]:
    each = [run for run in read_answered(Path("results")) if isinstance(run, Answered)]
    return {run.result.cell.model.name: run for run in each}


def stored(name: str) -> list[dict[str, object]]:
    file = runs()[name].answers.file
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def test_validate_and_show_say_how_many_clusters(task: Path, bench: Bench) -> None:
    said = bench("tasks", "validate", "quiz").output
    assert "13 clusters of items (data.columns.cluster)" in said
    assert "warning: every item" not in said
    shown = bench("tasks", "show", "quiz", "--item", "52").output
    assert "cluster: 7, of 4 items; the task has 13 clusters" in shown
    write_lines(task.parent / "test.jsonl", rows([f"c{n}" for n in range(9)]))
    assert "every item has its own case (data.columns.cluster)" in bench("tasks", "validate", "quiz").output
    write_lines(task.parent / "test.jsonl", rows(["same"] * 9))
    assert "all items have one case (data.columns.cluster)" in bench("tasks", "validate", "quiz").output


def test_a_missing_column_and_a_wrong_value_are_told(task: Path, bench: Bench) -> None:
    task.write_text(task.read_text("utf-8").replace("cluster: case", "cluster: cas"), encoding="utf-8")
    wrong = bench("tasks", "validate", "quiz")
    assert wrong.exit_code == 3
    assert "did you mean 'case'" in wrong.output
    task.write_text(task.read_text("utf-8").replace("cluster: cas", "cluster: case"), encoding="utf-8")
    write_lines(task.parent / "test.jsonl", rows([["a"], "b"]))
    assert "expected a text or a whole number" in bench("tasks", "validate", "quiz").output


def test_everything_that_is_shown_takes_clusters_into_account(bench: Bench, task: Path) -> None:
    run_all(bench)
    first = runs()["first"]
    assert first.answers.clusters is not None
    assert (first.answers.clusters.number, first.result.metrics.clusters) == (13, 13)
    thirteen = TWELVE.replace("12", "13")
    assert thirteen in bench("results", "show", first.result.cell.id[:10]).output.replace("\n", " ")
    assert thirteen in bench("leaderboard", "show").output.replace("\n", " ")
    compared = bench("compare", "first", "second").output
    assert "sign-flip p = " in compared
    assert thirteen in compared
    table = list(csv.DictReader(io.StringIO(bench("export", "csv").output)))
    assert {row["clusters"] for row in table} == {"13"}
    assert "Questions of quiz come in clusters" in bench("pick", "--tasks", "quiz").output
    assert bench("results", "check").output.startswith("sound")
    assert bench("leaderboard", "build").exit_code == 0
    page = Path("site/tasks/quiz.html").read_text("utf-8")
    assert f'{thirteen} <a href="../measured.html#clusters">' in page
    assert "corrected for all pairs at 5" in page
    assert thirteen in Path("site/compare.html").read_text("utf-8")
    run = next(Path("site/runs/quiz/first").glob("*.html")).read_text("utf-8")
    assert thirteen in run
    measured = Path("site/measured.html").read_text("utf-8")
    assert 'id="clusters"' in measured
    assert "those of questions in clusters are" in measured


def test_the_cache_keeps_clusters(task: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    run_all(bench)
    monkeypatch.setattr("bench.results.answers_cache.YOUNG", -(10**18))
    results = Path("results")
    for _ in range(2):
        kept = {run.result.cell.id: run for run in read_cached(results) if isinstance(run, Answered)}
        for run in runs().values():
            ours, theirs = run.answers.clusters, kept[run.result.cell.id].answers.clusters
            assert ours is not None
            assert theirs is not None
            assert (ours.codes.tolist(), ours.number) == (theirs.codes.tolist(), theirs.number)


def test_stripped_runs_have_the_same_numbers_and_no_name_of_a_cluster(task: Path, bench: Bench) -> None:
    run_all(bench)
    assert "case 3" in runs()["first"].answers.file.read_text("utf-8")
    assert bench("results", "strip", "--out", "bare").exit_code == 0
    for run in read_answered(Path("bare")):
        assert isinstance(run, Answered)
        text = run.answers.file.read_text("utf-8")
        assert "case " not in text
        assert len(set(re.findall(r'"cluster": ?"([0-9a-f]{16})"', text))) == 11
        full = runs()[run.result.cell.model.name]
        assert run.result.metrics == full.result.metrics
        assert run.answers.clusters is not None
        assert full.answers.clusters is not None
        assert run.answers.clusters.codes.tolist() == full.answers.clusters.codes.tolist()
    assert bench("results", "check", "--results", "bare").output.startswith("sound")


def test_a_column_named_later_changes_no_id_and_reaches_finished_runs_without_asking_again(
    task: Path, bench: Bench
) -> None:
    clustered = task.read_text("utf-8")
    task.write_text(clustered.replace(COLUMN, "columns: {id: id}"), encoding="utf-8")
    run_all(bench)
    before = runs()
    assert all("cluster" not in record for record in stored("first"))
    assert "clusters" not in (before["first"].answers.file.with_name("result.json")).read_text("utf-8")
    task.write_text(clustered, encoding="utf-8")
    assert bench("run", "--models", "first", "--tasks", "quiz", "--dtype", "float32").exit_code == 0
    now = runs()
    assert now["first"].result.cell == before["first"].result.cell
    assert now["first"].answers.chosen == before["first"].answers.chosen
    assert now["first"].result.cost == before["first"].result.cost
    low, was = now["first"].result.metrics.accuracy, before["first"].result.metrics.accuracy
    assert low.high - low.low >= was.high - was.low
    assert now["first"].answers.clusters is not None
    assert now["second"].answers.clusters is None
    told = bench("leaderboard", "show").output.replace("\n", " ")
    assert "2 rows were run before the task named them, and their own intervals are not clustered" in told
    pair = now["first"].compared_with(now["second"])
    assert pair.clusters == 13, "the questions are the same, so their clusters are known"
    assert bench("results", "check").output.startswith("sound")
    run_all(bench)
    assert all(run.answers.clusters for run in runs().values())
    assert "not clustered" not in bench("leaderboard", "show").output.replace("\n", " ")


def test_a_bundle_takes_clusters_along(task: Path, bench: Bench) -> None:
    assert bench("bundle", "taken", "--models", "chance", "--tasks", "quiz").exit_code == 0
    lines = Path("taken/tasks/data/quiz-test.jsonl").read_text("utf-8").splitlines()
    assert json.loads(lines[0])["cluster"] == "case 0"
    assert "cluster: cluster" in Path("taken/tasks/quiz.yaml").read_text("utf-8")


def test_of_one_cluster_no_interval_is_claimed(task: Path, bench: Bench) -> None:
    write_lines(task.parent / "test.jsonl", rows(["same"] * 30))
    run_all(bench)
    rate = runs()["second"].result.metrics.accuracy
    assert (rate.low, rate.high) == (0.0, 1.0)
    assert in_clusters(1) in bench("leaderboard", "show").output.replace("\n", " ")
    assert "p = 1." in bench("compare", "first", "second").output


def test_an_exact_guarantee_is_not_stated_for_questions_in_clusters(task: Path, bench: Bench) -> None:
    draw = np.random.default_rng(0)
    scores, truth = draw.normal(size=(400, 4)), draw.integers(0, 4, 400)
    scores[np.arange(400), truth] += 3
    cases = Clusters(np.arange(400) // 5, 80)
    alone, clustered = (WhenRight(confidence_of(scores, truth, 400, clusters=own)) for own in (None, cases))
    assert "accuracy or better" in alone.sentences[0]
    assert clustered.sentences[0].endswith("independent questions, and these come in 80 clusters.")
    assert clustered.numbers.answerable == ()
    told = f"{alone.numbers.separation.auroc:.3f}, no test for clusters"
    assert ("Right told from wrong (AUROC)", told) in clustered.facts


POLICY = """\
title: ward
model: second
tasks: [quiz]
requirements:
  - {name: better, better_than: first}
  - {name: as good, not_worse_than: first, margin: 5 points}
  - {name: right, accuracy_at_least: 50 %}
  - {name: no luck, better_than: guessing}
"""


def test_a_gate_takes_clusters_into_account_and_says_so(task: Path, bench: Bench) -> None:
    clustered = task.read_text("utf-8")
    task.write_text(clustered.replace(COLUMN, "columns: {id: id}"), encoding="utf-8")
    run_all(bench)
    Path("policy.yaml").write_text(POLICY, encoding="utf-8")
    alone = json.loads(bench("gate", "policy.yaml", "--json").output)
    task.write_text(clustered, encoding="utf-8")
    run_all(bench)
    together = json.loads(bench("gate", "policy.yaml", "--json").output)
    assert not any("clusters" in line for line in alone["because"])
    assert "Questions of quiz come in clusters" in " ".join(together["because"])
    assert "'right' is tested with as many questions as would be independent." in together["because"]
    for plain, own in zip(alone["requirements"], together["requirements"], strict=True):
        [before], [now] = plain["tests"], own["tests"]
        assert now["estimate"] == before["estimate"]
        if plain["name"] == "better":
            pair = runs()["first"].compared_with(runs()["second"])
            assert (now["p_met"], *now["interval"]) == (pair.p, pair.interval.low, pair.interval.high)
        else:
            width, was = (test["interval"][1] - test["interval"][0] for test in (now, before))
            assert width >= was
        if plain["name"] == "no luck":
            assert now["p_met"] == before["p_met"], "who guesses does so on each question for itself"
