"""Which exemplars a task shows: the first of a split, named ones, those of the question's own group."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from click.testing import Result

from bench.cells.cell import Cell
from bench.cells.plan import plan
from bench.cells.wish import DEFAULTS, Settings, Wish
from bench.errors import FileError, Unavailable
from bench.inputs.cards import CardFile
from bench.inputs.choices import Choices
from bench.inputs.prompts import ChosenExemplars, choose_exemplars
from bench.inputs.task import read_task
from bench.results.identity import identity
from bench.results.variant import Variant
from bench.scoring.asking import score_request
from bench.types import Item
from conftest import TASK, TRAIN, write_lines
from tiny import save_causal, tiny_card

Bench = Callable[..., Result]
SHOWN = [
    {"id": f"{group}{n}", "group": group, "question": f"{group} {n}?", "options": ["yes", "no"], "answer": 0}
    for n in range(3)
    for group in ("eye", "ear")
]
ASKED = [
    {
        "id": f"q{n}",
        "group": group,
        "question": f"{n} an {group}?",
        "options": ["yes", "no"],
        "answer": n % 2,
    }
    for n, group in enumerate(["ear", "eye", "ear"])
]
GROUPED = TASK.replace("columns: {id: id}", "columns: {id: id, group: group}")


@pytest.fixture
def grouped(anatomy: Path) -> Path:
    write_lines(anatomy.parent / "test.jsonl", ASKED)
    write_lines(anatomy.parent / "train.jsonl", SHOWN)
    return anatomy


@pytest.fixture
def planned(project: Path) -> Callable[..., Cell]:
    """The one cell of a tiny model on a task."""
    weights = save_causal(project / "m", "llama")

    def make(task: Path, settings: Settings = DEFAULTS, **choices: object) -> Cell:
        card = CardFile(card=tiny_card(weights), path=task)
        wishes = [Wish(Choices.model_validate(choices))]
        made, missing = plan([read_task(task)], [card], wishes, settings, data_dir=None, offline=True)
        if missing:
            raise Unavailable(missing[0].reason, missing[0].remedy)
        [cell] = made
        assert isinstance(cell, Cell)
        return cell

    return make


def ids(cell: Cell) -> list[list[str]]:
    return [[one.id for one in cell.asking.exemplars.of(item)] for item in cell.items]


def test_the_first_are_those_of_the_split_in_its_order(anatomy: Path, planned: Callable[..., Cell]) -> None:
    anatomy.write_text(TASK + "exemplars: 2\nexemplar_choice: first\n", encoding="utf-8")
    cell = planned(anatomy)
    assert ids(cell) == [["t1", "t2"]] * 3
    assert cell.facts.exemplar_ids == ("t1", "t2")
    assert cell.variant.slug.endswith("2shot-first")
    assert planned(anatomy, Settings(seed=7)).id == cell.id, "nothing is drawn"
    write_lines(anatomy.parent / "train.jsonl", TRAIN[::-1])
    assert ids(planned(anatomy)) == [["t3", "t2"]] * 3


def test_named_exemplars_are_shown_in_their_order(anatomy: Path, planned: Callable[..., Cell]) -> None:
    anatomy.write_text(TASK + "exemplar_choice: [t3, t1]\n", encoding="utf-8")
    cell = planned(anatomy)
    assert read_task(anatomy).task.exemplars == 2
    assert ids(cell) == [["t3", "t1"]] * 3
    assert cell.variant.exemplar_choice == ("t3", "t1")
    assert cell.variant.slug.endswith("2shot-listed")
    assert ids(planned(anatomy, exemplars=1)) == [["t3"]] * 3
    assert "exemplar" not in cell.facts.command
    stored = Variant.model_validate_json(cell.variant.model_dump_json())
    assert stored == cell.variant
    assert identity(cell.facts.model_copy(update={"variant": stored})) == cell.id
    anatomy.write_text(TASK + "exemplar_choice: [t1, t3]\n", encoding="utf-8")
    assert planned(anatomy).id != cell.id
    assert planned(anatomy, exemplar_choice="first").variant.exemplar_choice == "first"


def test_ids_that_are_numbers_are_named_as_they_stand(anatomy: Path, planned: Callable[..., Cell]) -> None:
    write_lines(anatomy.parent / "train.jsonl", [row | {"id": n} for n, row in enumerate(TRAIN)])
    anatomy.write_text(TASK + "exemplar_choice: [2, 0]\n", encoding="utf-8")
    assert ids(planned(anatomy)) == [["2", "0"]] * 3


def test_too_many_of_named_exemplars_are_unavailable(anatomy: Path, planned: Callable[..., Cell]) -> None:
    anatomy.write_text(TASK + "exemplar_choice: [t3, t1]\n", encoding="utf-8")
    with pytest.raises(Unavailable, match="3 exemplars are needed, but exemplar_choice names 2 items"):
        planned(anatomy, exemplars=3)


def test_an_unknown_id_is_a_mistake_with_its_line(
    bench: Bench, anatomy: Path, planned: Callable[..., Cell]
) -> None:
    anatomy.write_text(TASK + "exemplar_choice: [t1, t22]\n", encoding="utf-8")
    line = len(TASK.splitlines()) + 1
    message = (
        f"tasks/anatomy.yaml:{line}: exemplar_choice: split 'train' has no item 't22'; did you mean 't2'?"
    )
    result = bench("tasks", "validate", "anatomy")
    assert result.exit_code == 3
    assert message in result.stderr
    assert "its ids are t1, t2, t3" in result.stderr
    with pytest.raises(FileError, match="has no item 't22'"):
        planned(anatomy)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("exemplar_choice: [t1, t1]", "exemplar_choice names 't1' twice"),
        ("exemplar_choice: []", "exemplar_choice: expected a list of 1 or more values, not []"),
        ("exemplar_choice: [t1]\nexemplars: 2", "exemplars is 2, but exemplar_choice names 1"),
        ("exemplar_choice: firt", "not 'firt'; did you mean 'first'?"),
        ("exemplar_choice: [[t1]]", "exemplar_choice.0: expected a text, not ['t1']"),
        ("exemplars_within: topic", "exemplars_within: expected 'group', not 'topic'"),
        (
            "exemplars_within: group",
            "exemplars_within: questions have no groups: name their column as data.columns.group",
        ),
    ],
)
def test_a_wrong_choice_of_exemplars_is_a_mistake(
    bench: Bench, anatomy: Path, keys: str, message: str
) -> None:
    anatomy.write_text(f"{TASK}{keys}\n", encoding="utf-8")
    result = bench("tasks", "validate", "anatomy")
    assert result.exit_code == 3
    assert message in result.stderr


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("exemplars: 2", "exemplars: 2 of the train split, drawn by the seed, the same for every question"),
        (
            "exemplars: 2\nexemplar_choice: per_question",
            "exemplars: 2 of the train split, drawn by the seed for each question",
        ),
        ("exemplars: 2\nexemplar_choice: first", "exemplars: the first 2 of the train split (train.jsonl)"),
        ("exemplar_choice: [t3, t1]", "exemplars: t3, t1 of the train split, in this order"),
        (
            "exemplars: 2\nexemplar_choice: lm_eval",
            "2 of the train split, drawn for each question as lm-evaluation-harness draws them",
        ),
        ("title: x", "exemplars: train.jsonl"),
    ],
)
def test_validate_says_which_exemplars_are_shown(bench: Bench, anatomy: Path, keys: str, words: str) -> None:
    text = TASK.replace("title: Anatomy\n", "") if keys.startswith("title") else TASK
    anatomy.write_text(f"{text}{keys}\n", encoding="utf-8")
    result = bench("tasks", "validate", "anatomy")
    assert result.exit_code == 0
    assert words in result.stdout


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("first", [["ear0", "ear1"], ["eye0", "eye1"], ["ear0", "ear1"]]),
        ("[ear2, eye1, eye0, ear1]", [["ear2", "ear1"], ["eye1", "eye0"], ["ear2", "ear1"]]),
    ],
)
def test_exemplars_may_be_of_the_question_s_own_group(
    bench: Bench, grouped: Path, planned: Callable[..., Cell], choice: str, expected: list[list[str]]
) -> None:
    keys = f"exemplars: 2\nexemplar_choice: {choice}\nexemplars_within: group\n"
    grouped.write_text(GROUPED + keys, encoding="utf-8")
    cell = planned(grouped)
    assert ids(cell) == expected
    assert cell.variant.exemplars_within == "group"
    assert cell.variant.slug.endswith("own-group")
    assert cell.facts.exemplar_ids == tuple(expected[0] + expected[1])
    assert "with the question's group" in bench("tasks", "validate", "anatomy").stdout
    prompts = [score_request(cell.asking, item, str).prompt for item in cell.items]
    assert bench("tasks", "show", "anatomy", "--item", "2").stdout.startswith(prompts[1])


@pytest.mark.parametrize("choice", ["fixed", "per_question", "lm_eval"])
def test_drawn_exemplars_may_be_of_the_question_s_own_group(choice: ChosenExemplars) -> None:
    pool = [Item(f"{n}", f"question {n}", ("yes", "no"), 0, "ab"[n % 2]) for n in range(20)]
    asked = [Item(f"q{n}", f"asked {n}", ("yes", "no"), 0, "ab"[n // 5]) for n in range(10)]
    drawn = choose_exemplars(pool, 3, 7, choice, within=True, tested=asked)
    for item in asked:
        assert len(set(drawn.of(item))) == 3
        assert {one.group for one in drawn.of(item)} == {item.group}
    assert (len({drawn.of(item) for item in asked}) == 2) == (choice == "fixed")
    [alone, *_] = [choose_exemplars([p for p in pool if p.group == "a"], 3, 7, choice, tested=asked[:5])]
    assert [alone.of(item) for item in asked[:5]] == [drawn.of(item) for item in asked[:5]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (SHOWN[:3], "1 of the group 'ear'; ask for fewer, add exemplars of the group or remove"),
        (SHOWN[:1] + SHOWN[2:3], "0 of the group 'ear'; add exemplars of the group or remove"),
    ],
)
def test_a_group_with_too_few_exemplars_is_named(
    bench: Bench,
    grouped: Path,
    planned: Callable[..., Cell],
    rows: list[dict[str, object]],
    message: str,
) -> None:
    text = GROUPED + "exemplars: 2\nexemplar_choice: first\nexemplars_within: group\n"
    grouped.write_text(text, encoding="utf-8")
    write_lines(grouped.parent / "train.jsonl", rows)
    reason = f"2 exemplars are needed, but the exemplars split has {message} exemplars_within"
    assert f"exemplars: {reason}" in bench("tasks", "validate", "anatomy").stderr
    with pytest.raises(Unavailable, match=message.partition(";")[0]):
        planned(grouped)
    write_lines(grouped.parent / "test.jsonl", ASKED[1:2])
    assert ids(planned(grouped)) == [["eye0", "eye1"]], "a group that is not tested needs none"


def test_lm_eval_s_draw_goes_on_from_question_to_question() -> None:
    pool = [Item(f"{n}", f"question {n}", ("yes", "no"), 0) for n in range(9)]
    asked = [Item(f"q{n}", f"asked {n}", ("yes", "no"), 0) for n in range(4)]
    for choice, spare in (("lm_eval", 0), ("lm_eval_spare", 1)):
        generator = Random(1234)
        expected = [tuple(generator.sample(pool, 3 + spare)[:3]) for _ in asked]
        drawn = choose_exemplars(pool, 3, 7, choice, tested=asked)
        assert [drawn.of(item) for item in asked] == expected
        assert drawn.shown == ()
    with pytest.raises(Unavailable, match="10 exemplars are needed, but the exemplars split has 9 items"):
        choose_exemplars(pool, 9, 0, "lm_eval_spare", tested=asked)


def test_ids_of_runs_with_exemplars_from_before_hold() -> None:
    variant = Variant(dtype="float32", exemplars=2, seed=0)
    assert "exemplars_within" not in variant.model_dump()
    assert variant.slug == "float32-2shot"
