"""`bench pick`: the answer on the committed results and on played ones, and what is wrong usage."""

import json
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sealing import sealed

from bench.board.reading import read_board
from conftest import ROOT
from leaderboard.choice_data import choice_value
from played import add_fake

Bench = Callable[..., Result]
XEON = "Intel(R) Xeon(R) Processor"
"""What the committed runs are from."""
COMMITTED = ("--results", str(ROOT / "results"))


def plain(text: str) -> str:
    return text.replace("\u202f", " ")


def test_on_the_committed_results_none_is_to_be_used(bench: Bench) -> None:
    result = bench("pick", "--memory", "4GB", "--latency", "500ms", *COMMITTED)
    assert result.exit_code == 0
    first, second, *rest = plain(result.stdout).splitlines()
    assert first == (
        "Use none of these for this: no model measured within 4 GB of memory and 500 ms for one answer is "
        "significantly better than guessing."
    )
    assert second.startswith("The best of 4 is SmolLM2 135M Instruct")
    assert any(line.startswith(" Model that fits") and "One answer" in line for line in rest)
    assert [
        line
        for line in rest
        if "task medqa with SmolLM2 135M Instruct (from Q4_1) (16-bit, chat, writes its answer)" in line
    ]
    assert len([line for line in rest if line.startswith(" SmolLM2")]) == 4


@pytest.mark.parametrize("words", [(), ("-t", "medqa"), ("-t", "medqa_sample"), ("--license", "permissive")])
def test_with_other_limits_and_tasks_the_committed_results_say_the_same(
    bench: Bench, words: tuple[str, ...]
) -> None:
    assert bench("pick", *words, *COMMITTED).stdout.startswith("Use none of these for this: no model ")


def test_as_json_it_says_the_same_with_the_numbers(bench: Bench) -> None:
    words = ("--memory", "4GB", "--tasks", "medqa", *COMMITTED)
    facts = json.loads(bench("pick", *words, "--json").stdout)
    said = plain(bench("pick", *words).stdout).splitlines()
    told = [plain(text) for text in (facts["sentence"], *facts["because"])]
    assert told == said[: len(told)]
    assert facts["because"][-1].startswith(
        "Memory and times are from 2 machines and cannot be compared (AMD EPYC"
    )
    assert facts["answer"]["kind"] == "use none"
    assert facts["tasks"] == {"medqa": 1.0}
    assert facts["limits"]["memory"] == 4_000_000_000
    best = max(facts["fitting"], key=lambda model: model["score"])
    assert (best["name"], best["variant"]) == (facts["answer"]["best"], "bfloat16-5shot")
    assert best["score"] == pytest.approx((354 / 1273 - 0.25) / 0.75)


