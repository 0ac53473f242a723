"""`bench tasks show` and `validate` take a task of lm-eval by its name, as `bench run` does."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from foreign import DOCS, write_task

Bench = Callable[..., Result]
FROM = ("--include-path", "foreign", "--offline")


@pytest.fixture
def foreign(project: Path, cache: Path) -> None:
    write_task(project / "foreign")
    write_task(project / "foreign", "written", output_type="generate_until")


@pytest.mark.usefixtures("foreign")
def test_show_prints_the_prompt_of_a_task_of_lm_eval(bench: Bench) -> None:
    ran = bench("tasks", "show", "lm-eval:organs", "--item", "3", *FROM)
    assert ran.exit_code == 0, ran.output
    assert ran.stdout == f"Question: {DOCS[2]['question']}\nAnswer:\n"
    assert "' Kidney'" in ran.stderr


@pytest.mark.usefixtures("foreign")
def test_validate_reports_each_task_of_lm_eval_beside_our_own(bench: Bench) -> None:
    ran = bench("tasks", "validate", "lm-eval:written", "lm-eval:organs", "medqa_sample", *FROM)
    assert ran.exit_code == 1
    assert "lm-eval:organs: ok, 14 items, 14 distinct prompts\n" in ran.stdout
    assert "medqa_sample.yaml: ok" in ran.stdout
    assert "'written' cannot be imported: its output_type is generate_until" in ran.stderr
    assert bench("tasks", "validate", "lm-eval:organs", *FROM).exit_code == 0


@pytest.mark.parametrize("command", ["show", "validate"])
def test_a_folder_without_a_task_of_lm_eval_is_wrong_usage(bench: Bench, command: str) -> None:
    needless = bench("tasks", command, "medqa_sample", *FROM)
    assert needless.exit_code == 2
    assert needless.stderr == "bench: --include-path needs a task named lm-eval:NAME\n"
