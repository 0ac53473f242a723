"""`bench gate`: verdicts and exit codes on the committed results, and what is wrong in a policy."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from conftest import ROOT

Bench = Callable[..., Result]
COMMITTED = ("--results", str(ROOT / "results"))
MODEL = "smollm2-135m-instruct-q4_1"
HEAD = f"model: {MODEL}/bfloat16-chat\ntasks: [medqa]\nrequirements:\n"
CHEAP = "- {name: cheap, memory: 2GB}\n"


def plain(text: str) -> str:
    return text.replace("\u202f", " ")


def policy(project: Path, text: str) -> str:
    (project / "policy.yaml").write_text(text, encoding="utf-8")
    return "policy.yaml"


def test_the_example_of_the_page_gives_what_the_page_shows(bench: Bench) -> None:
    """Byte for byte, but for the spaces at the ends of lines."""
    page = (ROOT / "docs" / "gate.md").read_text(encoding="utf-8")
    example = (ROOT / "docs" / "gate-policy.yaml").read_text(encoding="utf-8")
    assert f"```yaml gate-policy.yaml\n{example}```" in page
    result = bench("gate", str(ROOT / "docs" / "gate-policy.yaml"), *COMMITTED)
    assert result.exit_code == 2
    lines = [line.rstrip() for line in plain(result.stdout).splitlines()]
    assert "\n".join(["```text", *lines, "```"]) in page


@pytest.mark.parametrize(
    ("requirement", "code", "verdict"),
    [
        (CHEAP, 0, "GO: SmolLM2 135M Instruct (from Q4_1) (16-bit, chat) meets the requirement."),
        ("- {name: cheap, memory: 1GB}\n", 1, "NO-GO: of 1 requirement on SmolLM2 135M"),
        ("- {name: useful, better_than: tfidf}\n", 2, "INCONCLUSIVE: of 1 requirement on SmolLM2 135M"),
        ("- {name: useful, better_than: guessing}\n" + CHEAP, 2, "INCONCLUSIVE: of 2 requirements on "),
        ("- {name: knows, accuracy_at_least: 60 %}\n" + CHEAP, 1, "NO-GO: of 2 requirements on "),
    ],
)
def test_the_exit_code_is_the_verdict(
    bench: Bench, project: Path, requirement: str, code: int, verdict: str
) -> None:
    result = bench("gate", policy(project, HEAD + requirement), *COMMITTED)
    assert (result.exit_code, result.stdout.startswith(verdict)) == (code, True), result.stdout
    as_json = bench("gate", "policy.yaml", *COMMITTED, "--json")
    assert as_json.exit_code == code
    assert verdict.startswith(json.loads(as_json.stdout)["verdict"])


def test_a_comparison_has_the_numbers_of_bench_compare(bench: Bench, project: Path) -> None:
    reference = f"{MODEL}/bfloat16-lora-chat"
    text = HEAD + f"- {{name: useful, better_than: {reference}}}\n"
    gated = " ".join(plain(bench("gate", policy(project, text), *COMMITTED).stdout).split())
    compared = plain(
        bench("compare", reference, f"{MODEL}/bfloat16-chat", "--task", "medqa", *COMMITTED).stdout
    )
    numbers = re.search(r"second minus first: (.*) points \(95 % (.*)\), McNemar's p = (.*)\.\n", compared)
    assert numbers
    difference, interval, p = numbers.groups()
    assert f"{difference} points on medqa (95 % {interval}, 1,273 questions)" in gated
    assert f"p = {p}, by Holm {p}" in gated
    least = re.search(r"This test set can show differences of at least (.*) points", compared)
    assert least
    assert f"can show differences of at least {least[1]} points between" in gated


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + "- {name: n, memory: 4}\n", ":4: requirements.0.memory: '4' is not a limit; write a number "),
        (HEAD + "- {name: n, latncy: 4s}\n", ":4: requirements.0.latncy: unknown key; did you "),
        (HEAD + "- {name: n}\n", ":4: requirements.0: needs one of not_worse_than, equivalent_to, b"),
        (HEAD + "- {name: n, not_worse_than: tfidf, margin: 0.03}\n", ":4: requirements.0.margin: expected"),
        (HEAD + "- {name: n, not_worse_than: tfidf, margin: 3 %}\n", ":4: requirements.0.margin: expected"),
        (HEAD + "- {name: n, equivalent_to: tfidf}\n", ":4: requirements.0.margin: missing"),
        (HEAD + CHEAP + CHEAP, ":5: requirements.1.name: two requirements are named 'cheap'"),
        (HEAD.rstrip() + " []\n", ":3: requirements: write a list of requirements, such as - {name: "),
        ("modle: x\n" + HEAD + CHEAP, ":1: modle: unknown key; did you mean 'model'?"),
        (HEAD.replace("tasks: [medqa]\n", "") + CHEAP, ":1: needs either tasks, a list"),
        (HEAD.replace("medqa", "medq") + CHEAP, ":2: tasks.medq: no task is na"),
        (HEAD.replace("tasks: [medqa]", "suite: medicin") + CHEAP, ":2: suite: no suite is na"),
        (HEAD.replace("/bfloat16-chat", "") + CHEAP, f":1: model: '{MODEL}' has 9 variants; "),
        (HEAD.replace("16-chat", "16-chta") + CHEAP, f":1: model: '{MODEL}/bfloat16-chta' has no run in the"),
        (HEAD + "- {name: n, better_than: tfdif}\n", ":4: requirements.0.better_than: no model is n"),
        (
            HEAD + f"- {{name: n, better_than: {MODEL}/bfloat16-chat}}\n",
            ":4: requirements.0.better_than: is the model itself; name another one",
        ),
        (HEAD + "- {name: n, license: mti}\n", ":4: requirements.0.license: no model has the licence 'mti'"),
        ("machine: abacus\n" + HEAD + CHEAP, ":1: machine: no run was made on 'abacus'"),
        ("", ":1: expected keys and values"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_policy_is_one_sentence_and_never_a_verdict(
    bench: Bench, project: Path, text: str, message: str
) -> None:
    result = bench("gate", policy(project, text), *COMMITTED)
    assert (result.exit_code, result.stdout) == (3, "")
    lines = [line for line in result.stderr.splitlines() if line.startswith(f"policy.yaml{message}")]
    assert len(lines) == 1, result.stderr


def test_a_mistake_in_a_margin_says_how_margins_are_written(bench: Bench, project: Path) -> None:
    text = HEAD + "- {name: n, not_worse_than: tfidf, margin: 0.03}\n"
    assert bench("gate", policy(project, text), *COMMITTED).stderr == (
        "policy.yaml:4: requirements.0.margin: expected a number between 0 and 100 with its unit, such as "
        "'3 points', not 0.03\n"
    )


def test_all_mistakes_that_results_show_are_said_at_once(bench: Bench, project: Path) -> None:
    text = "machine: abacus\nmodel: nobody\ntasks: [medq]\nrequirements:\n- {name: n, better_than: tfdif}\n"
    result = bench("gate", policy(project, text), *COMMITTED)
    assert [line.split(":")[1] for line in result.stderr.splitlines()] == ["3", "2", "5", "1"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nothing.yaml", *COMMITTED), "nothing.yaml: No such file or directory"),
        (("policy.yaml", "--results", "nowhere"), "bench: there is no results folder nowhere"),
        (("policy.yaml", "--jsn"), "No such option '--jsn'"),
        ((), "Missing argument 'POLICY'"),
    ],
)
def test_a_wrong_command_never_looks_like_a_verdict(
    bench: Bench, project: Path, words: tuple[str, ...], message: str
) -> None:
    policy(project, HEAD + CHEAP)
    result = bench("gate", *words)
    assert result.exit_code == 3
    assert message in result.stderr


def test_without_any_run_everything_is_to_be_measured(bench: Bench, project: Path) -> None:
    (project / "results").mkdir()
    result = bench("gate", policy(project, HEAD + CHEAP))
    assert result.exit_code == 2
    assert f"bench run --models {MODEL} --tasks medqa --latency" in result.stdout
