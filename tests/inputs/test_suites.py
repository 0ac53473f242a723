"""Suites: tasks that are run together, listed, shown, validated and run."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from bench.errors import FileError
from bench.inputs.suite import read_suite
from conftest import ROOT, TASK

Bench = Callable[..., Result]
HUB = "data: {hub: Org/nothing, splits: {test: test}}\n"


@pytest.fixture
def exams(anatomy: Path) -> Path:
    """The suite `exams` of the tasks `anatomy` and `law`; the data of `law` are on the hub."""
    head, _, rest = TASK.replace("anatomy", "law", 1).replace("Anatomy", "Law").partition("data:")
    anatomy.with_name("law.yaml").write_text(f"{head}{HUB}prompt:{rest.partition('prompt:')[2]}")
    return write(anatomy.parent.parent, "tasks: {anatomy: 2, law: 0.5}\n")


def write(project: Path, text: str) -> Path:
    path = project / "suites" / "exams.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"name: exams\ntitle: My exams\ndescription: Two of them.\n{text}", encoding="utf-8")
    return path


def planned(done: Result) -> list[str]:
    assert done.exit_code == 0, done.output
    return [row["task"] for row in json.loads(done.stdout)]


@pytest.mark.parametrize("path", sorted((ROOT / "suites").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_project_s_own_suites_can_be_read(path: Path) -> None:
    assert read_suite(path).tasks


def test_all_that_people_add_files_to_comes_with_the_package() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"] == {name: f"bench/{name}" for name in ("tasks", "suites", "model_cards")}


def test_a_plain_list_gives_every_task_the_weight_one(exams: Path, project: Path) -> None:
    assert read_suite(exams).tasks == {"anatomy": 2.0, "law": 0.5}
    assert read_suite(write(project, "tasks: [law, anatomy]\n")).tasks == {"law": 1.0, "anatomy": 1.0}


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("tasks: [law, anatomi]\n", "4: tasks.anatomi: no task is named 'anatomi'; did you mean 'anatomy'?"),
        ("tasks:\n  - law\n  - x*\n", "6: tasks.x*: no task is named 'x*' (there are "),
        ("tasks:\n  law: 1\n  zzz: 1\n", "6: tasks.zzz: no task is named 'zzz' (there are "),
        ("tasks: [law, law]\n", "4: tasks: 'law' is named twice"),
        ("tasks:\n  law: 1\n  law: 2\n", "6: tasks.law: given twice"),
        ("tasks: {law: 0}\n", "4: tasks.law: expected a number above 0, not 0"),
        ("tasks: {law: -1}\n", "4: tasks.law: expected a number above 0, not -1"),
        ("tasks: {law: 1.0e+308}\n", "4: tasks.law: expected a number of 100000 or less, not 1e+308"),
        ("tasks: {law: .inf}\n", "4: tasks.law: expected a finite number"),
        ("tasks: {law: much}\n", "4: tasks.law: expected a number, not 'much'"),
        ("tasks: [3]\n", "4: tasks: 3 is not the name of a task"),
        ("tasks: law\n", "4: tasks: write a list of tasks, or an object of tasks and weights"),
        ("tasks: []\n", "4: tasks: write a list of tasks"),
        ("", "1: tasks: missing"),
        ("tasks: [law]\nweights: [1]\n", "5: weights: unknown key (there are description, name, "),
    ],
)  # fmt: skip
def test_a_mistake_in_a_suite_is_told_with_file_line_and_key(
    exams: Path, project: Path, text: str, mistake: str
) -> None:
    with pytest.raises(FileError) as caught:
        read_suite(write(project, text))
    assert f"suites/exams.yaml:{mistake}" in str(caught.value)


def test_a_suite_is_named_as_its_file(exams: Path) -> None:
    with pytest.raises(FileError, match=r"other.yaml:1: name: 'exams' must be the file's name, 'other'"):
        read_suite(exams.rename(exams.with_name("other.yaml")))


def test_suites_are_listed_beside_the_mistakes_of_broken_ones(exams: Path, bench: Bench) -> None:
    listed = bench("suites", "list")
    assert listed.exit_code == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()] == ["name", "exams", "medical"]
    exams.with_name("broken.yaml").write_text("name: broken\ntitle: T\ntasks: [zzz]\n", encoding="utf-8")
    for words in ((), ("--json",)):
        done = bench("suites", "list", *words)
        assert done.exit_code == 3
        assert "suites/broken.yaml:3: tasks.zzz: no task is named 'zzz'" in done.stderr
    assert [suite["name"] for suite in json.loads(done.stdout)] == ["exams", "medical"]
    assert bench("run", "-m", "chance", "--suite", "exams", "--dry-run", "--offline").exit_code == 0
    assert bench("run", "-m", "chance", "--suite", "broken").exit_code == 3


def test_a_suite_is_shown_with_weights_licences_and_where_the_data_are(exams: Path, bench: Bench) -> None:
    shown = bench("suites", "show", "exams")
    assert shown.exit_code == 0
    assert shown.stdout.startswith("My exams\nTwo of them.\n")
    rows = [line.split() for line in shown.stdout.splitlines()[3:5]]
    assert rows == [["anatomy", "2", "Anatomy", "CC0-1.0", "yes"], ["law", "0.5", "Law", "CC0-1.0", "no"]]
    assert "not here: law: data set Org/nothing[test] is not on this machine; " in shown.stdout
    content = json.loads(bench("suites", "show", "exams", "--json").stdout)
    assert (content["name"], content["title"]) == ("exams", "My exams")
    assert [(task["weight"], task["available"]) for task in content["tasks"]] == [(2.0, True), (0.5, False)]


def test_a_suite_with_a_broken_task_shows_the_others(exams: Path, bench: Bench) -> None:
    (exams.parent.parent / "tasks" / "law.yaml").write_text("name: law\n", encoding="utf-8")
    shown = bench("suites", "show", "exams")
    assert shown.exit_code == 3
    assert "Anatomy" in shown.stdout
    assert "tasks/law.yaml:1: title: missing" in shown.stderr
    validated = bench("suites", "validate")
    assert validated.exit_code == 3
    assert "medical: ok, tasks: medqa" in validated.stdout
    assert "tasks/law.yaml:1: title: missing" in validated.stderr


def test_suites_are_validated_by_name_glob_and_path(exams: Path, bench: Bench) -> None:
    for name in ("exams", "exam*", "suites/exams.yaml"):
        done = bench("suites", "validate", name)
        assert (done.exit_code, done.stdout) == (0, "exams: ok, tasks: anatomy, law\n")


def test_an_unknown_suite_lists_the_suites_there_are(exams: Path, bench: Bench) -> None:
    for words in (("run", "-m", "chance", "--suite"), ("suites", "show"), ("suites", "validate")):
        done = bench(*words, "exam")
        assert done.exit_code == 2
        assert "no suite is named 'exam'; did you mean 'exams'? (there are exams, medical)" in done.stderr


def test_a_suite_s_tasks_run_beside_those_that_are_named(exams: Path, bench: Bench) -> None:
    run = ("run", "-m", "chance", "--dry-run", "--json", "--offline", "--suite", "exams")
    assert planned(bench(*run)) == ["anatomy"]
    assert planned(bench(*run, "-t", "medqa_sample,anatomy")) == ["anatomy", "medqa_sample"]


def test_a_sweep_file_names_a_suite(exams: Path, project: Path, bench: Bench) -> None:
    write(project, "tasks: [anatomy]\n")
    (project / "sweep.yaml").write_text("models: [chance]\nsuite: exams\n", encoding="utf-8")
    run = ("run", "--sweep", "sweep.yaml", "--dry-run", "--json", "--offline")
    assert planned(bench(*run)) == ["anatomy"]
    assert planned(bench(*run, "-t", "medqa_sample")) == ["anatomy", "medqa_sample"]
    refused = bench(*run, "--suite", "exam")
    assert refused.exit_code == 2


def test_a_bundle_takes_the_tasks_of_a_suite(exams: Path, project: Path, bench: Bench) -> None:
    write(project, "tasks: [anatomy]\n")
    done = bench("bundle", "carry", "-m", "chance", "--suite", "exams")
    assert done.exit_code == 0, done.output
    assert [path.name for path in (project / "carry" / "tasks").glob("*.yaml")] == ["anatomy.yaml"]
