"""`bench verify`, and what it says of a real model beside the reference."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import Result

from bench.lm_eval.verify import Verification
from conftest import ROOT
from foreign import write_task
from tiny import SIZES, save_causal, save_t5

Bench = Callable[..., Result]


def card(project: Path, weights: Path, architecture: str) -> None:
    (project / "model_cards").mkdir(exist_ok=True)
    card = {
        "name": "tiny", "title": "Tiny", "family": "tiny", "license": "mit", "context": 4096,
        "architecture": architecture, "source": {"path": str(weights)},
    }  # fmt: skip
    (project / "model_cards" / "tiny.yaml").write_text(yaml.safe_dump(card), encoding="utf-8")


@pytest.mark.parametrize("kind", ["decoder", "encoder-decoder"])
def test_every_view_is_the_reference_s_and_the_saved_file_says_so(
    bench: Bench, project: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SIZES, "max_position_embeddings", 4096)
    weights = save_causal(project / "m", "llama") if kind == "decoder" else save_t5(project / "m")
    card(project, weights, kind)
    words = ["--model", "tiny", "--task", "medqa_sample", "--limit", "6", "--exemplars", "2"]
    shown = bench("verify", *words, "--dtype", "float32", "--rounds", "1")
    assert shown.exit_code == 0, shown.output
    assert "times as fast" in shown.stdout
    [path] = (project / "results" / "verify").iterdir()
    verification = Verification.model_validate_json(path.read_text(encoding="utf-8"))
    assert path.name == "tiny-medqa_sample-2shot-float32.json"
    assert set(verification.views) == {"letter", "text", "text_per_char", "text_per_token", "text_pmi"}
    # These weights are scaled up until every mistake shows; log-likelihoods are in the hundreds.
    assert all(check.agree == check.items == 6 for check in verification.views.values())
    assert all(check.max_difference < 1e-3 for check in verification.views.values())
    assert set(verification.work) == {"letters", "texts", "all views"}
    for timing in verification.work.values():
        assert timing.ratio == pytest.approx(timing.reference[0] / timing.ours[0])
    assert 0 < verification.rate_share < 1
    assert verification.path == "packed"


def test_a_baseline_or_several_models_cannot_be_verified(bench: Bench, project: Path) -> None:
    for name in ("chance", "family:qwen"):
        result = bench("verify", "--model", name, "--task", "medqa_sample")
        assert result.exit_code == 2
        assert "name one model of the engine transformers" in result.stderr


@pytest.mark.model
def test_the_embedded_model_reasons_in_words_and_the_page_tells_how_often_it_could_be_read(
    bench: Bench, project: Path, cache: Path
) -> None:
    words = ["--models", "smollm2-135m-instruct-q4_1", "--tasks", "medqa_sample", "--limit", "4"]
    ran = bench("run", *words, "--generate", "--max-new-tokens", "48", "--json")
    assert ran.exit_code == 0, ran.output
    [result] = json.loads(ran.stdout)
    assert result["cell"]["variant"]["generate"]["max_new_tokens"] == 48
    assert result["cell"]["variant"]["prompt"] == "chat"
    assert "--generate --max-new-tokens 48" in result["cell"]["command"]
    [records] = (project / "results").rglob("records.jsonl")
    lines = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]
    assert all(line["completion"] and line["new_tokens"] <= 48 for line in lines)
    for line in lines:
        output = line["model_output"]
        assert (output["final_answer"] is not None) == (line["parse_status"] == "parsed")
        assert output["reasoning_steps"] or output["final_answer"]
        assert line["prompt"].startswith("<|im_start|>system\nYou are a careful physician")
        assert line["prompt"].endswith("<|im_start|>assistant\n")
    read = sum(line["parse_status"] == "parsed" for line in lines)
    assert result["metrics"]["statuses"].get("parsed", 0) == read
    assert bench("leaderboard", "build").exit_code == 0
    page = (project / "site" / "tasks" / "medqa_sample.html").read_text(encoding="utf-8")
    assert f"{read * 25}\u202f% of replies could be read" in page


def test_an_lm_eval_task_runs_by_name_and_is_on_the_board(bench: Bench, project: Path, cache: Path) -> None:
    write_task(project / "foreign")
    card(project, save_causal(project / "m", "llama"), "decoder")
    words = ["run", "-m", "tiny,chance", "-t", "lm-eval:organs", "--include-path", "foreign", "--offline"]
    ran = bench(*words, "--json")
    assert ran.exit_code == 0, ran.output
    results = json.loads(ran.stdout)
    assert {result["cell"]["task"]["name"] for result in results} == {"lm-eval-organs"}
    assert all("--tasks lm-eval:organs" in result["cell"]["command"] for result in results)
    tiny = next(result for result in results if result["cell"]["model"]["name"] == "tiny")
    assert set(tiny["metrics"]["views"]) == {"text", "text_per_char", "text_per_token", "text_pmi"}
    assert bench("leaderboard", "build").exit_code == 0
    assert "organs (lm-evaluation-harness)" in (project / "site" / "index.html").read_text(encoding="utf-8")
    unknown = bench("run", "-m", "chance", "-t", "lm-eval:organ", "--include-path", "foreign", "--offline")
    assert unknown.exit_code == 2
    assert "did you mean 'organs'?" in unknown.stderr


def test_data_of_lm_eval_that_cannot_be_loaded_leave_the_other_tasks(
    bench: Bench, project: Path, cache: Path
) -> None:
    write_task(project / "foreign", dataset_path="nobody/nothing", dataset_kwargs=None)
    words = ["run", "-m", "chance", "--include-path", "foreign", "--offline", "--dry-run"]
    both = bench(*words, "-t", "lm-eval:organs,medqa_sample")
    assert both.exit_code == 0
    assert "unavailable: task lm-eval:organs: the data of lm-eval's task 'organs' cannot be" in both.stderr
    assert "medqa_sample" in both.stdout
    assert bench(*words[:-1], "-t", "lm-eval:organs").exit_code == 5
    assert bench(*words, "-t", "lm-eval:organs", "--strict").exit_code == 1


def test_without_lm_eval_what_needs_it_is_refused_in_one_line_and_an_import_works(
    bench: Bench, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "lm_eval"]:
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("verify", "reference", "importing"):
        monkeypatch.delitem(sys.modules, f"bench.lm_eval.{name}", raising=False)
    card(project, save_causal(project / "m", "llama"), "decoder")
    for words in (
        ("run", "-m", "chance", "-t", "lm-eval:organs,medqa_sample", "--offline"),
        ("verify", "-m", "tiny", "-t", "medqa_sample", "--limit", "1"),
    ):
        done = bench(*words)
        assert done.exit_code == 2
        assert done.stderr == (
            "bench: lm-evaluation-harness is not installed: pip install 'slm-bench[lm-eval]'\n"
        )
    imported = bench("import", "lm-eval", "nowhere")
    assert (imported.exit_code, "nowhere holds no results_*.json" in imported.stderr) == (2, True)


def test_what_goes_only_with_generating_is_said(bench: Bench) -> None:
    result = bench("run", "-m", "chance", "-t", "medqa_sample", "--samples", "3")
    assert result.exit_code == 2
    assert result.stderr == "bench: --samples needs --generate\n"


def test_samples_without_a_temperature_are_refused(bench: Bench, project: Path) -> None:
    card(project, save_causal(project / "m", "llama"), "decoder")
    result = bench("run", "-m", "tiny", "-t", "medqa_sample", "--generate", "--samples", "3")
    assert result.exit_code == 2
    assert "samples above 1 need a temperature above 0" in result.stderr


def test_chat_for_a_model_that_is_none_is_unavailable(bench: Bench, project: Path) -> None:
    card(project, save_causal(project / "m", "llama"), "decoder")
    result = bench("run", "-m", "tiny", "-t", "medqa_sample", "--prompt", "chat")
    assert result.exit_code == 5
    assert "tiny is not a chat model" in result.stderr


def test_the_repository_s_verifications_can_be_read() -> None:
    paths = sorted((ROOT / "results" / "verify").glob("*.json"))
    assert len(paths) >= 4
    for path in paths:
        Verification.model_validate_json(path.read_text(encoding="utf-8"))
