"""One answer: the terminal, the first page and a gate say the same of the same results."""

import json
import re
import sys
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
from click.testing import Result

from conftest import ROOT

sys.path.insert(0, str(ROOT / "docs"))
from played_runs import play

Bench = Callable[..., Result]


def sentences(site: Path) -> tuple[str, str]:
    """Those of the first page without limits, and of its list for 4 GB of memory."""
    text = (site / "index.html").read_text(encoding="utf-8")
    [answer] = re.findall(r'id="answer"[^>]*>(.*?)</p>', text)
    [preset] = re.findall(r"<li><b>4&nbsp;GB of memory.</b> (.*?)</li>", text)
    first, second = (unescape(re.sub(r"<.*?>", "", part)).strip() for part in (answer, preset))
    return first, second


def picked(bench: Bench, results: Path, *words: str) -> dict[str, object]:
    return json.loads(bench("pick", "--results", str(results), *words, "--json").stdout)


def gate(bench: Bench, results: Path, model: str, tasks: list[str]) -> int:
    """The exit code for a policy that asks for what `bench pick` asks for: a model that is of use."""
    policy = {
        "title": "of use",
        "model": model,
        "tasks": tasks,
        "requirements": [
            {"name": "knows something", "better_than": "guessing"},
            {"name": "fits", "memory": "4GB"},
        ],
    }
    Path("policy.yaml").write_text(json.dumps(policy), encoding="utf-8")
    return bench("gate", "policy.yaml", "--results", str(results)).exit_code


def name_of(facts: dict[str, object], name: object) -> str:
    """The card and the variant of the model with that name."""
    [model] = [each for each in facts["fitting"] if each["name"] == name]
    return f"{model['model']}/{model['variant']}"


def test_on_the_committed_results_none_is_to_be_used(bench: Bench, project: Path) -> None:
    results = ROOT / "results"
    assert bench("leaderboard", "build", "--results", str(results)).exit_code == 0
    facts, within = picked(bench, results), picked(bench, results, "--memory", "4GB")
    assert sentences(project / "site") == (facts["sentence"], within["sentence"])
    assert str(facts["sentence"]).startswith("Use none of these for this")
    best = name_of(within, within["answer"]["best"])
    assert gate(bench, results, best, list(within["tasks"])) == 2, "better than guessing is undecided"


@pytest.mark.parametrize("weights", ["", "tasks: {scale_02: 3}\n"])
def test_on_a_played_board_the_same_model_is_to_be_used(bench: Bench, project: Path, weights: str) -> None:
    play(14, [150, 150], project)
    results = project / "results"
    if weights:
        (results / "board.yaml").write_text(weights, encoding="utf-8")
    assert bench("leaderboard", "build").exit_code == 0
    facts, within = picked(bench, results), picked(bench, results, "--memory", "4GB")
    assert sentences(project / "site") == (facts["sentence"], within["sentence"])
    assert facts["sentence"] != within["sentence"]
    assert {each["variant"] for each in facts["fitting"]} == {"bfloat16"}
    assert {each["variant"] for each in facts["baselines"]} == {"baseline"}
    assert within["tasks"] == pytest.approx(
        {"scale_01": 0.25, "scale_02": 0.75} if weights else dict.fromkeys(within["tasks"], 0.5)
    )
    chosen = name_of(within, within["answer"]["model"])
    assert gate(bench, results, chosen, list(within["tasks"])) == 0
