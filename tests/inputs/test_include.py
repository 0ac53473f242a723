"""Task files that differ in a word share a file that they include."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from bench.errors import FileError
from bench.inputs.task import read_task

Bench = Callable[..., Result]
BASE = """\
version: 1
title: MMLU
license: MIT
data:
  files: {test: mmlu.jsonl}
  columns: {options: choices, group: subject}
prompt: |-
  {{ question }}
  {% for letter, option in options %}{{ letter }}. {{ option }}
  {% endfor %}Answer:
"""


@pytest.fixture
def subjects(project: Path) -> Path:
    """Two tasks over one file of rows."""
    tasks = project / "tasks"
    tasks.mkdir()
    rows = [
        {"question": f"{subject} {n}?", "choices": ["w", "x"], "answer": n % 2, "subject": subject}
        for subject in ("anatomy", "virology")
        for n in range(2)
    ]
    (tasks / "mmlu.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (tasks / "_mmlu.yaml").write_text(BASE, encoding="utf-8")
    for subject in ("anatomy", "virology"):
        head = f"include: _mmlu.yaml\nname: mmlu_{subject}\ntitle: {subject}\n"
        text = head + f"data: {{where: {{subject: {subject}}}}}\n"
        (tasks / f"mmlu_{subject}.yaml").write_text(text, encoding="utf-8")
    return tasks


def test_a_task_takes_over_the_keys_that_it_does_not_give(subjects: Path) -> None:
    task = read_task(subjects / "mmlu_anatomy.yaml").task
    assert (task.title, task.version) == ("anatomy", 1)
    assert task.data.where == {"subject": "anatomy"}
    assert task.data.columns.options == "choices"


def test_tasks_that_include_a_file_run_like_others(bench: Bench, subjects: Path) -> None:
    result = bench("run", "--models", "chance", "--tasks", "mmlu_*", "--results", "out")
    assert result.exit_code == 0, result.stderr
    assert sorted(path.name for path in Path("out").glob("mmlu*")) == ["mmlu_anatomy", "mmlu_virology"]
    listed = bench("tasks", "list", "--json")
    assert {task["name"] for task in json.loads(listed.stdout)} >= {"mmlu_anatomy", "mmlu_virology"}
    assert listed.exit_code == 0  # the shared file is no task


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "_mmlu.yaml",
            "version: 1",
            "version: 0",
            "tasks/_mmlu.yaml:1: version: expected a number of 1 or more",
        ),
        (
            "_mmlu.yaml",
            "{{ question }}",
            "{{ stem }}",
            "tasks/_mmlu.yaml:7: prompt: undefined variable 'stem'",
        ),
        ("mmlu_anatomy.yaml", "where:", "were:", "tasks/mmlu_anatomy.yaml:4: data.were: unknown key"),
        (
            "mmlu_anatomy.yaml",
            "_mmlu.yaml",
            "_none.yaml",
            "tasks/mmlu_anatomy.yaml:1: include: there is no file",
        ),
        (
            "_mmlu.yaml",
            "version: 1",
            "include: _mmlu.yaml",
            "tasks/_mmlu.yaml:1: include: the file includes itself",
        ),
        ("_mmlu.yaml", "version: 1", "include: [a]", "include: expected a file's name, not ['a']"),
    ],
)
def test_a_mistake_is_told_where_it_stands(
    subjects: Path, file: str, old: str, new: str, message: str
) -> None:
    path = subjects / file
    path.write_text(path.read_text().replace(old, new), encoding="utf-8")
    with pytest.raises(FileError) as caught:
        read_task(subjects / "mmlu_anatomy.yaml")
    assert message in str(caught.value)
