"""Policies that people get wrong: each mistake is one sentence with its line and key."""

from pathlib import Path

import pytest

from bench.board.policy import read_policy
from bench.errors import FileError

HEAD = "model: m\ntasks: [medqa]\n"
LIST = HEAD + "requirements:\n"
OK = "requirements:\n- {name: n, memory: 4GB}\n"
UNIT = "is not a limit; write a number above 0 with its unit, such as"
A_LIST = "requirements: write a list of requirements, such as - {name: small, memory: 4GB}"
AN_OBJECT = "requirements.0: write a requirement as {name: small, memory: 4GB}"
TWO = "are two requirements: write each with a name of its own"
SHARE = "expected a number between 0 and 100 with its unit, such as"
TASKS = "tasks: write a list of tasks, or an object of tasks and weights: {medqa: 2, pubmedqa: 1}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LIST + "- {name: n, memory: null}\n", f"4: requirements.0.memory: 'null' {UNIT} 4GB or 512MiB"),
        (LIST + "- name: n\n  memory:\n", f"5: requirements.0.memory: 'null' {UNIT} 4GB or 512MiB"),
        (LIST + "- {name: n, memory: true}\n", f"4: requirements.0.memory: 'true' {UNIT} 4GB or 512MiB"),
        (LIST + "- {name: n, memory: {max: 4GB}}\n", f"4: requirements.0.memory: 'max' {UNIT} 4GB or 512MiB"),
        (LIST + "- {name: n, memory: .inf}\n", f"4: requirements.0.memory: 'inf' {UNIT} 4GB or 512MiB"),
        (LIST + "- {name: n, latency: -5ms}\n", f"4: requirements.0.latency: '-5ms' {UNIT} 500ms or 1.5s"),
        (LIST + "- {name: n, energy: 20}\n", f"4: requirements.0.energy: '20' {UNIT} 20J or 0.01Wh"),
        (LIST + "- {name: n, license: null}\n", "4: requirements.0.license: expected a text, not null"),
        (LIST + "- {name: n, license: [mit]}\n", "4: requirements.0.license: expected a text, not ['mit']"),
        (
            LIST + "- {name: n, not_worse_than: m2, margin: null}\n",
            f"4: requirements.0.margin: {SHARE} '3 points', not null",
        ),
        (
            LIST + "- {name: n, accuracy_at_least: [40 %]}\n",
            f"4: requirements.0.accuracy_at_least: {SHARE} '40 %', not ['40 %']",
        ),
        (
            LIST + "- {name: n, memory: 4GB, better_than: guessing}\n",
            f"4: requirements.0: memory and better_than {TWO}",
        ),
        (LIST + "- {memory: 4GB}\n", "4: requirements.0.name: missing"),
        (LIST + "- {name: 4, memory: 4GB}\n", "4: requirements.0.name: expected a text, not 4"),
        (
            HEAD + "requirements:\n  cheap:\n    memory: 4GB\n",
            f"3: {A_LIST}, not cheap",
        ),
        (
            HEAD + "requirements: {name: n, memory: 4GB}\n",
            f"3: {A_LIST}, not name, memory",
        ),
        (LIST, f"3: {A_LIST}, not null"),
        (HEAD + "requirements: 4\n", f"3: {A_LIST}, not 4"),
        (LIST + "- memory 4GB\n", f"4: {AN_OBJECT}, not 'memory 4GB'"),
        (LIST + "-\n", f"4: {AN_OBJECT}, not null"),
        (LIST + "- [memory, 4GB]\n", f"4: {AN_OBJECT}, not ['memory', '4GB']"),
        (
            LIST + "- {name: n, better_than: guessing, tasks: medqa}\n",
            "4: requirements.0.tasks: expected a list, not 'medqa'",
        ),
        ("", "1: expected keys and values, and the file has none"),
        ("# nothing yet\n", "1: expected keys and values, and the file has none"),
        ("4\n", "1: expected keys and values, not 4"),
        ("- model: m\n", "1: expected keys and values, not [{'model': 'm'}]"),
        ("model: m\ntasks: &a [*a]\n" + OK, "2: aliases (*a) are not supported"),
        (HEAD + "requirements: &r\n- *r\n", "4: aliases (*r) are not supported"),
        ("model: m\ntasks: medqa\n" + OK, f"2: {TASKS}"),
        ("model: m\ntasks: []\n" + OK, f"2: {TASKS}"),
        ("model: m\ntasks: [medqa, medqa]\n" + OK, "2: tasks: 'medqa' is named twice"),
        ("model: m\ntasks: [[medqa]]\n" + OK, "2: tasks: ['medqa'] is not the name of a task"),
        ("model: m\ntasks: {medqa: -1}\n" + OK, "2: tasks.medqa: expected a number above 0, not -1"),
        ("model: m\ntasks:\n" + OK, "1: needs either tasks, a list of names, or suite, the name of one"),
        ("model: [a, b]\ntasks: [medqa]\n" + OK, "1: model: expected a text, not ['a', 'b']"),
        ("model: m\n" + HEAD + OK, "2: model: given twice"),
        ("machine:\n" + HEAD + OK, "1: machine: expected a text, not null"),
        (HEAD + OK + "1: x\n", "5: 1: keys should be strings, not 1"),
        ("model: \0\n", "1: not YAML: it has the character #x0000; take it out"),
    ],
)  # fmt: skip
def test_what_a_policy_has_in_place_of_what_belongs_there_is_one_sentence(
    project: Path, text: str, message: str
) -> None:
    path = project / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FileError) as error:
        read_policy(path)
    assert str(error.value) == f"policy.yaml:{message}"
