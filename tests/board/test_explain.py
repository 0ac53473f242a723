"""How the numbers of a choice came about: the same numbers as the choice, and where they are from."""

import pytest
from test_choice import MB, played

from bench.board.board import make_board
from bench.board.choice import CheapestOfBest, choose
from bench.board.explain import Explanation, explain
from bench.board.explain_words import explain_lines
from bench.board.limits import Limits
from bench.board.reading import read_board
from bench.inputs.cards import all_cards
from bench.results.answers import Answered, read_answered
from bench.stats.paired import mcnemar
from conftest import ROOT

WEIGHTS = {"medqa": 3.0, "medqa_sample": 1.0}


@pytest.fixture(scope="module")
def base() -> Answered:
    runs = read_answered(ROOT / "results" / "medqa_sample" / "smollm2-135m-instruct-q4_1")
    return next(run for run in runs if isinstance(run, Answered))


@pytest.fixture(scope="module")
def committed() -> Explanation:
    board, _ = read_board(ROOT / "results", all_cards())
    return explain(board.tasks, choose(board.tasks, WEIGHTS, Limits(memory=4000 * MB)))


def test_the_parts_of_a_score_add_up_to_it(committed: Explanation) -> None:
    assert len(committed.models) == 8
    for model in committed.models:
        assert {part.task: part.weight for part in model.tasks} == {"medqa": 0.75, "medqa_sample": 0.25}
        assert sum(part.weight * part.way for part in model.tasks) == pytest.approx(model.score)
        for part in model.tasks:
            way = (part.right / part.questions - part.guessing) / (1 - part.guessing)
            assert part.way == pytest.approx(way)


def test_costs_name_the_run_that_they_are_from(committed: Explanation) -> None:
    board, _ = read_board(ROOT / "results", all_cards())
    results = {row.result.cell.id[:10]: row.result for table in board.tasks for row in table.rows}
    for part in (part for model in committed.models for part in model.tasks):
        assert part.costs is not None
        result = results[part.costs.run]
        alone = result.cost.alone
        assert result.cell.task.name == part.task
        assert part.costs.memory == result.cost.peak_memory_bytes
        assert (part.costs.p50, part.costs.timed) == ((alone.p50, 20) if alone else (None, 0))
        assert part.costs.finished == result.provenance.finished[:10]


def test_the_tests_are_those_that_the_answer_rests_on(base: Answered) -> None:
    """A model is among the best only where no pair says that another is better, after the correction."""
    runs = [played(base, "a", 70), played(base, "b", 66), played(base, "c", 40), played(base, "d", 26)]
    tables = make_board(runs, [], []).tasks
    choice = choose(tables, {"one": 1.0}, Limits())
    assert isinstance(choice.answer, CheapestOfBest)
    among = {choice.answer.chosen, *choice.answer.others, *choice.answer.unproven}
    made = explain(tables, choice)
    better = {pair.second for pair in made.pairs if pair.test.adjusted <= 0.05 and pair.difference > 0}
    better |= {pair.first for pair in made.pairs if pair.test.adjusted <= 0.05 and pair.difference < 0}
    assert {each.candidate.name for each in among} == {each.name for each in made.models} - better
    assert better == {"C (16-bit, 5 solved examples)", "D (16-bit, 5 solved examples)"}
    assert len(made.pairs) == 6
    pair = next(pair for pair in made.pairs if pair.first[0] + pair.second[0] == "AC")
    assert pair.test.p == pytest.approx(mcnemar(30, 0))
    clearest = min(made.pairs, key=lambda pair: pair.test.p).test
    assert clearest.adjusted / clearest.p == pytest.approx(6)
    assert (made.models[-1].guessing.tests, made.models[-1].guessing.adjusted > 0.05) == (4, True)


def test_models_are_tested_against_the_best_baseline(base: Answered) -> None:
    runs = [played(base, "a", 70), played(base, "b", 66)]
    runs += [played(base, name, right, architecture="baseline") for name, right in (("low", 20), ("top", 45))]
    tables = make_board(runs, [], []).tasks
    first, second = explain(tables, choose(tables, {"one": 1.0}, Limits())).models
    assert first.baseline is not None
    assert second.baseline is not None
    assert (first.baseline.against, first.baseline.tests) == ("Top", 2)
    assert first.baseline.p / mcnemar(25, 0) == pytest.approx(1)
    assert second.baseline.p / mcnemar(21, 0) == pytest.approx(1)
    assert first.baseline.adjusted / first.baseline.p == pytest.approx(2)


def test_a_model_measured_elsewhere_only_has_no_costs(base: Answered) -> None:
    runs = [played(base, "a", 70), played(base, "b", 66, processor="there")]
    tables = make_board(runs, [], []).tasks
    made = explain(tables, choose(tables, {"one": 1.0}, Limits(machine="there, 2 cores, 25.3 GB")))
    assert [part.costs is None for model in made.models for part in model.tasks] == [True, False]
    assert "Costs: not measured on the machine that was asked for." in "\n".join(explain_lines(made, []))


def test_lines_fit_a_terminal_of_80_columns(committed: Explanation) -> None:
    lines = explain_lines(committed, ["an input of estimates " * 9])
    assert max(map(len, lines)) < 80
    text = " ".join(" ".join(lines).replace("\u202f", " ").split())
    assert "354 of 1,273 right (27.8 %), guessing 25.0 %, so 3.7 % of the way" in text
    assert "18 pairs more, with a larger p (--json lists them)" in text


def test_where_nothing_fits_nothing_is_explained() -> None:
    board, _ = read_board(ROOT / "results", all_cards())
    made = explain(board.tasks, choose(board.tasks, WEIGHTS, Limits(memory=1)))
    assert (made.models, made.pairs, explain_lines(made, [])) == ((), (), [])
