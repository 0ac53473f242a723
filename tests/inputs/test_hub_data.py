"""Data sets of the hub, as folders in their own layout: configurations as one task, mirrors, scripts."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, Features, Image, Value

from bench.errors import FileError, Unavailable
from bench.inputs.data import Split, load_split, needs_hub
from bench.inputs.task import TaskFile, read_task

COLUMNS = {"options": "choices", "answer": "answer"}


def rows(subject: str) -> list[dict[str, Any]]:
    return [
        {"question": f"{subject} {n}?", "subject": subject, "choices": ["w", "x", "y", "z"], "answer": n % 4}
        for n in range(3)
    ]


@pytest.fixture
def mmlu(project: Path) -> Path:
    """A data set with two configurations, as it lies on the hub."""
    head = "---\nconfigs:\n"
    for subject in ("anatomy", "virology"):
        (project / "mmlu" / subject).mkdir(parents=True)
        Dataset.from_list(rows(subject)).to_parquet(f"mmlu/{subject}/test-00000-of-00001.parquet")
        head += f"- config_name: {subject}\n  data_files:\n  - split: test\n    path: {subject}/test-*\n"
    (project / "mmlu" / "README.md").write_text(head + "---\n", encoding="utf-8")
    return project / "mmlu"


def task_file(project: Path, **data: Any) -> TaskFile:
    prompt = data.pop("prompt", "{{ question }}\nAnswer:")
    head = {"name": "t", "version": 1, "title": "T", "license": "MIT", "prompt": prompt}
    path = project / "t.yaml"
    path.write_text("\n".join(f"{k}: {json.dumps(v)}" for k, v in (head | {"data": data}).items()))
    return read_task(path)


def loaded(file: TaskFile, data_dir: Path | None = None) -> Split:
    split = load_split(file, "test", data_dir=data_dir, offline=False)
    assert split is not None
    return split


def test_configurations_are_one_task_and_its_groups(project: Path, mmlu: Path) -> None:
    configs = ["virology", "anatomy"]
    split = loaded(task_file(project, hub=str(mmlu), configs=configs, columns=COLUMNS))
    assert [item.group for item in split.items] == ["virology"] * 3 + ["anatomy"] * 3
    assert len({item.id for item in split.items}) == 6
    numbered = COLUMNS | {"id": "answer", "group": "subject"}
    split = loaded(task_file(project, hub=str(mmlu), configs=configs, columns=numbered))
    assert [item.id for item in split.items][:4] == ["virology-0", "virology-1", "virology-2", "anatomy-0"]


def test_a_mirror_may_have_the_data_set_s_own_columns_or_the_common_form(project: Path, mmlu: Path) -> None:
    mirror = {"test": "mmlu_{config}.jsonl"}
    configs = ["anatomy", "virology"]
    file = task_file(project, hub=str(mmlu), configs=configs, columns=COLUMNS, mirror=mirror)
    from_hub = loaded(file)
    assert needs_hub(file, project)
    for subject in configs:
        lines = "".join(json.dumps(row) + "\n" for row in rows(subject))
        (project / f"mmlu_{subject}.jsonl").write_text(lines, encoding="utf-8")
    assert not needs_hub(file, project)
    own = loaded(file, project)
    for subject in configs:
        common = [
            {"id": n, "question": row["question"], "options": row["choices"], "answer": "ABCD"[row["answer"]]}
            for n, row in enumerate(rows(subject))
        ]
        lines = "".join(json.dumps(row) + "\n" for row in common)
        (project / f"mmlu_{subject}.jsonl").write_text(lines, encoding="utf-8")
    assert own.mirrored
    assert own.sha256 == loaded(file, project).sha256 == from_hub.sha256


def test_a_set_that_is_a_script_names_the_hub_s_own_conversion(project: Path) -> None:
    (project / "scripted").mkdir()
    (project / "scripted" / "scripted.py").write_text("import datasets\n", encoding="utf-8")
    with pytest.raises(Unavailable) as caught:
        loaded(task_file(project, hub=str(project / "scripted")))
    assert "write data.revision: refs/convert/parquet" in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"hub": "o/n", "config": "a", "configs": ["b"]}, "give either config or configs"),
        ({"hub": "o/n", "configs": ["b", "b"]}, "configs: one is given twice"),
        (
            {"hub": "o/n", "columns": {"options": {"txt": "t"}}},
            "data.columns.options: needs a column, a list",
        ),
        ({"hub": "o/n", "columns": {"options": {"list": "o", "txt": "t"}}}, "did you mean 'text'?"),
        ({"hub": "o/n", "columns": {"extra": {"question": "q"}}}, "is already a variable of the prompt"),
        ({"hub": "o/n", "columns": {"extra": {"a b": "q"}}}, "is not a variable's name"),
        ({"hub": "o/n", "rows": {"doubled_options": "skip"}}, "'keep', 'drop' or 'refuse', not 'skip'"),
        ({"hub": "o/n", "answer_from": 2}, "data.answer_from: expected 0 or 1, not 2"),
        ({"files": {"test": "x"}, "encoding": "utf-9"}, "no encoding is named 'utf-9'"),
        ({"files": {"dev": "x"}}, "no file is given for split 'test'; there are files for dev"),
        ({"hub": "o/n", "sample": {"items": 0}}, "data.sample.items: expected a number of 1 or more"),
        ({"hub": "o/n", "where": {"kind": []}}, "data.where.kind"),
    ],
)
def test_a_wrong_key_of_data_is_told(project: Path, data: dict[str, Any], message: str) -> None:
    with pytest.raises(FileError) as caught:
        task_file(project, **data)
    assert message in str(caught.value)


def test_files_named_after_roles_play_them(project: Path) -> None:
    splits = task_file(project, files={"train": "a", "test": "b"}).task.data.splits
    assert (splits.test, splits.train, splits.exemplars) == ("test", "train", "train")
    splits = task_file(project, files={"train": "a", "test": "b", "exemplars": "c"}).task.data.splits
    assert splits.exemplars == "exemplars"
    splits = task_file(project, files={"train": "a", "test": "b"}, splits={"test": "test"}).task.data.splits
    assert (splits.train, splits.exemplars) == (None, None)


def test_the_hub_s_own_conversion_has_a_folder_for_each_configuration(project: Path, mmlu: Path) -> None:
    (mmlu / "README.md").unlink()
    for subject in ("anatomy", "virology"):
        (mmlu / subject / "test").mkdir()
        (mmlu / subject / "test-00000-of-00001.parquet").rename(mmlu / subject / "test" / "0000.parquet")
    data = {"hub": str(mmlu), "columns": COLUMNS, "revision": "refs/convert/parquet"}
    split = loaded(task_file(project, **data, config="virology"))
    assert [item.question for item in split.items] == ["virology 0?", "virology 1?", "virology 2?"]
    split = loaded(task_file(project, **data, configs=["virology", "anatomy"]))
    assert [item.group for item in split.items] == ["virology"] * 3 + ["anatomy"] * 3
    with pytest.raises(Unavailable) as caught:
        loaded(task_file(project, **data, config="surgery"))
    assert "it has no files surgery/test/*.parquet" in str(caught.value)


def test_a_configuration_of_which_no_row_counts_is_a_mistake(project: Path, mmlu: Path) -> None:
    data = {"hub": str(mmlu), "columns": COLUMNS, "configs": ["anatomy", "virology"]}
    with pytest.raises(FileError) as caught:
        loaded(task_file(project, **data, where={"subject": "anatomy"}))
    assert "data.configs: split 'test' of configuration 'virology' has no items" in str(caught.value)


def test_pictures_are_left_out(project: Path) -> None:
    features = Features({"question": Value("string"), "choices": [Value("string")], "image": Image()})
    schema = features.arrow_schema
    table = [{"question": "Q?", "choices": ["w", "x"], "image": {"bytes": b"not a picture", "path": None}}]
    (project / "pictured").mkdir()
    pictured: Any = pa.Table.from_pylist(table, schema=schema)
    pq.write_table(pictured, "pictured/test.parquet")
    columns = {"options": "choices", "answer": "choices", "group": "image"}
    with pytest.raises(FileError) as caught:
        loaded(task_file(project, hub="pictured", columns=columns))
    assert "no such column; the columns are choices, question" in str(caught.value)


def test_options_in_the_question_are_told_only_where_the_prompt_shows_them_again(project: Path) -> None:
    (project / "o").mkdir()
    table = [{"question": "Which?\nA. w\nB. x", "choices": ["w", "x"], "answer": 0}]
    Dataset.from_list(table).to_parquet("o/test.parquet")
    assert loaded(task_file(project, hub="o", columns=COLUMNS)).notes == ()
    prompt = "{{ question }}\n{% for letter, option in options %}{{ option }}\n{% endfor %}Answer:"
    [note] = loaded(task_file(project, hub="o", columns=COLUMNS, prompt=prompt)).notes
    assert "cut them off with data.question_until" in note


def test_what_is_missing_names_the_files_that_can_stand_in_for_it(project: Path) -> None:
    data = {"hub": "o/n", "configs": ["a", "b", "c"], "mirror": {"test": "n_{config}.jsonl"}}
    with pytest.raises(Unavailable) as caught:
        load_split(task_file(project, **data), "test", data_dir=None, offline=True)
    assert "put n_a.jsonl and one for each of the other 2 configurations in a folder" in str(caught.value)


def test_a_folder_whose_rows_changed_is_read_again(project: Path, mmlu: Path) -> None:
    file = task_file(project, hub=str(mmlu), config="anatomy", columns=COLUMNS)
    assert loaded(file).items[0].question == "anatomy 0?"
    Dataset.from_list(rows("botany")).to_parquet("mmlu/anatomy/test-00000-of-00001.parquet")
    assert loaded(file).items[0].question == "botany 0?"


@pytest.mark.parametrize(
    ("missing", "keys"),
    [
        ("category", {"where": {"category": "health"}}),
        ("topic", {"columns": {"id": "id", "group": "topic"}}),
        ("ctx", {"columns": {"id": "id", "extra": {"ctx": "ctx"}}}),
    ],
)
def test_a_mirror_without_a_column_of_the_task_is_a_mistake(
    project: Path, missing: str, keys: dict[str, Any]
) -> None:
    mirrored = [{"id": n, "question": f"{n}?", "options": ["w", "x"], "answer": n} for n in (1, 2)]
    (project / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in mirrored), encoding="utf-8")
    keys = {"columns": {"id": "id"}, "answer_from": 1} | keys
    file = task_file(project, hub="o/n", mirror={"test": "m.jsonl"}, **keys)
    with pytest.raises(FileError) as caught:
        loaded(file, project)
    assert f"{missing}: no such column" in str(caught.value)


def test_a_mirror_of_one_configuration_may_have_its_name(project: Path) -> None:
    mirrored = {"id": 1, "question": "1?", "options": ["w", "x"], "answer": 1}
    (project / "m_b.jsonl").write_text(json.dumps(mirrored) + "\n", encoding="utf-8")
    file = task_file(project, hub="o/n", config="b", mirror={"test": "m_{config}.jsonl"})
    assert not needs_hub(file, project)
    assert len(loaded(file, project).items) == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"configs": ["a", "b"], "mirror": {"test": "m.jsonl"}}, "mirror.test: write {config} in the name"),
        (
            {"configs": ["a"], "mirror": {"test": "m_{confg}.jsonl"}},
            "{confg} is not replaced; only {config} is",
        ),
        ({"mirror": {"test": "m_{config}.jsonl"}}, "{config} needs the key config or configs"),
    ],
)
def test_the_name_of_a_mirror_fits_the_configurations(
    project: Path, data: dict[str, Any], message: str
) -> None:
    with pytest.raises(FileError) as caught:
        task_file(project, hub="o/n", **data)
    assert message in str(caught.value)
