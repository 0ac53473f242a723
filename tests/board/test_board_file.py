"""board.yaml: a board's title, the order of its tasks and their weights, on the page and in the terminal."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from conftest import TASK

Bench = Callable[..., Result]


@pytest.fixture
def results(bench: Bench, anatomy: Path, project: Path) -> Path:
    """Two tasks with the runs of two baselines."""
    (anatomy.parent / "zoology.yaml").write_text(
        TASK.replace("name: anatomy", "name: zoology").replace("title: Anatomy", "title: Zoology"),
        encoding="utf-8",
    )
    assert bench("run", "-m", "chance,majority", "-t", "anatomy,zoology").exit_code == 0
    return project / "results"


def test_the_file_orders_and_weighs_tasks_on_the_page_and_in_pick(bench: Bench, results: Path) -> None:
    assert json.loads(bench("pick", "--json").stdout)["tasks"] == {"anatomy": 0.5, "zoology": 0.5}
    (results / "board.yaml").write_text("title: For our ward\ntasks: {zoology: 3}\n", encoding="utf-8")
    tasks = json.loads(bench("pick", "--json").stdout)["tasks"]
    assert list(tasks.items()) == [("zoology", 0.75), ("anatomy", 0.25)]
    assert json.loads(bench("pick", "--tasks", "anatomy", "--json").stdout)["tasks"] == {"anatomy": 1.0}
    assert bench("leaderboard", "build").exit_code == 0
    page = Path("site/tasks.html").read_text(encoding="utf-8")
    assert page.index("Zoology") < page.index("Anatomy")
    assert "<h1>For our ward</h1>" in Path("site/index.html").read_text(encoding="utf-8")
    (results / "board.yaml").write_text("tasks: [zoology]\n", encoding="utf-8")
    tasks = json.loads(bench("pick", "--json").stdout)["tasks"]
    assert list(tasks.items()) == [("zoology", 0.5), ("anatomy", 0.5)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tasks: [zoolgy]", "board.yaml:1: tasks.zoolgy: no task with runs is named 'zoolgy'; did you mean"),
        ("title: A\ntasks: {zoology: 0}", "board.yaml:2: tasks.zoology"),
        ("titel: A", "board.yaml:1: titel: "),
        ("tasks: []", "board.yaml:1: tasks: write a list of tasks"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_line(
    bench: Bench, results: Path, text: str, message: str
) -> None:
    (results / "board.yaml").write_text(text + "\n", encoding="utf-8")
    for words in (["pick"], ["leaderboard", "build"], ["leaderboard", "show"]):
        refused = bench(*words)
        assert refused.exit_code == 3
        assert message in refused.stderr
