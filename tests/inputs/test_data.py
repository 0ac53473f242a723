"""Rows become items; every wrong row is reported with its file, line and column."""

from pathlib import Path

import pytest

from bench.errors import BenchError, FileError, Unavailable
from bench.inputs.data import data_folder, load_split
from bench.inputs.row_error import RowError
from bench.inputs.rows import row_to_item
from bench.inputs.task import TaskFile, read_task
from bench.inputs.task_data import Columns, HubData, Reading, Splits
from bench.types import Item
from conftest import ITEMS, TASK, write_lines


def split_items(task: Path) -> tuple[Item, ...]:
    split = load_split(read_task(task), "test", data_dir=None, offline=True)
    assert split is not None
    return split.items


@pytest.mark.parametrize(
    "row",
    [
        {"question": "Q?", "options": ["x", "y"], "answer": 1},
        {"question": "Q?", "options": ["x", "y"], "answer": "B"},
        {"question": "Q?", "options": {"A": "x", "B": "y"}, "answer": "B"},
        {"question": "Q?", "options": {"yes": "x", "no": "y"}, "answer": "no"},
        {"question": "Q?", "options": {"1": "x", "2": "y"}, "answer": 2},
        {"question": "Q?", "options": {"B": "y", "A": "x"}, "answer": "B"},
    ],
)
def test_options_may_be_a_list_or_an_object_and_the_answer_an_index_or_a_key(row: dict[str, object]) -> None:
    assert row_to_item(row, Reading(), "n") == Item("n", "Q?", ("x", "y"), 1)


def test_options_may_stand_in_columns_of_their_own() -> None:
    columns = Columns(id="id", question="sent1", options=("ending0", "ending1"), answer="label", group="kind")
    row = {"id": 7, "sent1": "Q?", "ending0": "x", "ending1": "y", "label": 0, "kind": "k"}
    assert row_to_item(row, Reading(columns=columns), "n") == Item("7", "Q?", ("x", "y"), 0, "k")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"qestion": "Q?"},
            "question, options, answer: no such column; the columns are qestion; did you mean 'qestion'?",
        ),
        ({"question": " ", "options": ["x", "y"], "answer": 0}, "question: expected text"),
        ({"question": "Q?", "options": "x, y", "answer": 0}, "options: expected a list or an object"),
        (
            {"question": "Q?", "options": ["x", True], "answer": 0},
            "texts, not True; write it as a text, in quotes",
        ),
        (
            {"question": True, "options": ["x", "y"], "answer": 0},
            "question: expected text, not True; write it",
        ),
        (
            {"question": ["a", {"b": 1}], "options": ["x", "y"], "answer": 0},
            "expected text, not {'b': 1}; write",
        ),
        (
            {"question": "Q?", "options": {"text": ["x", "y"], "label": ["A", "B", "C"]}, "answer": 0},
            "options: 2 texts, but 3 names; correct the row, or leave it out with data.where",
        ),
        (
            {"question": "Q?", "options": {"text": ["x", "y"], "label": ["A", "A"]}, "answer": 0},
            "two options have the same name: A, A; correct the row, or leave it out with data.where",
        ),
        ({"question": "Q?", "options": ["x"], "answer": 0}, "options: 1 option; a question has 2 to 26"),
        (
            {"question": "Q?", "options": ["x", "y"], "answer": "C"},
            "answer 'C' is out of range: A, B or 0 to 1",
        ),
        ({"question": "Q?", "options": ["x", "y"], "answer": 2}, "write data.answer_from: 1"),
        ({"question": "Q?", "options": ["x", "y"], "answer": -1}, "answer: no answer"),
        (
            {"question": "Q?", "options": ["x", "y"], "answer": True},
            "answer True names no option; where the options are yes and no, write data.columns",
        ),
        ({"question": "Q?", "options": ["x", "y"], "answer": None}, "answer: no answer"),
        ({"question": "Q?", "options": ["x", "y"], "answer": "BB"}, "; did you mean 'B'?"),
        ({"question": "Q?", "options": {"1": "x", "2": "y"}, "answer": 0}, "out of range: 1, 2, or an"),
        (
            {"question": "half \ud800", "options": ["x", "y"], "answer": 0},
            "question: has half a surrogate pair",
        ),
        ({"question": "Q?", "options": ["x", "\udfff"], "answer": 0}, "options: has half a surrogate pair"),
        (
            {"question": "Q?", "options": ["x", "y"], "answer": 0, "kind": "\udfff"},
            "kind: has half a surrogate pair",
        ),
        (
            {"question": "Q?", "options": ["x", "y"], "answer": 0, "kind": {"a": 1}},
            "kind: expected a text or a whole number, not {'a': 1}; write it as a text",
        ),
    ],
)
def test_a_wrong_row_says_what_is_wrong_with_which_column(row: dict[str, object], message: str) -> None:
    with pytest.raises(RowError) as caught:
        row_to_item(row, Reading(columns=Columns(group="kind" if "kind" in row else None)), "n")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "group"), [(0, "0"), (7.0, "7"), (None, ""), (float("nan"), ""), ("", ""), ("x", "x")]
)
def test_a_group_is_a_text_or_a_number_or_none(kind: object, group: str) -> None:
    row = {"question": "Q?", "options": ["x", "y"], "answer": 0, "kind": kind}
    assert row_to_item(row, Reading(columns=Columns(group="kind")), "n").group == group


