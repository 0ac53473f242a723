"""All mistakes in a file are reported at once, each with its file, line and key."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from bench.config import Strict, read_yaml
from bench.errors import FileError
from bench.inputs.model_card import ModelCard
from bench.inputs.task import Task, read_task


class Inner(Strict):
    split: str
    number: int = 0


class Outer(Strict):
    name: str
    data: Inner
    words: tuple[str, ...] = ()
    flag: bool = False


def mistakes(path: Path, model: type[Strict] = Outer) -> list[str]:
    with pytest.raises(FileError) as caught:
        read_yaml(path, model)
    return [str(mistake) for mistake in caught.value.mistakes]


def write(project: Path, text: str) -> Path:
    path = project / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_mistake_is_told_at_once_with_line_key_and_the_nearest_name(project: Path) -> None:
    path = write(project, "name: 3\ndata:\n  splt: test\n  number: many\n")
    assert mistakes(path) == [
        "bad.yaml:1: name: expected a text, not 3",
        "bad.yaml:2: data.split: missing",
        "bad.yaml:4: data.number: expected a whole number, not 'many'",
        "bad.yaml:3: data.splt: unknown key; did you mean 'split'?",
    ]


def test_a_key_given_twice_is_a_mistake(project: Path) -> None:
    path = write(project, "name: a\ndata: {split: test}\nname: b\n")
    assert mistakes(path) == ["bad.yaml:3: name: given twice"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("{}", "data: needs 'hub: ORG/NAME' or 'files: {test: FILE.jsonl}', not {}"),
        ("{files: a}", "data.files: expected keys and values, not 'a'"),
        ("{files: {test: 3}}", "data.files.test: expected a text, not 3"),
        ("{hub: a, empty_options: n/a}", "data.empty_options: expected a list, not 'n/a'"),
        ("{hub: a, columns: x}", "data.columns: expected keys and values, not 'x'"),
        ("{hub: a, columns: {question: 3}}", "data.columns.question: expected a text or a list, not 3"),
        ("{hub: a, columns: {group: ''}}", "columns.group: expected a text of 1 or more characters, not ''"),
        (
            "{hub: a, columns: {options: {fixed: [yes, false]}}}",
            "data.columns.options.fixed.1: expected a text, not false",
        ),
        (
            "{hub: a, columns: {options: {fixed: 3}}}",
            "data.columns.options.fixed: expected a list or keys and values, not 3",
        ),
        (
            "{hub: a, columns: {options: {fixed: {a: null}}}}",
            "data.columns.options.fixed.a: expected a text, not null",
        ),
        ("{hub: a, columns: {options: 3}}", "data.columns.options: needs a column, a list of columns, "),
        (
            "{hub: a, where: {cat: null}}",
            "data.where.cat: expected a text, a number, a list of them or {file: NAME}, not null",
        ),
        ("{hub: a, where: {cat: []}}", "data.where.cat: expected a list of 1 or more values, not []"),
        (
            "{hub: a, where: {cat: [[1]]}}",
            "data.where.cat.0: expected a text, a number or true or false, not [1]",
        ),
        ("{hub: a, where: {cat: {file: 3}}}", "data.where.cat.file: expected a text, not 3"),
        ("{hub: a, sample: {items: 1.5}}", "data.sample.items: expected a whole number, not 1.5"),
        ("{hub: a, sample: {}}", "data.sample.items: missing"),
    ],
)
def test_a_wrong_value_is_told_in_one_line_of_plain_words(project: Path, data: str, message: str) -> None:
    head = "name: bad\nversion: 1\ntitle: T\nlicense: x\nprompt: '{{ question }}'\n"
    [mistake] = mistakes(write(project, f"{head}data: {data}\n"), Task)
    assert mistake.startswith("bad.yaml:6: data")
    assert message in mistake


@pytest.mark.parametrize("text", ["name: [1, 2", "a: b: c", "\t- x", "key: @bad"])
def test_text_that_is_not_yaml_is_told_with_its_line(project: Path, text: str) -> None:
    [message] = mistakes(write(project, text))
    assert message.startswith("bad.yaml:")
    assert "not YAML" in message


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("", "and the file has none"),
        ("null\n", "and the file has none"),
        ("- a\n- b\n", "not ['a', 'b']"),
        ("just words\n", "not 'just words'"),
    ],
)
def test_a_file_without_keys_is_told_so(project: Path, text: str, instead: str) -> None:
    assert mistakes(write(project, text)) == [f"bad.yaml:1: expected keys and values, {instead}"]


def test_a_python_object_in_yaml_is_refused(project: Path) -> None:
    [message] = mistakes(write(project, "name: !!python/object/apply:os.system ['true']\n"))
    assert message == "bad.yaml:1: tags (tag:yaml.org,2002:python/object/apply:os.system) are not supported"


def test_a_missing_file_and_one_in_another_encoding_are_told(project: Path) -> None:
    assert mistakes(project / "none.yaml") == ["none.yaml: No such file or directory"]
    (project / "latin.yaml").write_bytes("name: café\n".encode("latin-1"))
    assert mistakes(project / "latin.yaml")[0].startswith("latin.yaml: not UTF-8")


def test_traps_in_yaml_are_told_with_their_line(project: Path) -> None:
    assert mistakes(write(project, "a: &x [1]\nname: *x\n")) == ["bad.yaml:2: aliases (*x) are not supported"]
    assert mistakes(write(project, 'a: 1\nname: "\\ud800"\n')) == ["bad.yaml:2: has half a surrogate pair"]
    for tag in ("!!bool maybe", '!!int ""', "!!timestamp foo", "!mine x"):
        [message] = mistakes(write(project, f"a: 1\nname: {tag}\n"))
        assert message.startswith("bad.yaml:2: tags (")


@pytest.mark.parametrize(
    "text",
    [
        "<<: {include: mini.yaml}\n",
        "<<: [{include: mini.yaml}]\n",
        "data:\n  <<: {split: test}\n",
        '! "<<": {include: mini.yaml}\n',
        "title: <<\n",
    ],
)
def test_a_merge_key_is_told_with_its_line(anatomy: Path, text: str, bench: Callable[..., Result]) -> None:
    """Keys that it adds stand on no line of their own, so no mistake in them could be shown."""
    anatomy.write_text(anatomy.read_text("utf-8") + text, encoding="utf-8")
    line = anatomy.read_text("utf-8").count("\n")
    message = f"tasks/anatomy.yaml:{line}: merge keys (<<) are not supported; write the keys out, and put "
    with pytest.raises(FileError, match=re.escape(message)):
        read_task(anatomy)
    listed = bench("tasks", "list")
    assert message in " ".join(listed.output.split())


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("0b_", "'0b_' is not a number; put quotes around it where it is text"),
        ("-0x_", "'-0x_' is not a number; "),
        ("[1, 0b_]", "'0b_' is not a number; "),
        ("{0b_: 1}", "'0b_' is not a number; "),
        ("9" * 5000, "a number of 5,000 characters, and at most 100 are read; put quotes around it"),
        ("0x" + "f" * 5000, "a number of 5,002 characters, "),
        ("0b" + "1" * 20_000, "a number of 20,002 characters, "),
        ("1" + ":1" * 3000, "a number of 6,001 characters, "),
        ("1" + ":1" * 300 + ".5", "a number of 603 characters, "),
        ('"\\UFFFFFFFF"', "a number out of range"),
        ('"\\U0011FFFF"', "a number out of range"),
    ],
)
def test_a_number_that_python_cannot_hold_is_told_with_its_line(
    project: Path, number: str, words: str
) -> None:
    [message] = mistakes(write(project, f"name: a\ndata:\n  number: {number}\n"))
    assert message.startswith(f"bad.yaml:3: not YAML: {words}")


def test_a_version_of_yaml_that_python_cannot_hold_is_told_with_its_line(project: Path) -> None:
    path = write(project, f"%YAML 1.{'9' * 5000}\n---\nname: a\n")
    assert mistakes(path) == ["bad.yaml:1: not YAML: a number out of range"]


def test_a_quoted_merge_sign_is_text(project: Path) -> None:
    path = write(project, 'name: "<<"\ndata: {split: "<<"}\n')
    assert read_yaml(path, Outer).name == "<<"


def test_a_link_that_leads_to_itself_is_one_message(project: Path) -> None:
    (project / "loop.yaml").symlink_to("loop.yaml")
    assert "loop.yaml: " in mistakes(project / "loop.yaml")[0]


def test_no_is_norwegian_and_a_month_is_text(project: Path) -> None:
    path = write(project, "name: 2024-09-01\ndata: {split: off}\nwords: [no, yes]\nflag: true\n")
    outer = read_yaml(path, Outer)
    assert (outer.name, outer.data.split, outer.words, outer.flag) == (
        "2024-09-01",
        "off",
        ("no", "yes"),
        True,
    )


def test_a_union_of_sources_names_the_missing_choice_and_the_nearest_key(project: Path) -> None:
    card = "name: bad\ntitle: T\nfamily: f\narchitecture: decoder\nlicense: mit\n"
    path = write(project, card + "source: {hbu: a/b}\n")
    assert mistakes(path, ModelCard) == ["bad.yaml:6: source: needs one of hub, package, path, not hbu"]
    path = write(project, card + "source: {hub: a/b, revison: main}\n")
    assert mistakes(path, ModelCard) == ["bad.yaml:6: source.revison: unknown key; did you mean 'revision'?"]


def test_a_word_outside_the_fixed_ones_names_the_nearest(project: Path) -> None:
    path = write(project, "name: bad\nscoring: {view: leter}\n")
    messages = [text for text in mistakes(path, Task) if "scoring" in text]
    assert messages == [
        (
            "bad.yaml:2: scoring.view: no view is named 'leter'; did you mean 'letter'? (there are letter, "
            "text, text_per_char, text_per_token, text_pmi)"
        )
    ]


def test_an_unknown_key_without_a_near_one_lists_the_keys_at_its_place(project: Path) -> None:
    path = write(project, "name: a\nzzz: 1\ndata: {split: test, qqq: 1}\n")
    assert mistakes(path) == [
        "bad.yaml:3: data.qqq: unknown key (there are number, split)",
        "bad.yaml:2: zzz: unknown key (there are data, flag, name, words)",
    ]


@pytest.mark.parametrize(
    ("key", "below"),
    [
        ("columns: {id: id}", "data"),
        ("splits: {test: test}", "data"),
        ("files: {test: a.jsonl}", "data"),
        ("hub: a/b", "data"),
        ("config: all", "data"),
        ("revision: main", "data"),
        ("mirror: {test: a.jsonl}", "data"),
        ("train: train", "data.splits"),
        ("view: letter", "scoring"),
        ("temperature: 1.0", "generate"),
    ],
)
def test_a_task_s_key_at_the_wrong_place_says_where_it_belongs(project: Path, key: str, below: str) -> None:
    name = key.partition(":")[0]
    path = write(project, f"name: bad\n{key}\n")
    expected = f"bad.yaml:2: {name}: unknown key: it belongs in {below}: write {below}.{name}"
    assert expected in mistakes(path, Task)


def test_a_task_is_named_as_its_file(project: Path, anatomy: Path) -> None:
    other = anatomy.rename(anatomy.with_name("other.yaml"))
    with pytest.raises(FileError, match=r"other.yaml:1: name: 'anatomy' must be the file's name, 'other'"):
        read_task(other)
