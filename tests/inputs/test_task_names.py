"""Tasks and models by name and by glob, and one broken file among good ones."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from bench.folders import LONGEST_NAME, is_name, safe_name
from bench.inputs.cards import BrokenCard, read_any_card
from conftest import TASK

Bench = Callable[..., Result]


@pytest.fixture
def subjects(anatomy: Path) -> Path:
    """The task `anatomy`, and the same questions as `unit_law` and `unit_art`; returns their folder."""
    for name in ("unit_law", "unit_art"):
        anatomy.with_name(f"{name}.yaml").write_text(TASK.replace("anatomy", name, 1), encoding="utf-8")
    return anatomy.parent


def break_task(folder: Path) -> None:
    (folder / "broken.yaml").write_text("name: broken\nversion: one\n", encoding="utf-8")


def planned(done: Result) -> list[str]:
    assert done.exit_code == 0, done.output
    return [row["task"] for row in json.loads(done.stdout)]


def test_a_glob_names_every_task_that_it_matches_once(subjects: Path, bench: Bench) -> None:
    run = ("run", "-m", "chance", "--dry-run", "--json", "-t")
    assert planned(bench(*run, "unit_*")) == ["unit_art", "unit_law"]
    assert planned(bench(*run, "unit_law,unit_*,anatom?")) == ["unit_law", "unit_art", "anatomy"]
    validated = bench("tasks", "validate", "unit_[al]*")
    assert validated.exit_code == 0
    assert validated.stdout.count(": ok, 3 items") == 2
    bundled = bench("bundle", "carry", "-m", "chance", "-t", "unit_*")
    assert bundled.exit_code == 0, bundled.output
    assert sorted(path.stem for path in Path("carry/tasks").glob("*.yaml")) == ["unit_art", "unit_law"]


def test_a_glob_without_a_task_lists_the_nearest_names(subjects: Path, bench: Bench) -> None:
    for words in (("run", "-m", "chance", "-t"), ("tasks", "validate"), ("tasks", "show")):
        done = bench(*words, "unit-ar*")
        assert done.exit_code == 2
        assert "no task matches 'unit-ar*'; did you mean 'unit_art'? (there are " in done.stderr


def test_where_one_task_is_needed_a_glob_of_several_is_refused(subjects: Path, bench: Bench) -> None:
    done = bench("tasks", "show", "unit_*")
    assert done.exit_code == 2
    assert "'unit_*' matches 2 tasks, and one is needed: unit_art, unit_law" in done.stderr
    assert bench("tasks", "show", "unit_l*").exit_code == 0


def test_an_unknown_task_lists_the_tasks_there_are(anatomy: Path, bench: Bench) -> None:
    done = bench("run", "-m", "chance", "-t", "zzz")
    assert done.exit_code == 2
    assert "no task is named 'zzz' (there are " in done.stderr
    assert "medqa_sample" in done.stderr


def test_an_unknown_model_lists_the_models_most_like_it(anatomy: Path, bench: Bench) -> None:
    done = bench("run", "-m", "gpt-5", "-t", "anatomy")
    assert done.exit_code == 2
    assert "no model matches 'gpt-5' (there are " in done.stderr
    assert " more) (bench models list)" in done.stderr


def test_one_wrong_task_does_not_hide_the_others(anatomy: Path, bench: Bench) -> None:
    break_task(anatomy.parent)
    listed = bench("tasks", "list")
    assert listed.exit_code == 3
    assert "Anatomy" in listed.stdout
    assert "tasks/broken.yaml:2: version: " in listed.stderr
    as_json = bench("tasks", "list", "--json")
    assert as_json.exit_code == 3
    assert "anatomy" in [task["name"] for task in json.loads(as_json.stdout)]
    assert "tasks/broken.yaml:2: version: " in as_json.stderr


def test_a_wrong_task_that_is_not_named_stops_nothing(subjects: Path, bench: Bench) -> None:
    break_task(subjects)
    assert bench("run", "-m", "chance", "-t", "unit_*").exit_code == 0
    assert bench("run", "-m", "chance", "-t", "broken").exit_code == 3


def test_one_wrong_card_does_not_hide_the_others(project: Path, bench: Bench) -> None:
    (project / "model_cards").mkdir()
    (project / "model_cards" / "broken.yaml").write_text("name: broken\n", encoding="utf-8")
    listed = bench("models", "list")
    assert listed.exit_code == 3
    assert "majority" in listed.stdout
    assert "model_cards/broken.yaml:1: title: missing" in listed.stderr
    as_json = bench("models", "list", "--json")
    assert as_json.exit_code == 3
    assert "majority" in [card["name"] for card in json.loads(as_json.stdout)]
    for selection in ("majority", "major*", "family:baseline"):
        assert bench("models", "list", selection).exit_code == 0
        assert bench("bundle", f"carry-{selection}", "-m", selection, "-t", "medqa_sample").exit_code == 0
    assert bench("models", "show", "broken").exit_code == 3


def test_different_texts_have_different_names_also_where_one_is_the_name_of_another() -> None:
    texts = ["qwen/model", "Qwen/Model", "qwen model", "qwen-model", "", "é", "x" * 200, "X" * 200, "x\ud800"]
    made = [safe_name(text, "model") for text in texts]
    again = [safe_name(name, "model") for name in made if name not in texts]
    assert len({*made, *again}) == len(made) + len(again) == 2 * len(texts) - 1
    assert all(is_name(name) and len(name) <= LONGEST_NAME for name in (*made, *again))
    assert safe_name("Qwen/Model", "model") == "qwen-model-b10ccff19d91"


@pytest.mark.parametrize(
    "text", ["smollm2-135m-instruct-q4_1", "a-b10ccf", "b10ccff19d91", "a-b10ccff19d9", "a.b_c"]
)
def test_a_name_that_ends_in_no_digest_stays(text: str) -> None:
    assert safe_name(text, "model") == text


def test_a_broken_card_has_the_name_of_its_file(tmp_path: Path) -> None:
    """Also where a program made that name: it was asked for by it."""
    path = tmp_path / "qwen-model-b10ccff19d91.yaml"
    path.write_text("name: 3\n", encoding="utf-8")
    card = read_any_card(path)
    assert isinstance(card, BrokenCard)
    assert card.name == path.stem
