"""What a run says about odd rows is the same for a bundle as for the data that it was made of."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import Result

from bench.results.files import read_result
from bench.results.result import SplitFacts
from conftest import ITEMS, TRAIN, write_lines

Bench = Callable[..., Result]
ROWS: list[dict[str, object]] = [
    *ITEMS,
    ITEMS[0] | {"id": "none", "answer": None},
    ITEMS[1] | {"id": "empty", "options": ["A", "", "C"]},
    ITEMS[2] | {"id": "doubled", "options": ["Femur", "Tibia", "Tibia"]},
    ITEMS[2] | {"id": "twice", "question": "Which is it: Femur, Tibia or Ulna?"},
]


def run(bench: Bench, model: str = "majority") -> tuple[str, dict[str, SplitFacts], str]:
    """The id of a run's cell, the facts of its data, and what it warned of."""
    ran = bench("run", "-m", model, "-t", "anatomy", "--offline")
    assert ran.exit_code == 0, ran.output
    [path] = Path("results").rglob("result.json")
    cell = read_result(path).cell
    return cell.id, dict(cell.data), "\n".join(line for line in ran.stderr.splitlines() if "warning" in line)


def test_a_bundle_says_what_was_odd_about_the_original_rows(
    anatomy: Path, project: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbered = [row | {"answer": _from_one(row["answer"])} for row in TRAIN]
    write_lines(anatomy.parent / "train.jsonl", [*numbered, numbered[0] | {"id": "t4", "answer": -1}])
    write_lines(anatomy.parent / "test.jsonl", [row | {"answer": _from_one(row["answer"])} for row in ROWS])
    more = "  answer_from: 1\n  rows: {no_answer: drop}\n"
    anatomy.write_text(anatomy.read_text().replace("prompt:", f"{more}prompt:"))
    first = run(bench)
    assert {kind: (odd.rule, odd.rows) for kind, odd in first[1]["test"].odd.items()} == {
        "doubled_options": ("keep", 1),
        "empty_options": ("remove", 1),
        "no_answer": ("drop", 1),
    }
    assert first[1]["train"].odd["no_answer"].rows == 1
    for folder in ("one", "two"):  # the second is a bundle of the first
        assert bench("bundle", folder, "-m", "majority", "-t", "anatomy", "--offline").exit_code == 0
        monkeypatch.chdir(folder)
        again = run(bench)
        assert again[0] == first[0]
        assert again[2] == first[2]
        for role, facts in first[1].items():
            assert again[1][role].warnings() == facts.warnings()
            assert again[1][role].odd == facts.odd


def _from_one(answer: object) -> object:
    if answer is None:
        return None
    return ("ABC".index(answer) if isinstance(answer, str) else int(str(answer))) + 1


def test_notes_on_the_original_rows_are_carried(anatomy: Path, bench: Bench) -> None:
    rows = [row | {"answer": _from_one(row["answer"])} for row in ITEMS[:1]]
    write_lines(anatomy.parent / "test.jsonl", rows)
    anatomy.write_text(anatomy.read_text().replace(", train: train.jsonl", "").replace("splits:", "#"))
    _, data, warned = run(bench, "chance")
    assert "write data.answer_from: 1" in warned
    assert bench("bundle", "out", "-m", "chance", "-t", "anatomy", "--offline").exit_code == 0
    task = yaml.safe_load(Path("out/tasks/anatomy.yaml").read_text(encoding="utf-8"))
    assert task["data"]["warnings"] == {"test": list(data["test"].notes)}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("odd_rows: {tset: {no_answer: 1}}", "odd_rows: no split is named 'tset'; did you mean 'test'?"),
        ("warnings: {tset: [a]}", "warnings: no split is named 'tset'"),
        ("odd_rows: {test: {no_answer: 1}}", "odd_rows: no_answer rows are refused by data.rows"),
        ("odd_rows: {test: {odd: 1}}", "data.odd_rows.test.odd"),
        ("odd_rows: {test: {white_space: 0}}", "data.odd_rows.test.white_space"),
    ],
)
def test_counts_that_cannot_be_are_mistakes(anatomy: Path, bench: Bench, keys: str, message: str) -> None:
    anatomy.write_text(anatomy.read_text().replace("prompt:", f"  {keys}\nprompt:"))
    done = bench("tasks", "validate", "anatomy")
    assert done.exit_code == 3
    assert message in done.output