def test_a_suite_gives_the_weights_and_tasks_add_to_it(bench: Bench, quiz: Path, project: Path) -> None:
    other = quiz.with_name("other.yaml")
    other.write_text(quiz.read_text("utf-8").replace("name: quiz", "name: other"), encoding="utf-8")
    suite = project / "suites" / "pair.yaml"
    suite.parent.mkdir()
    suite.write_text("name: pair\ntitle: Pair\ntasks: {quiz: 3}\n", encoding="utf-8")
    add_fake(project, "played")
    assert bench("run", "-m", "played", "-t", "quiz,other").exit_code == 0
    facts = json.loads(bench("pick", "--suite", "pair", "--tasks", "o*,quiz", "--json").stdout)
    assert facts["tasks"] == {"other": 0.25, "quiz": 0.75}
    assert [model["name"] for model in facts["baselines"]] == ["Played (baseline)"]
    assert facts["answer"] == {"kind": "nothing measured"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--memory", "4"), "bench: --memory: '4' is not a limit; write a number above 0 with its unit"),
        (("--latency", "fast"), "bench: --latency: 'fast' is not a limit; write a number above 0 with its"),
        (("--energy", "2GB"), "bench: --energy: '2GB' is not a limit; "),
        (("--license", "mti"), "bench: --license: no model has the licence 'mti' (there are apache"),
        (("--language", "xx"), "bench: --language: no model states 'xx' (there are en)"),
        (("--machine", "abacus"), "bench: --machine: no run is from a machine named 'abacus' (there are"),
        (("--tasks", "medq"), "bench: no task with runs is named 'medq'; did you mean 'medqa'? (there are"),
        (("--suite", "medicine"), "bench: no suite is named 'medicine'"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_one_sentence(bench: Bench, words: tuple[str, ...], message: str) -> None:
    result = bench("pick", *words, *COMMITTED)
    assert result.exit_code == 2
    assert result.stderr.startswith(message)
    assert len(result.stderr.splitlines()) == 1


def test_a_folder_without_runs_is_one_sentence(bench: Bench, project: Path) -> None:
    (project / "results").mkdir()
    result = bench("pick")
    assert (result.exit_code, result.stderr) == (
        2,
        "bench: there are no runs in results (bench run --help)\n",
    )


def test_this_machine_is_the_one_that_runs_are_of(bench: Bench, quiz: Path, project: Path) -> None:
    """Another processor is another machine; then one has to say more than a part that both share."""
    add_fake(project, "played")
    assert bench("run", "-m", "played", "-t", quiz.stem).exit_code == 0
    here = json.loads(bench("pick", "--machine", "this", "--json").stdout)["limits"]["machine"]
    [path] = (project / "results").rglob("result.json")
    raw = json.loads(path.read_text("utf-8"))
    assert here.startswith(f"{raw['provenance']['processor']}, {raw['provenance']['cores']} cores, ")
    assert json.loads(bench("pick", "--machine", "any", "--json").stdout)["limits"]["machine"] == ""

    add_fake(project, "other")
    assert bench("run", "-m", "other", "-t", quiz.stem).exit_code == 0
    raw["provenance"]["processor"] = "AAA Abacus"
    path.write_text(sealed(raw), encoding="utf-8")
    text = json.loads(bench("pick", "--machine", "abacus", "--json").stdout)["limits"]["machine"]
    assert text.startswith("AAA Abacus, ")
    both = bench("pick", "--machine", " cores")
    assert both.exit_code == 2
    assert both.stderr.startswith("bench: --machine: ' cores' is more than one machine (AAA Abacus, ")
    assert both.stderr.endswith("); write more of the name\n")


OTHERS = shutil.ignore_patterns("llama.cpp-*")
"""Committed runs that are from another machine than the others."""


def on_two_machines(project: Path) -> None:
    """The committed runs, and the same on another machine, where they took twice the memory and a second."""
    for folder in ("first", "second"):
        to = project / "results" / folder / "medqa_sample"
        shutil.copytree(ROOT / "results" / "medqa_sample", to, ignore=OTHERS)
    for path in (project / "results" / "second").rglob("result.json"):
        raw = json.loads(path.read_text("utf-8"))
        raw["provenance"]["processor"] = "Abacus"
        raw["cost"]["peak_memory_bytes"] *= 2
        raw["cost"]["alone"] = {"questions": 20, "p50": 1.0, "p95": 2.0}
        path.write_text(sealed(raw), encoding="utf-8")


def test_a_run_repeated_on_another_machine_is_one_measurement_with_the_costs_of_each(
    bench: Bench, project: Path
) -> None:
    on_two_machines(project)

    def needs(*words: str) -> dict[str, dict[str, int]]:
        done = bench("pick", "--json", *words)
        assert (done.exit_code, done.stderr) == (0, "")
        facts = json.loads(done.stdout)
        return {"machines": facts["machines"]} | {each["name"]: each["needs"] for each in facts["fitting"]}

    xeon, abacus, anywhere = (needs("--machine", name) for name in ("xeon", "abacus", "any"))
    assert len(xeon) > 2
    assert anywhere == xeon
    assert anywhere.keys() == abacus.keys()
    assert [machine[:6] for machine in abacus.pop("machines")] == ["Abacus"]
    for name, own in abacus.items():
        assert own["memory"] == 2 * xeon[name]["memory"]
        assert (own["p50"], own["disk"]) == (1.0, xeon[name]["disk"])
    said = "Memory and times are those measured on "
    [line] = [line for line in plain(bench("pick").stdout).splitlines() if line.startswith(said)]
    assert line.startswith(f"{said}{XEON}, ")
    assert "; --machine takes Abacus, 2 cores," in line
    assert said not in bench("pick", "--machine", "xeon").stdout

    board, runs = read_board(project / "results", [])
    assert len(board.tasks[0].rows) == len(runs)
    page: Any = choice_value(board.tasks, board.weights)
    assert [machine.partition(",")[0] for machine in page["machines"]] == ["Abacus", XEON]
    for run in (model["runs"]["medqa_sample"] for model in page["models"]):
        [other] = run["elsewhere"]
        assert (other["memory"], other["machine"], run["machine"]) == (2 * run["memory"], 0, 1)


def test_where_no_run_is_of_this_machine_it_says_so(bench: Bench, project: Path) -> None:
    shutil.copytree(ROOT / "results" / "medqa_sample", project / "results" / "medqa_sample")
    for path in (project / "results").rglob("result.json"):
        raw = json.loads(path.read_text("utf-8"))
        raw["provenance"]["processor"] = "Abacus"
        path.write_text(sealed(raw), encoding="utf-8")
    lines = plain(bench("pick", "--latency", "500ms", "--machine", "this").stdout).splitlines()
    assert lines[0] == (
        "Nothing was measured on medqa_sample within 500 ms for one answer: no model's latency was measured "
        "on this machine."
    )
    assert lines[2].startswith("Memory, times and energy are unknown: no run of these tasks is from this ma")
    commands = [after for line, after in pairwise(lines) if "latency on this machine of" in line]
    assert commands
    assert all(command.endswith(" --latency --fresh") for command in commands)


def test_a_run_that_cannot_be_read_is_named_and_the_others_are_chosen_from(
    bench: Bench, project: Path
) -> None:
    shutil.copytree(ROOT / "results" / "medqa_sample", project / "results" / "medqa_sample")
    path = next((project / "results").rglob("*nf4*/result.json"))
    path.write_text("{", encoding="utf-8")
    result = bench("pick", "--memory", "4GB")
    assert result.exit_code == 0
    assert result.stdout.startswith("Use none of these for this: ")
    [line] = result.stderr.splitlines()
    assert line.startswith("not read: results/medqa_sample/smollm2-135m-instruct-q4_1/bfloat16-nf4-chat-")
    assert "not read" not in bench("pick", "--memory", "4GB", *COMMITTED).stderr


def test_a_machine_with_a_gpu_is_one_though_baselines_do_not_use_it(bench: Bench, project: Path) -> None:
    shutil.copytree(ROOT / "results" / "medqa_sample", project / "results" / "medqa_sample", ignore=OTHERS)
    for path in (project / "results").rglob("smollm2*/*/result.json"):
        raw = json.loads(path.read_text("utf-8"))
        raw["provenance"]["device"] = "Abacus GPU"
        path.write_text(sealed(raw), encoding="utf-8")
    facts = json.loads(bench("pick", "--machine", "xeon", "--json").stdout)
    assert facts["limits"]["machine"].endswith(" GB, Abacus GPU")
    assert facts["machines"] == [facts["limits"]["machine"]]
    assert all(model["needs"]["memory"] for model in facts["fitting"])
