"""Every form of options and answers that published data have, and odd rows by one rule."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from bench.errors import FileError
from bench.inputs.data import Split, load_split
from bench.inputs.task import read_task

Bench = Callable[..., Result]
PROMPT = """
prompt: |-
  {{ question }}
  {% for letter, option in options %}{{ letter }}. {{ option }}
  {% endfor %}Answer:
"""


def split_of(project: Path, table: list[dict[str, Any]], **data: Any) -> Split:
    """The test split of a task with these rows and keys of `data`."""
    lines = "".join(json.dumps(row) + "\n" for row in table)
    (project / "rows.jsonl").write_text(lines, encoding="utf-8")
    head = {"name": "t", "version": 1, "title": "T", "license": "CC0-1.0"}
    task = head | {"data": {"files": {"test": "rows.jsonl"}} | data}
    path = project / "t.yaml"
    path.write_text("\n".join(f"{k}: {json.dumps(v)}" for k, v in task.items()) + PROMPT, encoding="utf-8")
    split = load_split(read_task(path), "test", data_dir=None, offline=True)
    assert split is not None
    return split


def mistakes(project: Path, table: list[dict[str, Any]], **data: Any) -> str:
    with pytest.raises(FileError) as caught:
        split_of(project, table, **data)
    return str(caught.value)


def row(answer: object, options: object = ("w", "x", "y", "z"), **more: object) -> dict[str, Any]:
    return {"question": "Q?", "options": options, "answer": answer, **more}


@pytest.mark.parametrize(
    ("options", "form"),
    [
        ({"options": ["w", "x", "y"]}, "options"),
        ({"options": {"A": "w", "B": "x", "C": "y"}}, "options"),
        ({"options": '["w", "x", "y"]'}, "options"),
        ({"options": "['w', 'x', 'y']"}, "options"),
        ({"options": "{'A': 'w', 'B': 'x', 'C': 'y'}"}, "options"),
        ({"options": '{"A": "w", "B": "x", "C": "y"}'}, "options"),
        ({"a": "w", "b": "x", "c": "y"}, ["a", "b", "c"]),
        ({"data": {"a": "w", "b": "x", "c": "y"}}, ["data.a", "data.b", "data.c"]),
        ({"c": {"text": ["w", "x", "y"], "label": ["A", "B", "C"]}}, "c"),
        ({"c": {"t": ["w", "x", "y"], "n": ["A", "B", "C"]}}, {"text": "c.t", "name": "c.n"}),
        ({"t": ["w", "x", "y"]}, {"text": "t"}),
        ({"c": [{"t": "w", "n": "A"}, {"t": "x", "n": "B"}, {"t": "y", "n": "C"}]},
         {"list": "c", "text": "t", "name": "n"}),
        ({"c": [{"t": "w"}, {"t": "x"}, {"t": "y"}]}, {"list": "c", "text": "t"}),
        ({"c": {"t": ["w", "x", "y"], "n": ["A", "B", "C"]}}, {"list": "c", "text": "t", "name": "n"}),
        ({}, {"fixed": ["w", "x", "y"]}),
        ({}, {"fixed": {"A": "w", "B": "x", "C": "y"}}),
    ],
)  # fmt: skip
def test_options_are_read_in_every_form(project: Path, options: dict[str, Any], form: object) -> None:
    split = split_of(project, [{"question": "Q?", "answer": "C", **options}], columns={"options": form})
    assert (split.items[0].options, split.items[0].answer) == (("w", "x", "y"), 2)


@pytest.mark.parametrize(
    ("answer", "options", "index"),
    [
        ("C", ["w", "x", "y"], 2),
        ("c", ["w", "x", "y"], 2),
        ("(C)", ["w", "x", "y"], 2),
        ("C.", ["w", "x", "y"], 2),
        (" c) ", ["w", "x", "y"], 2),
        (2, ["w", "x", "y"], 2),
        (2.0, ["w", "x", "y"], 2),
        ("2", ["w", "x", "y"], 2),
        ("2.0", ["w", "x", "y"], 2),
        ("y", ["w", "x", "y"], 2),
        ("Yes", ["no", "maybe", "yes"], 2),
        (" two  WORDS", ["no", "maybe", "Two words"], 2),
        ("C. yes", ["no", "maybe", "Yes"], 2),
        ("(c) Yes", ["no", "maybe", "yes"], 2),
        (["C"], ["w", "x", "y"], 2),
        (3, {"1": "w", "2": "x", "3": "y"}, 2),
        ("3", {"1": "w", "2": "x", "3": "y"}, 2),
        (3.0, {"1": "w", "2": "x", "3": "y"}, 2),
        ("option3", {"option1": "w", "option2": "x", "option3": "y"}, 2),
        ("2", ["0", "1", "2"], 2),  # the number and the text are the same option
        ("Z", [str(n) for n in range(26)], 25),
    ],
)
def test_an_answer_that_can_mean_one_option_only_is_read(
    project: Path, answer: object, options: object, index: int
) -> None:
    assert split_of(project, [row(answer, options)]).items[0].answer == index


@pytest.mark.parametrize(
    ("answer", "options", "message"),
    [
        (1, ["3", "2", "1"], "could be the number (from 0) of the option '2' or the text of the option '1';"),
        (1, ["3", "2", "1"], "write data.answer_form: index or text"),
        ("B", ["O", "A", "B", "AB"], "could be the name of the option 'A' or the text of the option 'B';"),
        ("B", ["O", "A", "B", "AB"], "write data.answer_form: name or text"),
        ("B. yes", ["yes", "no"], "answer 'B. yes' is out of range"),
        ("A", "['w' 'x']", """not "['w' 'x']"; write them as a JSON list"""),
        ("A, C", ["w", "x", "y"], "a row with several right answers; correct it, or write data.rows."),
        (["A", "C"], ["w", "x", "y"], "several_answers: drop"),
        ("n2; n1", {"n1": "w", "n2": "x", "n3": "y"}, "a row with several right answers"),
        (3, ["w", "x", "y"], "where answers count from 1, write data.answer_from: 1"),
        ("", ["w", "x", "y"], "a row without an answer; correct it, or write data.rows.no_answer: drop"),
        (-1, ["w", "x", "y"], "a row without an answer"),
        (1.5, ["w", "x", "y"], "answer 1.5 is out of range: A, B, C or 0 to 2, or an option's text"),
    ],
)  # fmt: skip
def test_an_answer_that_is_not_clear_names_the_key(
    project: Path, answer: object, options: object, message: str
) -> None:
    assert message in mistakes(project, [row(answer, options)])


@pytest.mark.parametrize(("form", "index"), [("name", 1), ("text", 2)])
def test_answer_form_settles_what_an_answer_means(project: Path, form: str, index: int) -> None:
    split = split_of(project, [row("B", ["O", "A", "B", "AB"])], answer_form=form)
    assert split.items[0].answer == index


def test_the_other_rows_show_the_form_of_an_unclear_answer(project: Path) -> None:
    rows = [row("B", ["O", "A", "B", "AB"]), row("C")]
    assert [item.answer for item in split_of(project, rows).items] == [1, 2]
    rows = [row("B", ["O", "A", "B", "AB"]), row("z")]
    assert [item.answer for item in split_of(project, rows).items] == [2, 3]
    rows = [row("B", ["O", "A", "B", "AB"]), row("C"), row("z")]
    assert "rows.jsonl:1: answer: 'B' could be" in mistakes(project, rows)


def test_answers_from_1_are_never_guessed(project: Path) -> None:
    rows = [row(1), row(2), row(3)]
    split = split_of(project, rows)
    assert [item.answer for item in split.items] == [1, 2, 3]
    [warning] = [text for text in split.warnings() if "answer_from" in text]
    assert "none is 0" in warning
    assert "data.answer_from: 1" in warning
    told = split_of(project, rows, answer_from=1)
    assert [item.answer for item in told.items] == [0, 1, 2]
    assert not any("answer_from" in text for text in told.warnings())
    assert not any("answer_from" in text for text in split_of(project, rows, answer_from=0).warnings())
    texts = split_of(
        project, [row(n, [1, 2, 3, 4], question=f"{n}?") for n in (2, 4)]
    )  # 4 counts to no option
    assert ([item.answer for item in texts.items], texts.warnings()) == ([1, 3], [])


def test_answer_0_is_no_answer_where_answers_count_from_1(project: Path) -> None:
    keys: dict[str, Any] = {"answer_from": 1, "rows": {"no_answer": "drop"}}
    split = split_of(project, [row(1), row(0), row(3)], **keys)
    assert [item.answer for item in split.items] == [0, 2]
    assert "1 row without an answer: dropped (data.rows.no_answer)" in split.warnings()
    assert "a row without an answer" in mistakes(project, [row(1), row(0)], answer_from=1)


@pytest.mark.parametrize("empty", [None, "", "  ", "n/a", float("nan")])
@pytest.mark.parametrize(("answer", "index"), [("A", 0), ("D", 2), (3, 2), ("z", 2)])
def test_empty_options_are_left_out_and_the_answer_still_points_at_the_right_one(
    project: Path, empty: object, answer: object, index: int
) -> None:
    split = split_of(project, [row(answer, ["w", empty, "y", "z"])], empty_options=["n/a"])
    assert split.items[0].options == ("w", "y", "z")
    assert split.items[0].answer == index
    assert "1 row with empty options: kept without them (data.rows.empty_options)" in split.warnings()


def test_an_answer_that_is_an_empty_option_is_a_mistake(project: Path) -> None:
    assert "answer 'B' is an empty option" in mistakes(project, [row("B", ["w", "", "y"])])


def test_numbers_are_texts(project: Path) -> None:
    split = split_of(project, [row("B", [1, 2.5, 10])])
    assert split.items[0].options == ("1", "2.5", "10")
    questions = [5, 2.5, ["Which?", 7]]
    split = split_of(project, [row("A", question=question) for question in questions])
    assert [item.question for item in split.items] == ["5", "2.5", "Which?\n7"]


ODD = [
    ("doubled_options", row("A", ["w", "x", "x"])),
    ("doubled_answer", row("A", ["w", "w", "x"])),
    ("empty_options", row("A", ["w", "x", None])),
    ("white_space", row("A", ["w ", "x", "y"])),
    ("repeated_questions", row("A", question="Fine?")),
    ("empty_question", row("A", question=None)),
    ("no_answer", row(None)),
    ("several_answers", row("A,B")),
]


@pytest.mark.parametrize(("kind", "odd"), ODD)
def test_one_rule_settles_what_happens_to_an_odd_row(project: Path, kind: str, odd: dict[str, Any]) -> None:
    rows = [row("A", question="Fine?"), odd]
    assert f"data.rows.{kind}" in mistakes(project, rows, rows={kind: "refuse"})
    split = split_of(project, rows, rows={kind: "drop"})
    assert len(split.items) == 1
    assert (split.odd[kind].rule, split.odd[kind].rows) == ("drop", 1)  # pyright: ignore[reportArgumentType]
    assert any(f": dropped (data.rows.{kind})" in text for text in split.warnings())


@pytest.mark.parametrize(("kind", "odd"), [ODD[0], ODD[3], ODD[4]])
def test_a_kept_odd_row_is_counted(project: Path, kind: str, odd: dict[str, Any]) -> None:
    split = split_of(project, [row("A", question="Fine?"), odd])
    assert len(split.items) == 2
    assert any(text.endswith(f": kept (data.rows.{kind})") for text in split.warnings())


def test_validate_and_run_say_the_same_of_odd_rows(bench: Bench, project: Path) -> None:
    rows = [row("A", question="Fine?"), row("A", ["w", "x", "x"]), row("B", ["w", "x", None])]
    split_of(project, rows)
    lines = [
        "1 row with a wrong option twice: kept (data.rows.doubled_options)",
        "1 row with empty options: kept without them (data.rows.empty_options)",
    ]
    validated = bench("tasks", "validate", "t.yaml")
    ran = bench("run", "--models", "majority,chance", "--tasks", "t.yaml", "--results", "out")
    assert (validated.exit_code, ran.exit_code) == (0, 0), ran.stderr
    for line in lines:
        assert line in validated.output
        assert line in ran.stderr
    [stored] = [json.loads(path.read_text()) for path in project.glob("out/t/chance/*/result.json")]
    assert stored["cell"]["data"]["test"]["odd"]["doubled_options"] == {"rule": "keep", "rows": 1}
    mistakes(project, [*rows, row("A", ["w", "w", "x"])])
    for words in ("tasks validate t.yaml", "run --models chance --tasks t.yaml --results out"):
        result = bench(*words.split())
        assert result.exit_code == 3
        assert (
            "rows.jsonl:4: options: a row with the right option twice; correct it, or write" in result.stderr
        )


def test_rows_are_chosen_by_their_columns(project: Path) -> None:
    rows = [row("A", kind=kind, nr=nr) for kind, nr in (("x", 1), ("y", 2), ("z", 3))]

    def kept(**where: object) -> list[str]:
        return [item.id[-1] for item in split_of(project, rows, where=where).items]

    assert kept(kind="x") == ["0"]
    assert kept(kind=["x", "z"]) == ["0", "2"]
    assert kept(nr=2) == ["1"]
    assert kept(nr=["1", 2.0], kind="y") == ["1"]
    (project / "ids.txt").write_text("1\n3\n", encoding="utf-8")
    assert kept(nr={"file": "ids.txt"}) == ["0", "2"]
    (project / "ids.json").write_text('{"2": "yes"}', encoding="utf-8")
    assert kept(nr={"file": "ids.json"}) == ["1"]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"kind": "xx"}, "data.where.kind: no row has kind 'xx'; there are x, y; did you mean 'x'?"),
        ({"kind": ["x", "q", "r"]}, "data.where.kind: no row has kind 'q' (and 1 more); there are x, y"),
        ({"sort": "x"}, "1: sort: no such column; the columns are answer, kind, options, question; correct"),
        ({"kind": {"file": "none.txt"}}, "data.where.kind.file: there is no file none.txt"),
    ],
)
def test_a_condition_that_no_row_meets_is_a_mistake(
    project: Path, where: dict[str, object], message: str
) -> None:
    assert message in mistakes(project, [row("A", kind="x"), row("B", kind="y")], where=where)


def test_columns_by_path_joined_and_extra_ones(project: Path) -> None:
    context = {"parts": ["p", "q"], "n": 3}
    rows = [{"case": "A man.", "ask": "Why?", "choices": ["w", "x"], "answer": "A", "ctx": context}]
    columns = {
        "question": ["case", "ask"],
        "options": "choices",
        "group": "ctx.n",
        "extra": {"parts": "ctx.parts", "n": "ctx.n"},
    }
    [item] = split_of(project, rows, columns=columns).items
    assert item.question == "A man.\nWhy?"
    assert item.group == "3"
    assert item.extra == (("parts", ("p", "q")), ("n", "3"))


def test_a_question_ends_where_its_options_begin(project: Path) -> None:
    shown = "Which? Answer Choices: (A) w (B) x (C) y (D) z"
    split = split_of(project, [row("A", question=shown)])
    assert "all options already stand in the text of 1 question, then shown" in "".join(split.warnings())
    cut = split_of(project, [row("A", question=shown)], question_until="Answer Choices:")
    assert cut.items[0].question == "Which?"
    assert cut.warnings() == []
    assert "no question has 'Choices!'" in mistakes(project, [row("A")], question_until="Choices!")


def test_a_sample_is_the_whole_task(project: Path) -> None:
    rows = [row("A", question=f"Q{n}?") for n in range(50)]
    first = split_of(project, rows, sample={"items": 10, "seed": 0})
    assert first.notes == ("10 of 50 questions, drawn by seed 0 (data.sample)",)
    assert len(first.items) == 10
    assert [item.id for item in first.items] == sorted(item.id for item in first.items)
    assert split_of(project, rows, sample={"items": 10, "seed": 0}).sha256 == first.sha256
    assert split_of(project, rows, sample={"items": 10, "seed": 1}).sha256 != first.sha256
    assert split_of(project, rows, sample={"items": 50}).notes == ()


@pytest.mark.parametrize(("count", "there"), [(1, "1 question"), (2, "2 questions")])
def test_a_sample_of_more_than_there_are_is_a_warning(project: Path, count: int, there: str) -> None:
    rows = [row("A", question=f"Q{n}?") for n in range(count)]
    [note] = split_of(project, rows, sample={"items": 5}).warnings()
    assert note.startswith(f"only {there}, all of them taken: data.sample asks for 5; lower")


def test_a_draw_depends_on_options_and_extra_columns_too(project: Path) -> None:
    rows = [row("A" if n < 15 else "B", ["yes", "no"], sentence=f"S{n}.") for n in range(30)]
    keys: dict[str, Any] = {"columns": {"extra": {"sentence": "sentence"}}}
    first = split_of(project, rows, sample={"items": 10}, **keys)
    again = split_of(project, rows[::-1], sample={"items": 10}, **keys)
    assert {item.extra for item in first.items} == {item.extra for item in again.items}
    assert {item.answer for item in first.items} == {0, 1}
    stems = [row("A", [f"w{n}", "x"], question="Which is true?") for n in range(30)]
    drawn = [item.options[0] for item in split_of(project, stems, sample={"items": 10}).items]
    assert drawn != [f"w{n}" for n in range(10)]


def test_rows_that_differ_in_an_extra_column_are_different_questions(bench: Bench, project: Path) -> None:
    text = "".join(json.dumps(row("A", sentence=f"T{n}.")) + "\n" for n in range(3))
    (project / "train.jsonl").write_text(text, encoding="utf-8")
    files = {"test": "rows.jsonl", "train": "train.jsonl"}
    rows = [row("A", sentence=f"S{n}.") for n in range(3)]
    split_of(project, rows, files=files, columns={"extra": {"sentence": "sentence"}})
    path = project / "t.yaml"
    path.write_text(
        path.read_text().replace("{{ question }}", "{{ sentence }} {{ question }}"), encoding="utf-8"
    )
    assert bench("tasks", "validate", "t.yaml").exit_code == 0
    split_of(project, rows, files=files)
    assert "is also in the test split" in bench("tasks", "validate", "t.yaml").stderr


@pytest.mark.parametrize(
    ("answer", "options", "data", "index"),
    [
        ("-1", ["-1", "0", "1"], {"answer_form": "text"}, 0),
        (-1, ["-1", "0", "1"], {"answer_form": "text"}, 0),
        ("-1", None, {"columns": {"options": {"fixed": {"-1": "worse", "0": "same", "1": "better"}}}}, 0),
        ("0", ["1", "0", "2"], {"answer_from": 1, "answer_form": "text"}, 1),
    ],
)
def test_a_number_that_names_an_option_is_an_answer(
    project: Path, answer: object, options: object, data: dict[str, Any], index: int
) -> None:
    assert split_of(project, [row(answer, options)], **data).items[0].answer == index


@pytest.mark.parametrize(
    ("answer", "options"),
    [
        ("A and C", "wxyz"),
        ("A C", "wxyz"),
        ("ABD", "wxyz"),
        ("(A), (B)", "wxyz"),
        ("0;2", "wxyz"),
        (["A", "B"], "wxyz"),
    ],
)
def test_several_answers_are_told_as_such(project: Path, answer: object, options: str) -> None:
    assert "several right answers" in mistakes(project, [row(answer, list(options))])


@pytest.mark.parametrize(
    ("answer", "options"),
    [("1.4", ["1.5", "2.5", "3.5"]), ("1/2", ["1.5", "2.5", "3.5"]), ("B. w", ["w", "", "y"])],
)
def test_an_answer_that_is_no_option_is_not_taken_for_several(
    project: Path, answer: str, options: list[str]
) -> None:
    rows = [row(answer, options)]
    assert "is out of range" in mistakes(project, rows, rows={"several_answers": "drop"})


def test_numerals_that_may_count_from_1_are_told(project: Path) -> None:
    rows = [row(1, ["4", "3", "2", "1"]), row(4, ["2", "1", "4", "3"], question="P?")]
    assert any("data.answer_from: 1" in text for text in split_of(project, rows).warnings())
    assert split_of(project, rows, answer_form="text").warnings() == []


def test_a_text_for_no_option_is_found_in_any_case(project: Path) -> None:
    assert split_of(project, [row("A", ["w", "x", "N/A "])], empty_options=["n/a"]).items[0].options == (
        "w",
        "x",
    )
