"""A run names the mistakes of all tasks before anything runs."""

from collections.abc import Callable
from pathlib import Path

from click.testing import Result

from conftest import ITEMS, TRAIN, write_lines

Bench = Callable[..., Result]


def test_a_run_names_the_mistakes_of_all_tasks_at_once(anatomy: Path, bench: Bench) -> None:
    folder = anatomy.parent
    text = anatomy.read_text()
    write_lines(folder / "bad.jsonl", [ITEMS[0] | {"answer": "Z"}])
    write_lines(folder / "bad_train.jsonl", [TRAIN[0] | {"answer": "Y"}])
    for name in ("first", "second"):
        files = text.replace("name: anatomy", f"name: {name}").replace("test.jsonl", "bad.jsonl")
        (folder / f"{name}.yaml").write_text(files.replace("train.jsonl", "bad_train.jsonl"))
    third = text.replace("name: anatomy", "name: third")
    (folder / "third.yaml").write_text(third.replace("data:", "data:\n  where: {id: {file: ids}}"))
    names = "first,second,anatomy,third"
    result = bench("run", "--models", "tfidf", "--tasks", names, "--offline")
    assert result.exit_code == 3
    lines = result.stderr.splitlines()
    assert sum("bad.jsonl:1" in line for line in lines) == 1  # a file that two tasks share, once
    assert sum("bad_train.jsonl:1" in line for line in lines) == 1
    assert sum("third.yaml: data.where.id.file: there is no file" in line for line in lines) == 1
