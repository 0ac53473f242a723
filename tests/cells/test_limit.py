"""`--limit` asks every model the same questions: a draw, or the first of the file."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from bench.board.pairs import reason_not_comparable
from bench.board.reading import read_board
from bench.cells.cell import Cell
from bench.cells.plan import plan
from bench.cells.wish import Settings, Wish
from bench.inputs.cards import find_cards
from bench.inputs.choices import Choices
from bench.inputs.draw import draw
from bench.inputs.task import read_task
from bench.inputs.weights import on_this_machine
from bench.results.identity import identity
from bench.results.result import CellFacts
from bench.types import Item
from conftest import ITEMS, write_lines

Bench = Callable[..., Result]


def items(count: int) -> list[Item]:
    """Sorted by their answer, as published files often are."""
    return [Item(f"i{n}", f"question {n}", ("yes", "no"), int(n >= count // 2)) for n in range(count)]


def cells(task: Path, settings: Settings, models: str = "chance,majority") -> list[Cell]:
    cards = find_cards(models, on_this_machine)
    made, [] = plan([read_task(task)], cards, [Wish(Choices())], settings, data_dir=None, offline=True)
    return [cell for cell in made if isinstance(cell, Cell)]


def test_a_draw_is_of_the_whole_file_in_its_order_and_grows_with_its_size() -> None:
    asked = items(100)
    drawn = draw(asked, 10)
    assert {item.answer for item in drawn} == {0, 1}
    assert [asked.index(item) for item in drawn] == sorted(asked.index(item) for item in drawn)
    assert set(drawn) < set(draw(asked, 20))
    assert draw(asked, 100) == draw(asked, 200) == tuple(asked)
    assert set(draw(asked[::-1], 10)) == set(drawn)
    assert draw(asked, 10, seed=1) != drawn


def test_of_equal_questions_the_first_of_the_file_is_drawn_first() -> None:
    twins = [Item(f"i{n}", "Which is true?", (f"a{n}", "b"), 0) for n in range(5)]
    assert [item.id for item in draw(twins, 2)] == ["i0", "i1"]


def test_every_model_and_seed_is_asked_the_same_draw(anatomy: Path) -> None:
    rows = [ITEMS[0] | {"id": f"n{n}", "question": f"Which is {n}?"} for n in range(20)]
    write_lines(anatomy.parent / "test.jsonl", rows)
    made = [*cells(anatomy, Settings(limit=5)), *cells(anatomy, Settings(limit=5, seed=7))]
    assert len(made) == 4
    assert len({cell.items for cell in made}) == 1
    [first, _] = cells(anatomy, Settings(limit=5, limit_order="file"))
    assert [item.id for item in first.items] == [f"n{n}" for n in range(5)]
    assert first.items != made[0].items


def test_ids_of_limited_runs_from_before_hold(anatomy: Path) -> None:
    [file] = cells(anatomy, Settings(limit=2, limit_order="file"), "chance")
    [drawn] = cells(anatomy, Settings(limit=2), "chance")
    [whole] = cells(anatomy, Settings(), "chance")
    assert str(file.folder) == "anatomy/chance/baseline-first2-b16a41003c"  # as before there was a draw
    assert "limit_order" not in file.facts.model_dump()
    assert "limit_order" not in whole.facts.model_dump()
    assert drawn.facts.model_dump()["limit_order"] == "drawn"
    assert file.id != drawn.id
    older = CellFacts.model_validate_json(file.facts.model_dump_json())
    assert older.limit_order == "file"
    assert identity(older) == file.id


def test_the_command_of_a_partial_run_asks_the_same_questions(anatomy: Path) -> None:
    [file] = cells(anatomy, Settings(limit=2, limit_order="file"), "chance")
    [drawn] = cells(anatomy, Settings(limit=2), "chance")
    assert "--limit 2 --limit-order file --fresh" in file.facts.command
    assert "--limit 2 --fresh" in drawn.facts.command
    raw = json.loads(file.facts.model_dump_json())
    older = raw | {"command": "bench run --models chance --tasks anatomy --limit 2 --fresh"}
    assert CellFacts.model_validate(older).command == file.facts.command
    assert CellFacts.model_validate_json(drawn.facts.model_dump_json()).command == drawn.facts.command
    foreign = raw | {"command": "lm_eval --tasks anatomy --limit 2"}
    assert CellFacts.model_validate(foreign).command == "lm_eval --tasks anatomy --limit 2"


def test_a_draw_and_the_first_of_the_file_are_not_compared(
    bench: Bench, anatomy: Path, project: Path
) -> None:
    bench("run", "-m", "chance", "-t", "anatomy", "--limit", "2")
    bench("run", "-m", "chance", "-t", "anatomy", "--limit", "2", "--limit-order", "file")
    [table] = read_board(project / "results", [])[0].tasks
    one, other = (row.run for row in table.apart)
    assert "one was asked the first questions, and one a draw" in reason_not_comparable(one, other)


@pytest.mark.parametrize("answer", ["A", "C"])
def test_a_run_whose_questions_have_one_answer_says_so_before_it_runs(
    bench: Bench, anatomy: Path, answer: str
) -> None:
    write_lines(anatomy.parent / "test.jsonl", [row | {"answer": answer} for row in ITEMS])
    warning = f"warning: task anatomy: all 3 questions have the answer {answer}"
    assert warning in bench("run", "-m", "chance,majority", "-t", "anatomy", "--dry-run").stderr
    limited = bench("run", "-m", "chance", "-t", "anatomy", "--limit", "2").stderr
    assert f"all 2 questions have the answer {answer}" in limited
    assert "--limit-order" in limited


def test_a_run_with_several_answers_has_no_such_warning(bench: Bench, anatomy: Path) -> None:
    assert "warning" not in bench("run", "-m", "chance", "-t", "anatomy", "--dry-run").stderr


def test_a_sweep_file_may_say_which_items_its_limit_takes(bench: Bench, anatomy: Path, project: Path) -> None:
    sweep = project / "sweep.yaml"
    sweep.write_text("models: [chance]\ntasks: [anatomy]\nlimit: 2\nlimit_order: file\n", encoding="utf-8")
    [row] = json.loads(bench("run", "--sweep", str(sweep), "--dry-run", "--json").stdout)
    assert "first2" in row["folder"]