def test_all_wrong_rows_of_a_file_are_told_with_their_lines(anatomy: Path) -> None:
    rows = [*ITEMS, {"id": "q4", "question": "Q?", "options": ["x", "y"], "answer": "Z"}, ITEMS[0]]
    write_lines(anatomy.parent / "test.jsonl", rows)
    with pytest.raises(FileError) as caught:
        split_items(anatomy)
    [answer, repeated] = map(str, caught.value.mistakes)
    assert (
        answer
        == "tasks/test.jsonl:4: answer: answer 'Z' is out of range: A, B or 0 to 1, or an option's text"
    )
    assert repeated.startswith(
        "tasks/test.jsonl:5: id: 'q1' is also the id of line 1; correct one of them, or"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"id": 1}\n{oops\n', "tasks/test.jsonl:2: not JSON"),
        ("[1, 2]\n", "tasks/test.jsonl:1: expected a JSON object"),
        ("\n\n", "split 'test' has no items"),
        ('{"id": 1, "id": 2}\n', "tasks/test.jsonl:1: not JSON: a key is given twice"),
        ('{"id": ' + "9" * 5000 + "}\n", "tasks/test.jsonl:1: not JSON"),
        ("[" * 100_000 + "\n", "tasks/test.jsonl:1: not JSON"),
        (
            '{"id": null, "question": "Q", "options": ["x", "y"], "answer": 0}\n',
            "id: a row without an id; write one, or leave out data.columns.id",
        ),
    ],
)
def test_a_file_that_is_not_json_lines_is_an_error(anatomy: Path, text: str, message: str) -> None:
    (anatomy.parent / "test.jsonl").write_text(text, encoding="utf-8")
    with pytest.raises(FileError, match=message):
        split_items(anatomy)


def test_a_mistake_that_many_rows_share_is_told_once(anatomy: Path) -> None:
    anatomy.write_text(TASK.replace("columns: {id: id}", "columns: {id: id, group: topic}"), encoding="utf-8")
    with pytest.raises(FileError) as caught:
        split_items(anatomy)
    [mistake] = caught.value.mistakes
    assert str(mistake).startswith(
        "tasks/test.jsonl:1: topic: no such column; the columns are answer, id, options"
    )
    assert str(mistake).endswith("(and in 2 more rows)")
    write_lines(anatomy.parent / "test.jsonl", ITEMS[:2])
    with pytest.raises(FileError, match=r"\(and in 1 more row\)$"):
        split_items(anatomy)


