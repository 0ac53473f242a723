"""`bench tasks validate` proves a task without a model."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from conftest import ITEMS, TASK, TRAIN, write_lines

Bench = Callable[..., Result]


def test_a_right_task_is_proved_and_its_majority_baseline_told(bench: Bench, anatomy: Path) -> None:
    result = bench("tasks", "validate", "anatomy")
    assert result.exit_code == 0
    assert "ok, 3 items, 3 distinct prompts" in result.stdout
    write_lines(anatomy.parent / "test.jsonl", ITEMS[:1])
    assert "ok, 1 item, 1 distinct prompt\n" in bench("tasks", "validate", "anatomy").stdout
    assert "answers: A 1, B 1, C 1; the most common one is right for 33.3\u202f%" in result.stdout


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("version: 1", "version: 0", "tasks/anatomy.yaml:2: version: expected a number of 1 or more, not 0"),
        ("license:", "licence:", "tasks/anatomy.yaml:4: licence: unknown key; did you mean 'license'?"),
        ("train: train, ", "train: test, ", "may not come from 'test', the test split"),
        ("exemplars: train", "exemplars: test", "may not come from 'test', the test split"),
        ("exemplars: train", "exemplars: dev", "no file is given for split 'dev'"),
        ("{{ question }}", "{question}", "'{question}' is not replaced: write '{{ question }}'"),
        ("{{ question }}", "{{ stem }}", "undefined variable 'stem'"),
        ("{{ question }}", "{{ group }}", "items q1 and q2 have the same prompt"),
        (
            "test.jsonl",
            "none.jsonl",
            "tasks/anatomy.yaml:6: data.files.test: there is no file tasks/none.jsonl",
        ),
        (
            "columns: {id: id}",
            "columns: {id: id, question: stem}",
            "tasks/test.jsonl:1: stem: no such column",
        ),
        (
            "prompt: |-",
            "exemplars: 9\nprompt: |-",
            "anatomy.yaml:9: exemplars: 9 exemplars are needed, but the exemplars split has 3 items; ask",
        ),
        (
            ", exemplars: train}\n  columns: {id: id}",
            "}\nexemplars: 2",
            "data.splits names no exemplars split",
        ),
    ],
)
def test_a_wrong_task_is_told_in_one_message(
    bench: Bench, anatomy: Path, old: str, new: str, message: str
) -> None:
    assert old in TASK
    text = TASK.replace(old, new)
    if new == "{{ group }}":  # a template that shows too little of the item
        text = text.replace("{{ letter }}. {{ option }}\n  ", "")
    anatomy.write_text(text, encoding="utf-8")
    result = bench("tasks", "validate", "anatomy")
    assert result.exit_code == 3
    assert message in result.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"options": ["Liver", "liver ", "Liver"], "answer": "A"},
            "tasks/test.jsonl:1: options: a row with the right option twice; correct it, or write data.rows",
        ),
        ({"options": ["Liver", " ", "Spleen"]}, "tasks/test.jsonl:1: answer: answer 'B' is an empty option"),
        ({"answer": "D"}, "tasks/test.jsonl:1: answer: answer 'D' is out of range: A, B, C or 0 to 2"),
        (TRAIN[0] | {"id": "q1"}, "tasks/train.jsonl:1: item t1: is also in the test split, which is scored"),
    ],
)
def test_wrong_data_are_reported(
    bench: Bench, anatomy: Path, change: dict[str, object], message: str
) -> None:
    write_lines(anatomy.parent / "test.jsonl", [ITEMS[0] | change, *ITEMS[1:]])
    result = bench("tasks", "validate", "anatomy")
    assert result.exit_code == 3
    assert message in result.stderr


def test_mistakes_of_several_files_are_told_in_one_go(bench: Bench, anatomy: Path) -> None:
    (anatomy.parent / "other.yaml").write_text("name: other\n", encoding="utf-8")
    anatomy.write_text(TASK.replace("version: 1", "version: one"), encoding="utf-8")
    result = bench("tasks", "validate")
    assert result.exit_code == 3
    assert "tasks/anatomy.yaml:2: version" in result.stderr
    assert "tasks/other.yaml:1: version: missing" in result.stderr


def test_an_unbalanced_key_is_a_warning(bench: Bench, anatomy: Path) -> None:
    write_lines(anatomy.parent / "test.jsonl", [row | {"answer": "A"} for row in ITEMS])
    result = bench("tasks", "validate", "anatomy")
    assert result.exit_code == 0
    assert (
        "warning: every question has the answer A: a model that always gives it scores 100 %" in result.stdout
    )


def test_a_letter_that_is_right_too_often_is_a_warning(bench: Bench, anatomy: Path) -> None:
    rows = [row | {"answer": "A"} for row in ITEMS[:2]]
    write_lines(anatomy.parent / "test.jsonl", [*rows, ITEMS[0] | {"id": "q4", "question": "Who?"}])
    result = bench("tasks", "validate", "anatomy")
    assert (
        "warning: answers are unbalanced: always giving the most common letter scores 66.7\u202f%"
        in result.stdout
    )


def test_a_prompt_that_hides_the_options_is_a_warning(bench: Bench, anatomy: Path) -> None:
    anatomy.write_text(TASK.replace(". {{ option }}", ""), encoding="utf-8")
    shown = bench("tasks", "validate", "anatomy").stdout
    assert "some options are missing from 3 prompts" in shown


def test_an_unknown_task_is_told_with_the_nearest_name(bench: Bench, anatomy: Path) -> None:
    result = bench("tasks", "validate", "anatomi")
    assert result.exit_code == 2
    assert "no task is named 'anatomi'; did you mean 'anatomy'?" in result.stderr


def test_a_new_task_is_right_from_the_start(bench: Bench, project: Path) -> None:
    assert bench("tasks", "new", "mine").exit_code == 0
    assert bench("tasks", "validate", "mine").exit_code == 0
    again = bench("tasks", "new", "mine")
    assert again.exit_code == 2
    assert "a task named 'mine' already exists" in again.stderr
    assert bench("tasks", "new", "../escape").exit_code == 2
    assert bench("tasks", "new", "x.yaml").exit_code == 2
    assert bench("tasks", "new", "medqa").exit_code == 2


def test_show_prints_exactly_the_prompt(bench: Bench, anatomy: Path) -> None:
    result = bench("tasks", "show", "anatomy", "--item", "2", "--exemplars", "1")
    assert result.exit_code == 0
    assert result.stdout.endswith(
        "\n\nQuestion: Which vitamin is missing in scurvy?\nA. A\nB. B12\nC. C\nAnswer:\n"
    )
    assert result.stdout.count("Question:") == 2
    assert bench("tasks", "show", "anatomy", "--item", "4").exit_code == 2


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("system: 'About {{ question }}.'", "system: 'question' cannot be used here"),
        ("system: 'About {{ group.x }}.'", "system: the template failed on item q1"),
        (
            "generate: {prompt: '{{ question }}', system: '{{ group + 1 }}'}",
            "generate.system: the template failed on item q1",
        ),
        (
            "generate: {prompt: '{{ question }}', system: '{{ options }}'}",
            "generate.system: 'options' cannot be used here",
        ),
    ],
)
def test_a_system_text_that_cannot_be_filled_in_is_a_mistake(
    bench: Bench, anatomy: Path, keys: str, message: str
) -> None:
    anatomy.write_text(f"{TASK}{keys}\n", encoding="utf-8")
    result = bench("tasks", "validate", "anatomy")
    assert result.exit_code == 3
    assert f"tasks/anatomy.yaml:{len(TASK.splitlines()) + 1}: {message}" in result.stderr
