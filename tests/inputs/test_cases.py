"""Files as people have them: each gives the right items, or one line with file, row, key and remedy.

What `bench tasks validate` says, `bench run` says too.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

Bench = Callable[..., Result]
TASK = """\
name: {name}
version: 1
title: Case
license: CC0-1.0
data: {data}
prompt: |-
  {{{{ question }}}}
  {{% for letter, option in options %}}{{{{ letter }}}}. {{{{ option }}}}
  {{% endfor %}}Answer:
"""
LONG = "The patient is pale and tired. " * 100 + "Which is the cause?"


@dataclass(frozen=True, slots=True)
class Case:
    """A file, its columns, and the texts of the right options, or the keys of `data` that make it valid."""

    file: str
    content: bytes
    right: tuple[str, ...]
    columns: dict[str, Any] = field(default_factory=dict[str, Any])
    mistake: str = ""
    remedy: dict[str, Any] = field(default_factory=dict[str, Any])
    warning: str = ""


def lines(*rows: dict[str, object], encoding: str = "utf-8") -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode(encoding)


def row(answer: object, options: object = ("rib", "hip", "jaw", "toe"), **more: object) -> dict[str, object]:
    return {"question": "Which one?", "options": options, "answer": answer, **more}


OTHER: dict[str, object] = {"question": "And now?"}
CASES = {
    "number_from_a_table": Case("a.jsonl", lines(row(3.0), row(1.0) | OTHER), ("toe", "hip")),
    "number_as_text": Case("b.jsonl", lines(row("3"), row("0") | OTHER), ("toe", "rib")),
    "lists_of_texts_and_labels": Case(
        "c.jsonl",
        lines(
            {
                "nr": "a",
                "question": "Which one?",
                "o": {"text": ["rib", "hip"], "label": ["A", "B"]},
                "k": "B",
            },
            {"nr": "b", "question": "And now?", "o": {"text": ["jaw", "toe"], "label": ["1", "2"]}, "k": "1"},
        ),
        ("hip", "jaw"),
        columns={"id": "nr", "options": "o", "answer": "k"},
    ),
    "json_array": Case("d.json", json.dumps([row("C"), row("D") | OTHER], indent=2).encode(), ("jaw", "toe")),
    "table_with_a_column_for_each_option": Case(
        "e.csv",
        b"question,A,B,C,D,answer\nWhich one?,rib,hip,jaw,toe,C\n",
        ("jaw",),
        mistake="data/e.csv:2: options: no such column; the columns are A, B, C, D, answer, question; "
        "write data.columns.options: [A, B, C, D]",
        remedy={"columns": {"options": ["A", "B", "C", "D"]}},
    ),
    "right_option_twice": Case(
        "f.jsonl",
        lines(row("A", ["hip", "rib", "rib"]), row("B") | OTHER, row("C", ["jaw", "toe", "jaw"])),
        ("hip", "hip"),
        mistake="data/f.jsonl:3: options: a row with the right option twice; correct it, "
        "or write data.rows.doubled_answer: keep or drop",
        remedy={"rows": {"doubled_answer": "drop"}},
        warning="1 row with the right option twice: dropped (data.rows.doubled_answer)",
    ),
    "empty_option": Case(
        "g.jsonl",
        lines(row("C", ["rib", "", "jaw"]), row("D") | OTHER),
        ("jaw", "toe"),
        warning="1 row with empty options: kept without them (data.rows.empty_options)",
    ),
    "latin_1": Case(
        "h.jsonl",
        lines(row("A", ["Ménière", "hip"]), row("B") | OTHER, encoding="latin-1"),
        ("Ménière", "hip"),
        mistake="data/h.jsonl:1: byte 41 of the file is not utf-8; write the file's own encoding as "
        "data.encoding, such as latin-1 or cp1252, or save the file as UTF-8",
        remedy={"encoding": "latin-1"},
    ),
    "up_to_ten_options": Case(
        "i.jsonl",
        lines(
            row("C", ["n0", "n1", "n2"], nr=70, index=0, kind="math"),
            row("J", [f"n{n}" for n in range(10)], nr=71, index=9, kind="law") | OTHER,
        ),
        ("n0", "n9"),
        columns={"id": "nr", "answer": "index", "group": "kind"},
    ),
    "utf_16": Case(
        "j.jsonl",
        lines(row("A", ["Ménière", "hip"]), row("B") | OTHER, encoding="utf-16"),
        ("Ménière", "hip"),
        mistake="data/j.jsonl:1: not utf-8: it begins as UTF-16 does; write data.encoding: utf-16",
        remedy={"encoding": "utf-16"},
    ),
    "very_long_question": Case("k.jsonl", lines(row("B") | {"question": LONG}, row("A")), ("hip", "rib")),
    "white_space_around_options": Case(
        "l.jsonl",
        lines(row("B", [" rib", "hip ", "\tjaw"]), row("D") | OTHER),
        ("hip ", "toe"),
        warning="1 row with white space around an option: kept (data.rows.white_space)",
    ),
}


def write(project: Path, name: str, *, remedied: bool) -> Path:
    """The task file of a case, with its data beside it."""
    case = CASES[name]
    (project / "data").mkdir(exist_ok=True)
    (project / "data" / case.file).write_bytes(case.content)
    data = {"files": {"test": f"data/{case.file}"}} | ({"columns": case.columns} if case.columns else {})
    path = project / f"{name}.yaml"
    text = TASK.format(name=name, data=json.dumps(data | (case.remedy if remedied else {})))
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.mistake])
def test_a_file_that_is_not_clear_is_one_line_with_the_remedy(bench: Bench, project: Path, name: str) -> None:
    path = write(project, name, remedied=False)
    validated = bench("tasks", "validate", str(path))
    ran = bench("run", "--models", "chance", "--tasks", str(path), "--results", "out")
    assert (validated.exit_code, ran.exit_code) == (3, 3)
    assert validated.stderr.splitlines() == ran.stderr.splitlines() == [CASES[name].mistake]


def test_every_other_file_and_every_remedied_one_gives_its_items(bench: Bench, project: Path) -> None:
    paths = [write(project, name, remedied=True) for name in CASES]
    validated = bench("tasks", "validate", *map(str, paths))
    assert validated.exit_code == 0, validated.stderr
    ran = bench("run", "--models", "chance", "--tasks", ",".join(map(str, paths)), "--results", "out")
    assert ran.exit_code == 0, ran.stderr
    for name, case in CASES.items():
        [records] = (project / "out" / name).glob("chance/*/records.jsonl")
        answered = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]
        assert tuple(r["options"]["ABCDEFGHIJ".index(r["answer_gt"])] for r in answered) == case.right, name
        assert case.warning in validated.output
        assert case.warning in ran.stderr