def test_a_byte_order_mark_and_windows_line_ends_are_read(anatomy: Path) -> None:
    path = anatomy.parent / "test.jsonl"
    before = split_items(anatomy)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert split_items(anatomy) == before


def test_a_question_with_odd_line_separators_stays_one_item(anatomy: Path) -> None:
    row = {"id": "q", "question": "one\u2028two\u0085three", "options": ["x", "y"], "answer": 0}
    path = anatomy.parent / "test.jsonl"
    path.write_text(
        '{"id": "q", "question": "one\u2028two\u0085three", "options": ["x", "y"], "answer": 0}\n',
        encoding="utf-8",
    )
    assert [item.question for item in split_items(anatomy)] == [row["question"]]


def test_a_data_folder_that_is_not_there_is_an_error(project: Path) -> None:
    with pytest.raises(BenchError, match="the data folder nowhere does not exist"):
        data_folder(Path("nowhere"))


def hub_task(project: Path, hub: str, **mirror: str) -> TaskFile:
    task = read_task(project / "tasks" / "anatomy.yaml").task
    data = HubData(hub=hub, splits=Splits(), columns=Columns(id="id"), mirror=mirror)
    return TaskFile(task=task.model_copy(update={"data": data}), path=project / "tasks" / "anatomy.yaml")


def test_a_data_set_is_read_by_the_datasets_library(project: Path, anatomy: Path) -> None:
    # A folder in the hub's layout goes the same way through load_dataset as a name on the hub does.
    rows = [
        row | {"answer": "ABC".index(row["answer"]) if isinstance(row["answer"], str) else row["answer"]}
        for row in ITEMS
    ]
    write_lines(project / "hub" / "test.jsonl", rows)
    split = load_split(hub_task(project, str(project / "hub")), "test", data_dir=None, offline=True)
    assert split is not None
    assert split.items == split_items(anatomy)


def test_the_same_questions_have_the_same_digest_wherever_they_come_from(
    project: Path, anatomy: Path
) -> None:
    renamed = [row | {"id": f"mirror-{row['id']}"} for row in ITEMS]
    write_lines(project / "mirror" / "m.jsonl", renamed)
    file = hub_task(project, "org/name", test="m.jsonl")
    mirrored = load_split(file, "test", data_dir=project / "mirror", offline=True)
    own = load_split(read_task(anatomy), "test", data_dir=None, offline=True)
    assert mirrored is not None
    assert own is not None
    assert mirrored.sha256 == own.sha256
    write_lines(project / "mirror" / "m.jsonl", [renamed[0] | {"answer": "C"}, *renamed[1:]])
    changed = load_split(file, "test", data_dir=project / "mirror", offline=True)
    assert changed is not None
    assert changed.sha256 != own.sha256


def test_a_data_set_that_is_not_here_says_what_to_do(project: Path, anatomy: Path) -> None:
    file = hub_task(project, "nobody/nothing", test="m.jsonl")
    with pytest.raises(Unavailable) as caught:
        load_split(file, "test", data_dir=None, offline=True)
    assert caught.value.reason == "data set nobody/nothing[test] is not on this machine"
    assert "put m.jsonl in a folder and pass it as --data-dir" in caught.value.remedy


@pytest.mark.parametrize(
    ("configs", "others"),
    [
        (["a", "b"], "a.jsonl and one for the other configuration in"),
        (["a", "b", "c"], "a.jsonl and one for each of the other 2 configurations in"),
    ],
)
def test_mirrors_that_are_missing_are_counted(anatomy: Path, configs: list[str], others: str) -> None:
    data = (
        f"data:\n  hub: nobody/nothing\n  configs: {configs}\n  mirror: {{test: '{{config}}.jsonl'}}\nprompt"
    )
    head, _, rest = TASK.partition("data:")
    anatomy.write_text(head + data + rest.partition("\nprompt")[2], encoding="utf-8")
    with pytest.raises(Unavailable, match=others):
        split_items(anatomy)
