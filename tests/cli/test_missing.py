"""What a sweep says of models and tasks that are missing: a line for each reason, and not for each pair."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from bench.cells.plan import Missing
from bench.cli.missing import show_missing
from conftest import TASK

Bench = Callable[..., Result]


def lines(done: Result) -> list[str]:
    return [line for line in done.stderr.splitlines() if line.startswith("unavailable: ")]


def test_many_tasks_of_the_hub_are_one_line_on_a_machine_without_it(anatomy: Path, bench: Bench) -> None:
    head, _, rest = TASK.partition("data:")
    for number in range(25):
        name = f"exam{number:02d}"
        data = f"data: {{hub: Org/{name}, splits: {{test: test}}}}\nprompt:{rest.partition('prompt:')[2]}"
        anatomy.with_name(f"{name}.yaml").write_text(head.replace("anatomy", name) + data, encoding="utf-8")
    tasks = "anatomy,exam*,medqa"
    ran = bench("run", "-m", "family:baseline,phi-2", "-t", tasks, "--offline", "--dry-run")
    assert ran.exit_code == 0, ran.output
    assert lines(ran) == [
        (
            "unavailable: model phi-2: the weights are not on this machine; run once while the hub can be "
            "reached, or: hf download microsoft/phi-2"
        ),
        (
            "unavailable: 26 tasks (exam00, exam01, exam02, exam03, exam04, exam05, exam06, exam07, exam08, "
            "exam09 and 16 more): their data are not on this machine; run once while the hub can be reached"
        ),
    ]
    alone = bench("run", "-m", "chance", "-t", "exam00", "--offline")
    assert alone.exit_code == 5
    assert lines(alone) == [
        (
            "unavailable: task exam00: data set Org/exam00[test] is not on this machine; run once while the "
            "hub can be reached"
        )
    ]


def test_what_a_task_lacks_is_said_once_for_all_models(anatomy: Path, bench: Bench) -> None:
    text = TASK.replace("anatomy", "plain", 1).replace(", exemplars: train", "")
    anatomy.with_name("plain.yaml").write_text(text, encoding="utf-8")
    models = "smollm2-135m-instruct,smollm2-360m-instruct"
    done = bench("run", "-m", f"chance,{models}", "-t", "plain,anatomy", "--exemplars", "2", "--offline")
    assert done.exit_code == 0, done.output
    assert [line.partition(": the ")[0] for line in lines(done)] == [
        "unavailable: 2 models (smollm2-135m-instruct, smollm2-360m-instruct)"
    ]


def test_pairs_with_one_reason_are_a_line_for_the_tasks_that_the_same_models_lack(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pairs = [("a", "law"), ("b", "law"), ("a", "art"), ("b", "art"), ("a", "bio")]
    small = "too small"
    show_missing([Missing(model, task, small, f"use {model}x", small) for model, task in pairs])
    again = [Missing("a", "law", small, "use more", small), Missing("", "law", small, "use it", small)]
    show_missing(again)
    assert capsys.readouterr().err.splitlines() == [
        "unavailable: 2 models (a, b) on 2 tasks (art, law): too small; use ax, and so on",
        "unavailable: model a on task bio: too small; use ax, and so on",
        "unavailable: task law: too small; use it",
        "unavailable: model a on task law: too small; use more",
    ]


def test_reasons_of_one_kind_are_a_line_though_each_names_its_model(
    capsys: pytest.CaptureFixture[str],
) -> None:
    remedy, general = "leave --prompt chat out", "they are not chat models"
    gaps = [Missing(model, "law", f"{model} is not a chat model", remedy, general) for model in "ab"]
    show_missing(gaps)
    show_missing(gaps[:1])
    assert capsys.readouterr().err.splitlines() == [
        f"unavailable: 2 models (a, b) on task law: they are not chat models; {remedy}",
        f"unavailable: model a on task law: a is not a chat model; {remedy}",
    ]
