"""Formats of a prompt: what is asked, what stays the same, and what a board says of the wording."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from planted import exam

from bench.board.board import make_board
from bench.board.sensitivity import Sensitivity, sensitivity
from bench.errors import FileError, Unavailable
from bench.evaluate import no_chat
from bench.inputs.data import load_split
from bench.inputs.exemplars import task_exemplars
from bench.inputs.task import read_task
from bench.inputs.tasks import find_task
from bench.results.answers import Answered, read_answered
from bench.scoring.asking import Asking, score_request
from bench.stats.agreement import agreement, tau_b
from conftest import TASK

FORMATS = """formats:
  bare:
    prompt: |-
      {{ question }}
      {% for letter, option in options %}({{ letter }}) {{ option }}
      {% endfor %}The answer is
    letter: ({{ letter }})
  short: {system: Choose one letter.}
"""


def exam_with_formats(project: Path, count: int = 300) -> Path:
    task = exam(project, count)
    task.write_text(task.read_text() + FORMATS, encoding="utf-8")
    return task


def add_planted(project: Path, fault: str) -> None:
    facts = {"title": fault.title(), "family": "planted", "license": "mit", "context": 512}
    engine = {"engine": "planted", "settings": {"fault": fault}, "architecture": "decoder"}
    card = {"name": fault.replace("_", "-")} | facts | engine
    folder = project / "model_cards"
    folder.mkdir(exist_ok=True)
    (folder / f"{card['name']}.yaml").write_text(json.dumps(card))


def wording_of(results: Path) -> Sensitivity:
    runs = [run for run in read_answered(results) if not isinstance(run, FileError)]
    [table] = make_board(runs, [], []).tasks
    assert not table.apart
    assert all(not row.result.cell.variant.format for row in table.rows)
    assert table.wording is not None
    return table.wording


def test_a_format_asks_the_same_in_other_words(anatomy: Path) -> None:
    anatomy.write_text(TASK + FORMATS, encoding="utf-8")
    file = read_task(anatomy)
    tested, shown = (load_split(file, role, data_dir=None, offline=True) for role in ("test", "train"))
    item = tested.items[0]
    exemplars = task_exemplars(file, tested.items, shown, 1, 0, "fixed")
    request = score_request(Asking(file.task.in_format("bare"), exemplars), item, no_chat)
    options = "".join(f"({letter}) {option}\n" for letter, option in zip("ABC", item.options, strict=True))
    assert request.prompt.endswith(f"\n\n{item.question}\n{options}The answer is")
    assert request.continuations[0] == (" (A)", " (B)", " (C)")
    assert f"The answer is ({exemplars.shown[0].letters[exemplars.shown[0].answer]})" in request.prompt
    assert score_request(Asking(file.task), item, no_chat).continuations[0] == (" A", " B", " C")
    own = score_request(Asking(file.task.in_format("own")), item, no_chat)
    assert own == score_request(Asking(file.task), item, no_chat)
    with pytest.raises(Unavailable, match="no format 'bar'; did you mean 'bare'"):
        file.task.in_format("bar")


def test_naming_formats_moves_no_digest_and_each_format_has_its_own(anatomy: Path) -> None:
    before = read_task(anatomy).task.digest()
    anatomy.write_text(TASK + FORMATS, encoding="utf-8")
    task = read_task(anatomy).task
    digests = {name: task.in_format(name).digest() for name in ("own", "bare", "short")}
    assert digests["own"] == before
    assert len(set(digests.values())) == 3


def test_the_project_s_own_tasks_have_eight() -> None:
    for name in ("medqa", "medqa_sample"):
        task = find_task(name).task
        prompts = {task.in_format(each).prompt for each in (*task.formats, "own")}
        assert (len(task.formats), len(prompts)) == (8, 9)


WRONG = {
    "own: {system: x}": "'own' has a meaning of its own",
    "a: {}": "it changes nothing",
    "a: {letter: '(A)'}": "write {{ letter }} once",
    "a: {prompt: '{{ questoin }}'}": "undefined variable 'questoin'; did you mean 'question'?",
    "A B: {system: x}": "formats.A B",
}


@pytest.mark.parametrize("line", WRONG, ids=list(WRONG))
def test_a_wrong_format_is_one_message_with_its_place(anatomy: Path, line: str) -> None:
    anatomy.write_text(f"{TASK}formats:\n  {line}\n", encoding="utf-8")
    with pytest.raises(FileError) as error:
        read_task(anatomy)
    assert WRONG[line] in str(error.value)
    assert "anatomy.yaml:" in str(error.value)


def test_every_format_is_a_variant_that_is_not_ranked(project: Path, bench: Callable[..., Result]) -> None:
    exam_with_formats(project, 60)
    for fault in ("none", "wording", "other_wording"):
        add_planted(project, fault)
    assert bench("run", "-m", "family:planted,chance", "-t", "exam", "--formats", "all").exit_code == 0
    again = bench("run", "-m", "family:planted,chance", "-t", "exam", "--formats", "all", "--dry-run")
    assert "0 of 10 cells to do" in again.output
    run = next((project / "results" / "exam" / "none").glob("*format=bare*/result.json"))
    command = json.loads(run.read_text())["cell"]["command"]
    assert command == "bench run --models none --tasks exam --formats bare --fresh"
    board = bench("leaderboard", "show").output
    assert "over 3 formats of the prompt" in board
    assert "Kendall's τ between the rankings by 3 formats" in board
    assert "not comparable" not in board
    rows = bench("export", "csv", "--task", "exam").output.splitlines()
    assert {"format_min", "format_median", "format_max"} < {*rows[0].split(",")}
    assert len(rows) == 5
    assert bench("leaderboard", "build").exit_code == 0
    assert (
        "How much the format of the prompt matters" in (project / "site" / "tasks" / "exam.html").read_text()
    )
    assert (
        "Other formats of the prompt"
        in next((project / "site" / "runs" / "exam" / "none").glob("*.html")).read_text()
    )


def test_a_ranking_that_the_wording_turns_is_found_and_another_is_not(
    project: Path, bench: Callable[..., Result]
) -> None:
    exam_with_formats(project)
    for fault in ("none", "wording", "other_wording"):
        add_planted(project, fault)
    command = ("run", "-t", "exam", "--formats", "all", "-m")
    assert bench(*command, "wording,other-wording,none").exit_code == 0
    wording = wording_of(project / "results")
    assert [set(pair) for pair in wording.flips] == [{"Wording, planted", "Other_Wording, planted"}]
    assert wording.agreement is not None
    assert wording.agreement.tau < 0.5
    assert wording.agreement.interval.high < 1.0
    assert "Which model is better depends on the format for" in wording.sentence
    for fault in ("letter", "nota"):
        add_planted(project, fault)
    assert bench(*command, "letter,nota,none", "--results", "steady").exit_code == 0
    steady = wording_of(project / "steady")
    assert steady.flips == ()
    assert all(model.low == model.high for model in steady.models)


def test_what_needs_more_models_or_does_not_apply_is_said(
    project: Path, bench: Callable[..., Result]
) -> None:
    exam_with_formats(project, 40)
    add_planted(project, "none")
    assert bench("run", "-m", "none", "-t", "exam", "--formats", "all").exit_code == 0
    assert "takes at least 3 models" in bench("leaderboard", "show").output
    unknown = bench("run", "-m", "none", "-t", "exam", "--formats", "bar")
    assert unknown.exit_code == 5
    assert "task exam has no format 'bar'; did you mean 'bare'?" in unknown.output
    written = bench("run", "-m", "none", "-t", "medqa_sample", "--formats", "one_line", "--generate")
    assert "written" in written.output or "does not support --generate" in written.output
    runs = [run for run in read_answered(project / "results") if isinstance(run, Answered)]
    assert sensitivity([run for run in runs if not run.result.cell.variant.format]) is None


def test_the_interval_of_tau_holds_the_truth_also_of_close_models() -> None:
    draw = np.random.default_rng(0)
    skills = np.array([0.30, 0.33, 0.36, 0.39])
    held = 0
    for _ in range(60):
        shown = agreement(draw.random((3, 4, 400)) < skills[None, :, None], clusters=None)
        assert -1 <= shown.interval.low <= shown.interval.high <= 1
        held += shown.interval.low <= 1.0 <= shown.interval.high
    assert held >= 57
    turned = np.stack([skills, skills[::-1]])
    held = 0
    for _ in range(60):
        shown = agreement(draw.random((2, 4, 400)) < turned[:, :, None], clusters=None)
        held += shown.interval.low <= -1.0 <= shown.interval.high
    assert held >= 57
    apart = agreement(
        draw.random((2, 4, 4000)) < np.array([0.2, 0.4, 0.6, 0.8])[None, :, None], clusters=None
    )
    assert (apart.tau, apart.interval.low, apart.interval.high) == (1.0, 1.0, 1.0)


def test_tied_models_have_no_order() -> None:
    assert tau_b(np.ones(3), np.arange(3.0)) == 0.0


def test_a_model_page_names_the_variant_whose_formats_it_shows(site: Path) -> None:
    """Of the committed runs, the best variant ran in one format only."""
    page = (site / "models" / "smollm2-135m-instruct-q4_1.html").read_text("utf-8")
    [(variant, share)] = re.findall(
        r"Other formats of the prompt</strong>, of ([^:<]+): lowest ([\d.]+)\u202f%", page
    )
    assert (variant, share) == ("16-bit", "27.5")
